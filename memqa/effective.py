"""The settings as they are, and where each one comes from; a secret is never told."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic_settings import EnvSettingsSource, TomlConfigSettingsSource

from memqa import settings
from memqa.homes import told
from memqa.near import did_you_mean
from memqa.settings import Settings
from memqa.whereabouts import AUTH_VARIABLE, CONFIG_VARIABLE, config_path

_PREFIX = "MEMQA_"
_HIDDEN = "(set, not shown)"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its value, and whether that is a flag's, the environment's, the file's or ours.

    ``source`` is ``flag``, ``environment``, ``file`` or ``default``; ``variable`` sets it.
    """

    name: str
    value: str | int | float | bool | None
    source: str
    variable: str


def effective(home: Path | None = None) -> list[Setting]:
    """Give every setting; ``home`` is the flag, where one was given.

    Raises:
        SetupError: the settings are wrong.
    """
    now = settings.load(home=home)
    given: list[tuple[str, Mapping[str, Any]]] = [
        ("flag", {"home": home} if home else {}),
        ("environment", EnvSettingsSource(Settings)()),
        ("file", TomlConfigSettingsSource(Settings, toml_file=config_path())()),
    ]
    found = []
    for name in settings.names():
        path = name.split(".")
        source = next((told for told, values in given if _has(values, path)), "default")
        variable = _PREFIX + "__".join(path).upper()
        found.append(Setting(name, _plain(reduce(getattr, path, now)), source, variable))
    return found


def strange_variables() -> list[str]:
    """Say of each ``MEMQA_*`` variable that sets nothing that it does not, in a sentence."""
    variables = [_PREFIX + name.replace(".", "__").upper() for name in settings.names()]
    first = {name.split(".")[0].upper() for name in settings.names()}
    strange = sorted(
        name
        for name in os.environ
        if name.upper().startswith(_PREFIX)
        and name.upper().removeprefix(_PREFIX).split("__")[0] not in first
        and name.upper() not in (CONFIG_VARIABLE, AUTH_VARIABLE)
    )
    return [f"{name} sets nothing.{did_you_mean(name, variables)}" for name in strange]


def _has(values: Mapping[str, Any], path: list[str]) -> bool:
    for part in path:
        if not isinstance(values, Mapping) or part not in values:
            return False
        values = values[part]
    return True


def _plain(value: Any) -> str | int | float | bool | None:
    if isinstance(value, SecretStr):
        return _HIDDEN if value.get_secret_value() else ""
    if isinstance(value, Path):
        return told(value)
    return value if isinstance(value, int | float | bool | None) else str(value)

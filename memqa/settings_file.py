"""The settings file, to be changed: what a setting may be, what fixes it, and how it is set.

What stands in the file besides, comments too, stays as it is. What is read from it and what wins
over it is in ``settings``.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

from pydantic import BaseModel, ValidationError

from memqa import settings
from memqa.settings import Settings
from memqa.store.lock import locked
from memqa.whereabouts import config_path
from models.errors import InputError, SetupError

Value: TypeAlias = str | int | float | bool

_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is now; ``least`` and ``most`` are None where there is no such bound.

    ``is_above`` says that it has to be more than ``least``, not just as much.
    ``fixed_by`` names the variable of the environment that sets it, which wins over the file.
    """

    name: str
    value: Value
    least: float | None = None
    most: float | None = None
    is_above: bool = False
    fixed_by: str = ""


def setting(now: Settings, name: str) -> Setting:
    """Describe the setting of this name, such as ``video.frames_per_s`` or ``tier``."""
    part, key = _place(now, name)
    bounds: dict[str, float] = {}
    for rule in type(part).model_fields[key].metadata:
        for bound in ("ge", "gt", "le", "lt"):
            if (limit := getattr(rule, bound, None)) is not None:
                bounds[bound] = limit
    return Setting(
        name,
        getattr(part, key),
        least=bounds.get("ge", bounds.get("gt")),
        most=bounds.get("le", bounds.get("lt")),
        is_above="gt" in bounds,
        fixed_by=fixed_by(name),
    )


def fixed_by(name: str) -> str:
    """Name the variable of the environment that sets this; empty where none does."""
    whole = f"MEMQA_{name.upper().replace('.', '__')}"
    parts = (whole, whole.rpartition("__")[0])
    there = {variable.upper(): variable for variable in os.environ}
    return next((there[one] for one in parts if one in there), "")


def change(name: str, value: Value) -> Path:
    """Set one setting in the file, and say where that lies.

    Raises:
        InputError: the value is out of bounds or of another kind, or the environment sets it.
        SetupError: the file cannot be read or written.
    """
    now = settings.load()
    known = setting(now, name)
    if known.fixed_by:
        raise InputError(f"{known.fixed_by} sets this; unset it to change it here.")
    part, key = _place(now, name)
    try:
        checked = type(part)(**{**part.model_dump(exclude_unset=True), key: value})
    except (ValidationError, ValueError) as exc:
        raise InputError(f"{value} is nothing that {name} can be.") from exc
    section = name.rpartition(".")[0]
    return write({section: {key: getattr(checked, key)}})


def write(values: Mapping[str, Mapping[str, Value]]) -> Path:
    """Set values in the file, by the table they stand in ("" for none), and say where it lies.

    Raises:
        SetupError: the file cannot be read or written.
    """
    from tomlkit.exceptions import TOMLKitError

    path = config_path()
    try:
        place = path.resolve()  # it may be a link, which stays one
        with _alone(place):
            _replace(place, _with(place, values))
    except (OSError, ValueError, TypeError, TOMLKitError) as exc:
        raise SetupError(f"the settings file {path} cannot be changed: {exc}") from exc
    return path


def _with(place: Path, values: Mapping[str, Mapping[str, Value]]) -> str:
    """Give the file's text with these values set in it."""
    import tomlkit

    file = tomlkit.parse(place.read_text(encoding="utf-8") if place.exists() else "")
    for section, pairs in values.items():
        table: Any = file.setdefault(section, tomlkit.table()) if section else file
        for key, value in pairs.items():
            table[key] = value
    return tomlkit.dumps(file)


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Let nobody else change the file from reading it to writing it, here or in another process."""
    lock = place.with_name(f".{place.name}.lock")
    with locked(lock, timeout_s=_PATIENCE_S) as held:
        if not held:
            raise SetupError(
                f"the settings file {place} is being changed by another program; try again"
            )
        try:
            yield
        finally:
            with suppress(OSError):  # where an open file cannot be removed, it stays beside
                lock.unlink()


def _place(now: Settings, name: str) -> tuple[BaseModel, str]:
    section, _, key = name.rpartition(".")
    part = getattr(now, section, None) if section else now
    if not isinstance(part, BaseModel) or key not in type(part).model_fields:
        raise InputError(f"There is no setting {name!r}.")
    return part, key


def _replace(place: Path, text: str) -> None:
    """Put a file in its place at once; only its owner ever gets to read its draft.

    It may hold a key. What stood there before hands on its mode.
    """
    mode = stat.S_IMODE(place.stat().st_mode) if place.exists() else 0o600
    draft = place.with_name(f"{place.name}.{uuid4().hex}")
    try:
        with open(draft, "x", encoding="utf-8", opener=_privately) as file:
            file.write(text)
        draft.chmod(mode)
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)


def _privately(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)

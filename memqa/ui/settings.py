"""The settings page: what is chosen now, choosing otherwise, and the doctor's report below it.

A choice is written to the settings file and taken at once; what it cannot change any more, such as
media that another model indexed, is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from memqa import model_choice, settings_file
from memqa.ui import choices, settings_html
from memqa.ui.login_page import account_html
from memqa.ui.markup import Safe, el, icon
from memqa.ui.parts import part
from memqa.ui.places import Places
from memqa.ui.visitors import visitor
from memqa.whereabouts import config_path
from models.errors import InputError, MemqaError
from models.shelf import preset
from models.specs import PORTS

if TYPE_CHECKING:
    from memqa.library import Library

_ELSEWHERE = "Settings are changed only where the page is open to this machine alone."
_NOT_TOLD = "What the doctor finds is told only where the page is open to this machine alone."


class SettingsDesk:
    """What the settings page asks and changes; every public method is one call of the browser."""

    def __init__(self, library: Library, places: Places) -> None:
        self._library = library
        self._places = places

    def look(self, _data: Mapping[str, Any]) -> dict[str, Any]:
        """Tell how the settings are now."""
        now, can_change = self._library.settings, self._places.local
        fixed = {port: settings_file.fixed_by(f"models.{port}") for port in PORTS}
        rows = model_choice.rows(now.models)
        models = settings_html.models_html(
            choices.presets(rows), choices.ports(rows, fixed), can_change=can_change
        )
        fields = [settings_file.setting(now, name) for name in choices.FIELDS]
        note = f"Kept in {config_path()}" if can_change else _ELSEWHERE
        name = visitor().name
        return {
            "html": (account_html(name) if name else "")
            + models
            + settings_html.fields_html(fields, can_change=can_change),
            "note": note,
        }

    def change(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Set a number, a switch or a word."""
        self._check_may_change()
        name = str(data.get("name", ""))
        if name not in choices.FIELDS:
            raise InputError(f"There is no setting {name!r} here.")
        field = choices.FIELDS[name]
        known = settings_file.setting(self._library.settings, name)
        settings_file.change(name, field.read(data.get("value"), known))
        self._take()
        return {**self.look({}), "said": f"Kept. {field.counts}"}

    def use(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Put another model behind a port, or the models of a preset."""
        self._check_may_change()
        port, name = str(data.get("port", "")), str(data.get("name", "")).strip()
        wanted = dict(preset(name)) if port == "preset" else {port: name}
        before = model_choice.in_use(self._library.settings.models)
        chosen = model_choice.use(wanted)
        self._take()
        after = model_choice.in_use(self._library.settings.models)
        changed = [one for one in wanted if before.get(one) != after.get(one)]
        stale = sum(bool(one.stale) for one in self._library.media())
        said = dict.fromkeys(choices.counts_from(one, stale) for one in changed)
        servers = [note for note in chosen.notes if "memqa reindex" not in note]
        return {**self.look({}), "said": " ".join(["Kept.", *said, *map(_sentence, servers)])}

    def doctor(self, _data: Mapping[str, Any]) -> dict[str, Any]:
        """Look at what has to be in place; a visitor is not told where things lie."""
        if not self._places.local:
            return {"html": el("p", _NOT_TOLD, class_="quiet")}
        try:
            tier, why = self._library.tier()
            about = f"Tier {tier}. {why}"
        except MemqaError as exc:
            about = str(exc)
        return {"html": settings_html.doctor_html(self._library.doctor(), about)}

    def _take(self) -> None:
        now = self._library.take_settings()
        self._places.take_uploads(now.limits.max_upload_bytes)

    def _check_may_change(self) -> None:
        if not self._places.local:
            raise InputError(_ELSEWHERE)


def _sentence(note: str) -> str:
    return f"{note[0].upper()}{note[1:]}."


def settings_part(desk: SettingsDesk) -> gr.HTML:
    """Make the settings, a dialog that the shelf's button opens."""
    names = ("look", "change", "use", "doctor")
    return part("settings", _skeleton(), {name: getattr(desk, name) for name in names})


def _skeleton() -> Safe:
    close = el(
        "button",
        icon("close"),
        type="button",
        class_="icon-button close",
        aria_label="Close the settings",
        title="Close",
    )
    return el(
        "dialog",
        el("header", el("h2", "Settings"), close),
        el(
            "div",
            el("p", class_="error problem", role="alert"),
            el("div", class_="settings-body"),
            el(
                "section",
                el("h3", "Doctor"),
                el("div", el("p", "Looking…", class_="quiet"), class_="doctor"),
                data_key="doctor",
            ),
            el("p", class_="note"),
            class_="settings-scroll",
            tabindex=0,
            role="region",
            aria_label="Settings",
        ),
        id="memqa-choices",
        aria_label="Settings",
    )

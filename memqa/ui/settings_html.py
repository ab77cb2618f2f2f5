"""The settings page as HTML: presets, models, numbers and switches, and the doctor's lines."""

from __future__ import annotations

from collections.abc import Sequence

from memqa.doctor import Check, Finding
from memqa.model_choice import ModelRow
from memqa.settings_file import Setting
from memqa.ui.choices import GROUPS, Field, Port, Preset, cost
from memqa.ui.markup import Safe, el, join
from models.specs import forms

_FINDINGS: dict[Finding, str] = {"ok": "fine", "note": "note", "problem": "problem"}


def models_html(presets: Sequence[Preset], ports: Sequence[Port], *, can_change: bool) -> Safe:
    """Write the presets, and the ports one by one."""
    is_fixed = any(port.fixed_by for port in ports)
    may_choose = can_change and not is_fixed
    cards = [_preset(one, may_choose=may_choose) for one in presets]
    return el(
        "section",
        el("h3", "Models"),
        el("ul", cards, class_="presets", aria_label="Presets"),
        _messages("presets"),
        el("div", [_port(one, can_change=can_change) for one in ports], class_="ports"),
        data_key="models",
    )


def _preset(one: Preset, *, may_choose: bool) -> Safe:
    action: Safe | None
    if one.is_used:
        action = el("p", "in use", class_="used")
    elif one.absent:
        action = _pull(f"memqa models pull --preset {one.name}", f"To get {one.title}")
    else:
        action = _use(one.title, "preset", one.name, may_choose=may_choose)
    return el(
        "li",
        el("h4", one.title),
        el("p", one.gives),
        el("p", one.cost, class_="cost"),
        el("p", f"Not here yet: {', '.join(one.absent)}.", class_="cost") if one.absent else None,
        action,
        class_="preset used-one" if one.is_used else "preset",
        data_key=f"preset-{one.name}",
    )


def _port(port: Port, *, can_change: bool) -> Safe:
    used = port.used
    name = " · ".join(part for part in (used.name, used.good_for) if part) if used else "none"
    missing = used is not None and used.state == "absent"
    return el(
        "details",
        el(
            "summary",
            el("span", port.title, class_="title"),
            el("span", name, class_="name"),
            el("span", "not here", class_="missing") if missing else None,
        ),
        el("p", _told(port.gives), class_="gives"),
        _fixed(port.fixed_by),
        el("ul", [_model(row, can_change and not port.fixed_by) for row in port.rows]),
        _other(port) if can_change and not port.fixed_by else None,
        _messages(port.port),
        class_="port",
        data_key=f"port-{port.port}",
    )


def _model(row: ModelRow, may_choose: bool) -> Safe:
    facts = ", ".join(part for part in (cost(row), row.licence) if part)
    if row.in_use:
        action: Safe | None = el("span", "in use", class_="used")
    elif row.state == "absent":
        action = None
    else:
        action = _use(row.name or row.good_for, row.port, row.name, may_choose=may_choose)
    return el(
        "li",
        el(
            "div",
            el("p", row.name or row.good_for, class_="name"),
            el("p", row.good_for) if row.name and row.good_for else None,
            el("p", facts, class_="cost") if facts else None,
            _problem(row),
            class_="what",
        ),
        action,
        class_="model",
        data_key=f"model-{row.port}-{row.name}",
    )


def _problem(row: ModelRow) -> Safe | None:
    if row.state != "absent":
        return None
    if row.problem.startswith("absent: "):
        return _pull(row.problem.removeprefix("absent: "), f"To get {row.name}")
    return el("p", row.problem, class_="error")


def _pull(command: str, label: str) -> Safe:
    copy = el(
        "button", "Copy", type="button", data_copy=command, aria_label=f"Copy the command {command}"
    )
    return el("p", el("code", command, title=label), copy, class_="pull")


def _use(label: str, port: str, name: str, *, may_choose: bool) -> Safe | None:
    if not may_choose:
        return None
    return el(
        "button",
        "Use",
        type="button",
        class_="button use",
        data_port=port,
        data_name_of=name,
        aria_label=f"Use {label}",
    )


def _other(port: Port) -> Safe:
    box = el(
        "input",
        type="text",
        name="model",
        aria_label=f"Another model that {port.title.lower()}",
        autocomplete="off",
        spellcheck="false",
    )
    return el(
        "details",
        el("summary", "Another one…"),
        el("p", forms(port.port), class_="cost"),
        el("form", box, el("button", "Use", type="submit"), class_="other", data_port=port.port),
        class_="another",
    )


def fields_html(settings: Sequence[Setting], *, can_change: bool) -> Safe:
    """Write the numbers and switches, group by group."""
    known = {one.name: one for one in settings}
    sections = [
        el(
            "section",
            el("h3", title),
            [_field(field, known[field.name], can_change) for field in group],
            data_key=f"group-{title}",
        )
        for title, group in GROUPS
    ]
    return Safe("".join(sections))


def _field(field: Field, now: Setting, can_change: bool) -> Safe:
    name = f"setting-{field.name.replace('.', '-')}"
    disabled = bool(now.fixed_by) or not can_change
    return el(
        "div",
        el(
            "div",
            el("label", field.label, for_=name),
            el("p", field.gives, class_="gives", id=f"{name}-gives"),
            _fixed(now.fixed_by),
            _messages(field.name),
            class_="what",
        ),
        el("div", _control(field, now, name, disabled), class_="control"),
        class_="field",
        data_key=field.name,
    )


def _control(field: Field, now: Setting, name: str, disabled: bool) -> list[Safe]:
    about: dict[str, str | bool] = {
        "id": name,
        "data_setting": field.name,
        "disabled": disabled,
        "aria_describedby": f"{name}-gives",
    }
    if field.options:
        options = [
            el("option", f"{value}: {means}", value=value, selected=value == now.value)
            for value, means in field.options
        ]
        return [el("select", options, **about)]
    if isinstance(now.value, bool):
        return [el("input", type="checkbox", checked=now.value, **about)]
    shown = field.shown(now.value)
    box = el("input", type="text", inputmode="decimal", value=shown, **about)
    return [box, el("span", field.unit, class_="unit")] if field.unit else [box]


def _fixed(variable: str) -> Safe | None:
    return el("p", f"Set by {variable}, which wins.", class_="fixed") if variable else None


def _messages(of: str) -> Safe:
    return el("p", class_="message", role="status", data_message=of)


def doctor_html(checks: Sequence[Check], tier: str) -> Safe:
    """Write the doctor's lines, below what the language model may decide."""
    lines = el("ul", [_check(one) for one in checks], aria_label="What was looked at")
    return Safe(el("p", _told(tier), class_="tier") + lines)


def _check(one: Check) -> Safe:
    return el(
        "li",
        el("span", class_="dot", aria_hidden="true"),
        el("span", _FINDINGS[one.finding], class_="finding"),
        el(
            "div",
            el("b", one.name),
            " ",
            _told(one.detail),
            el("p", one.remedy, class_="remedy") if one.remedy else None,
            class_="what",
        ),
        class_=f"check {one.finding}",
        data_key=f"check-{one.name}",
    )


def _told(text: str) -> list[Safe]:
    """Write a sentence in which `commands` stand between backticks."""
    parts = text.split("`")
    return [el("code", part) if n % 2 else join(part) for n, part in enumerate(parts)]

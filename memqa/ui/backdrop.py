"""The stage's fixed markup: the head, the view, the tabs under it, and what it says when empty."""

from __future__ import annotations

from memqa.ui.markup import Safe, el, icon

TABS = (("time", "Timeline"), ("outline", "Outline"), ("memory", "Memory"))
_KEYS = (
    ("space", "play or pause"),
    ("← →", "5 seconds back or on"),
    ("[ ]", "previous or next evidence"),
    ("p n", "previous or next place found in the document"),
    ("/", "write a question"),
    ("↑", "in an empty box: the last question again"),
    ("esc", "stop answering"),
    ("?", "this list"),
)


def backdrop() -> Safe:
    """Write the stage as it is before anything is shown on it."""
    return el(
        "section",
        _head(),
        el("p", class_="stage-error error", role="alert"),
        _welcome(),
        _reading_bar(),
        el("div", class_="view"),
        el("div", _tabs(), [_panel(*tab) for tab in TABS], class_="below"),
        _keys(),
        class_="stage nothing not-yet",
        aria_label="Player and pages",
    )


def _head() -> Safe:
    return el(
        "header",
        el("h2", class_="title"),
        el("p", class_="title-facts"),
        el(
            "button",
            "Subtitles (WebVTT)",
            type="button",
            class_="subtitles",
            title="Save what is said as a subtitle file",
            hidden=True,
        ),
        class_="stage-head",
    )


def _reading_bar() -> Safe:
    """What a document has above its page: finding in it, and the places found, one by one."""
    return el(
        "div",
        el(
            "form",
            el(
                "input",
                type="search",
                placeholder="Find in this document",
                aria_label="Find in this document",
                autocomplete="off",
            ),
            class_="find",
            role="search",
        ),
        el("span", class_="hits-words", role="status"),
        _step("up", "Previous place", "-1"),
        _step("down", "Next place", "1"),
        el(
            "button",
            icon("zoom"),
            type="button",
            class_="icon-button zoom",
            aria_label="Larger page",
            title="Larger page",
            aria_pressed="false",
        ),
        class_="reading-bar",
        hidden=True,
    )


def _step(drawing: str, label: str, by: str) -> Safe:
    key = "p" if by == "-1" else "n"
    return el(
        "button",
        icon(drawing),
        type="button",
        class_="icon-button",
        data_hit=by,
        aria_label=label,
        title=f"{label} ({key})",
        hidden=True,
    )


def _tabs() -> Safe:
    buttons = [
        el(
            "button",
            label,
            type="button",
            role="tab",
            id=f"stage-tab-{name}",
            aria_controls=f"stage-panel-{name}",
            aria_selected="false",
            tabindex=-1,
            data_below=name,
        )
        for name, label in TABS
    ]
    return el("div", buttons, class_="below-tabs", role="tablist", aria_label="Around this place")


def _panel(name: str, _label: str) -> Safe:
    return el(
        "div",
        class_=f"{name}-panel",
        id=f"stage-panel-{name}",
        role="tabpanel",
        aria_labelledby=f"stage-tab-{name}",
        tabindex=0,
        hidden=True,
    )


def _welcome() -> Safe:
    empty = el(
        "div",
        el("p", "Ask hours of video and hundreds of pages.", class_="lead"),
        el(
            "p",
            "Add a video, a recording or a document. memqa watches, listens and reads it on this "
            "machine, and shows you the moment or the page that each answer rests on.",
        ),
        el("button", "Try the sample", type="button", class_="button try-sample"),
        class_="welcome-empty",
    )
    chosen = el(
        "p", "Open something from the shelf, or ask: each answer leads here.", class_="welcome"
    )
    waiting = el(
        "p",
        "You can ask as soon as the first part of something is in memory.",
        class_="welcome-waiting",
    )
    return el("div", empty, chosen, waiting, class_="welcome-holder")


def _keys() -> Safe:
    rows = [el("tr", el("td", el("kbd", key)), el("td", does)) for key, does in _KEYS]
    return el(
        "dialog",
        el("h2", "Keys"),
        el("table", el("tbody", rows)),
        el("button", "Close", type="button", class_="button"),
        id="memqa-keys",
        aria_label="Keys",
    )

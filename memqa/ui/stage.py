"""The stage: what the last asked-for place looks like, and the way of the media around it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from memqa.ui import pictures, words
from memqa.ui.leaves import Leaf, boxes_from, leaf_html, outline_html
from memqa.ui.live import is_watched, without_player
from memqa.ui.markup import Safe, el
from memqa.ui.parts import part
from memqa.ui.places import Places
from memqa.ui.timeline import cues, timeline, timeline_html
from memqa.values import Media
from models.errors import InputError

if TYPE_CHECKING:
    from memqa.library import Library

PAGE_PX = 1200
_KEYS = (
    ("space", "play or pause"),
    ("← →", "5 seconds back or on"),
    ("[ ]", "previous or next evidence"),
    ("/", "write a question"),
    ("?", "this list"),
)


class Stage:
    """What the stage asks for; every public method is one call of the browser."""

    def __init__(self, library: Library, places: Places) -> None:
        self._library = library
        self._places = places

    def open_media(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Tell all that is needed to show a media: its address, subtitles and time line."""
        media = self._library.show(str(data.get("media", "")))
        facts = " · ".join(
            part for part in (words.kind(media.kind, media.name), words.length(media)) if part
        )
        shown = {"media": media.id, "kind": media.kind, "name": media.name, "facts": facts}
        if media.kind == "document":
            return {**shown, "timeline": "", "cues": [], "url": None}
        memories = self._library.store.read.memories(media.id, levels=("event", "observation"))
        watched = is_watched(self._library, media)
        return {
            **shown,
            "url": None if watched else self._places.open(media),
            "unplayable": without_player(media, watched=watched) or _unplayable(media),
            "cues": cues(memories),
            "timeline": timeline_html(timeline(media, memories)),
        }

    def leaf(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Give one page, with the passage asked for marked on it."""
        media = self._library.show(str(data.get("media", "")))
        page = _page(data.get("page"), media)
        path = Path(media.path)
        if not path.is_file():
            raise InputError(f"{path} is not there any more, so its page cannot be shown.")
        boxes, marks = boxes_from(data.get("boxes")), _characters(data.get("chars"))
        return {"html": leaf_html(_leaf(media, page, boxes, marks))}

    def outline(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Give a media's outline."""
        media = self._library.show(str(data.get("media", "")))
        return {"html": outline_html(self._library.outline(media.id), media)}

    def frame(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Give one frame of a video that the browser cannot play."""
        media = self._library.show(str(data.get("media", "")))
        if media.kind != "video":
            return {"url": None}
        at_s = max(0.0, float(data.get("at") or 0.0))
        if without_player(media, watched=is_watched(self._library, media)):
            return {"url": pictures.remembered(self._library, media, at_s)}
        return {"url": pictures.still(media, at_s)}

    def thumb(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Give the thumbnail of a memory."""
        picture = self._library.thumbnail(str(data.get("id", "")))
        return {"url": pictures.as_url(picture, "image/jpeg") if picture else None}


def _leaf(
    media: Media, page: int, boxes: tuple[Any, ...], marks: tuple[tuple[int, int], ...]
) -> Leaf:
    from docmem.parse import open_document, page_picture, read_pages

    path = Path(media.path)
    info = open_document(path)
    if info.format == "pdf":
        return Leaf(media, page, picture=page_picture(path, page, width_px=PAGE_PX), boxes=boxes)
    found = next((one for one in read_pages(info, reader=None, first_page=page)), None)
    if found is None:
        raise InputError(f"{media.name} has no page {page}.")
    local = tuple((max(0, a - found.char_start), b - found.char_start) for a, b in marks)
    return Leaf(media, page, text=found.text, marks=local)


def _page(wanted: Any, media: Media) -> int:
    page = int(wanted) if isinstance(wanted, int | float) and wanted == wanted else 1
    return max(1, min(page, media.pages or page))


def _characters(wanted: Any) -> tuple[tuple[int, int], ...]:
    first, _, last = str(wanted or "").partition("-")
    return ((int(first), int(last)),) if first.isdecimal() and last.isdecimal() else ()


def _unplayable(media: Media) -> str:
    if not Path(media.path).is_file():
        return f"The file is no longer at {media.path}; what is remembered can still be asked."
    if media.kind == "audio":
        return "This browser cannot play this recording; what was said stands in the time line."
    return "This browser cannot play this kind of video, so it is shown picture by picture."


def stage_part(stage: Stage) -> gr.HTML:
    """Make the stage."""
    names = ("open_media", "leaf", "outline", "frame", "thumb")
    return part("stage", _skeleton(), {name: getattr(stage, name) for name in names})


def _skeleton() -> Safe:
    return el(
        "main",
        el("header", el("h2", class_="title"), el("p", class_="title-facts"), class_="stage-head"),
        el("p", class_="stage-error error", role="alert"),
        _welcome(),
        el("div", class_="view"),
        el(
            "div",
            _tabs(),
            el("div", class_="time", role="tabpanel", aria_label="Timeline"),
            el("div", class_="outline-holder", role="tabpanel", aria_label="Outline", hidden=True),
            class_="below",
        ),
        _keys(),
        class_="stage nothing not-yet",
        aria_label="Player and pages",
    )


def _tabs() -> Safe:
    tabs = (("time", "Timeline"), ("outline", "Outline"))
    return el(
        "div",
        [el("button", label, type="button", role="tab", data_below=name) for name, label in tabs],
        class_="below-tabs",
        role="tablist",
        aria_label="Around this place",
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

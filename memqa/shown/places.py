"""The place that evidence names, brought to a notebook's cell: some seconds to play, or a page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from memqa.addresses import is_address
from memqa.shown.widget import caption
from memqa.ui.leaves import Leaf, boxes_from, leaf_html
from memqa.values import Media
from models.errors import InputError
from models.values import TimeSpan

PAGE_PX = 1000
SHORTEST_S = 3.0  # a single frame is no scene
LONGEST_S = 30.0

Place: TypeAlias = tuple[dict[str, Any], list[bytes]]


def place(media: Media, wanted: Mapping[str, Any]) -> Place:
    """Give the message and the bytes that show a place, as its anchor describes it.

    Raises:
        InputError: the file is gone, or has no such place.
        DecodeFailed: the file cannot be decoded there.
    """
    if is_address(media.path):
        raise InputError(f"{media.path} was fetched and no copy is kept; it can still be asked")
    if not Path(media.path).is_file():
        raise InputError(
            f"{media.path} is not there any more; what is remembered of it can still be asked"
        )
    return _page(media, wanted) if media.kind == "document" else _seconds(media, wanted)


def _seconds(media: Media, wanted: Mapping[str, Any]) -> Place:
    from vidmem.clip import clip

    start_s, end_s = _number(wanted.get("start")), _number(wanted.get("end"))
    span = TimeSpan(start_s, min(max(end_s, start_s + SHORTEST_S), start_s + LONGEST_S))
    cut = clip(media.path, span.start_s, span.end_s)
    return {"kind": media.kind, "mime": "video/mp4", "caption": caption(media.name, span)}, [cut]


def _page(media: Media, wanted: Mapping[str, Any]) -> Place:
    from docmem.parse import open_document, page_picture, read_pages

    page = max(1, min(int(_number(wanted.get("page"))), media.pages or 1))
    boxes = boxes_from(wanted.get("boxes"))
    info = open_document(Path(media.path))
    if info.format == "pdf":
        leaf = Leaf(media, page, page_picture(media.path, page, width_px=PAGE_PX), boxes=boxes)
    else:
        found = next((one for one in read_pages(info, reader=None, first_page=page)), None)
        if found is None:
            raise InputError(f"{media.name} has no page {page}")
        marks = _characters(wanted.get("chars"), found.char_start)
        leaf = Leaf(media, page, text=found.text, marks=marks)
    shown = {"kind": "document", "html": leaf_html(leaf), "caption": f"{media.name} · p. {page}"}
    return shown, []


def _number(told: object) -> float:
    is_number = isinstance(told, int | float) and math.isfinite(told)
    return max(0.0, float(told)) if is_number else 0.0  # type: ignore[arg-type]


def _characters(told: object, before: int) -> tuple[tuple[int, int], ...]:
    first, _, last = str(told or "").partition("-")
    if not (first.isdecimal() and last.isdecimal()):
        return ()
    return ((max(0, int(first) - before), max(0, int(last) - before)),)

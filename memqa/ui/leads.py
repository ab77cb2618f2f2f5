"""How an anchor names a place in a media, so that a click leads the stage there.

Everything the stage needs stands in the anchor itself: a stored chat stays clickable, and the
address alone (``#media=ID&t=724``, ``#media=ID&page=37``) can be kept or shared.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from memqa.ui.markup import Attribute
from models.values import Box, Locator, TimeSpan, clock


def lead(media_id: str, locator: Locator, boxes: Sequence[Box] = ()) -> dict[str, Attribute]:
    """Give the attributes of an anchor that leads to a place."""
    if isinstance(locator, TimeSpan):
        return {
            "href": f"#media={media_id}&t={locator.start_s:g}",
            "data_start": locator.start_s,
            "data_end": locator.end_s,
        }
    return {
        "href": f"#media={media_id}&page={locator.page}",
        "data_page": locator.page,
        "data_chars": f"{locator.char_start}-{locator.char_end}",
        "data_boxes": json.dumps([asdict(box) for box in boxes]) if boxes else None,
    }


def label(locator: Locator) -> str:
    """Name a place shortly: ``12:04``, ``p. 37``, ``pp. 37–39``."""
    if isinstance(locator, TimeSpan):
        return clock(locator.start_s)
    first, last = locator.page, locator.page_end
    return f"p. {first}" if first == last else f"pp. {first}–{last}"


def drawing(locator: Locator) -> str:
    """Name the line drawing that stands before a place."""
    return "play" if isinstance(locator, TimeSpan) else "page"

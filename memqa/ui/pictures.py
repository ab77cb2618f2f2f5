"""Small pictures for the page, as data addresses: posters, thumbnails, single frames."""

from __future__ import annotations

import base64
import io
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from memqa.values import Media
from models.errors import MemqaError
from models.values import TimeSpan

if TYPE_CHECKING:
    from memqa.library import Library

POSTER_PX = 160
STILL_PX = 960


def poster(media: Media) -> str | None:
    """Give a picture that a media can be told by, or None for a recording or a plain text."""
    if media.kind == "audio":
        return None
    at_s = min(10.0, 0.2 * (media.duration_s or 0.0))
    try:
        return _poster(media.id, media.path, media.kind, at_s)
    except (MemqaError, OSError):  # not kept: the file may come back
        return None


@lru_cache(maxsize=512)
def _poster(_media_id: str, path: str, kind: str, at_s: float) -> str:
    if kind == "video":
        from vidmem.video import frame_at

        return as_url(frame_at(Path(path), at_s, width_px=POSTER_PX), "image/jpeg")
    from docmem.parse import page_picture

    return as_url(_as_jpeg(page_picture(path, 1, width_px=POSTER_PX)), "image/jpeg")


def still(media: Media, at_s: float, *, width_px: int = STILL_PX) -> str:
    """Give the frame of a video at a moment.

    Raises:
        InputError: there is no such frame, or the file is gone.
    """
    from vidmem.video import frame_at

    return as_url(frame_at(Path(media.path), at_s, width_px=width_px), "image/jpeg")


def remembered(library: Library, media: Media, at_s: float) -> str | None:
    """Give the picture that is remembered of a moment, where the video itself is not at hand."""
    events = library.store.read.memories(media.id, levels=["event"])
    spans = [(one, one.locator) for one in events if one.has_thumbnail]
    timed = [(one, span.start_s) for one, span in spans if isinstance(span, TimeSpan)]
    if not timed:
        return None
    before = [pair for pair in timed if pair[1] <= at_s] or timed[:1]
    seen = library.thumbnail(max(before, key=lambda pair: pair[1])[0].id)
    return as_url(seen, "image/jpeg") if seen else None


def as_url(picture: bytes, mime: str) -> str:
    """Write a picture as a data address."""
    return f"data:{mime};base64,{base64.b64encode(picture).decode('ascii')}"


def _as_jpeg(png: bytes) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    with Image.open(io.BytesIO(png)) as picture:
        picture.convert("RGB").save(out, "JPEG", quality=80)
    return out.getvalue()

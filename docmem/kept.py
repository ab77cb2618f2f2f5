"""Pages as they were read before, each by a mark of what is on it, so that only new ones are read.

Knows how a page is packed into bytes; what makes two pages the same is for the formats to say.
"""

from __future__ import annotations

import json
import struct
import zlib

import numpy as np

from docmem.pages import Page, PageLine
from models.values import Box

_HEAD = struct.Struct("<I")
_MARK_BYTES = 32


class KeptPages:
    """The pages of an earlier reading, and those of this one as they come.

    A page is kept compressed (about 2 kB) and unpacked when asked for, so that a document of
    thousands of pages takes a few megabytes.
    """

    def __init__(self, blob: bytes = b"") -> None:
        self._earlier = _unpacked(blob)
        self._now: dict[bytes, bytes] = {}

    @property
    def marks(self) -> list[bytes]:
        """The marks of the pages of the earlier reading."""
        return list(self._earlier)

    def get(self, mark: bytes, *, number: int, char_start: int) -> Page | None:
        """Give the page of this mark as page ``number`` that starts at ``char_start``."""
        packed = self._now.get(mark) or self._earlier.get(mark)
        if packed is None:
            return None
        self._now[mark] = packed
        return _page(packed, number, char_start)

    def put(self, mark: bytes, page: Page) -> None:
        """Keep a page under a mark of 32 bytes."""
        if len(mark) != _MARK_BYTES:
            raise ValueError(f"a mark has {_MARK_BYTES} bytes, not {len(mark)}")
        self._now[mark] = _packed(page)

    def dump(self) -> bytes:
        """Write the pages that were asked for or put, and no other."""
        return b"".join(
            mark + _HEAD.pack(len(packed)) + packed for mark, packed in self._now.items()
        )


def _unpacked(blob: bytes) -> dict[bytes, bytes]:
    found, at = {}, 0
    while at < len(blob):
        mark, at = blob[at : at + _MARK_BYTES], at + _MARK_BYTES
        (length,) = _HEAD.unpack_from(blob, at)
        at += _HEAD.size
        found[mark], at = blob[at : at + length], at + length
    return found


def _packed(page: Page) -> bytes:
    lines = [
        (
            line.char_start - page.char_start,
            line.char_end - page.char_start,
            line.heading_level,
            line.is_running,
            line.role,
        )
        for line in page.lines
    ]
    told = json.dumps([page.text, page.by_ocr, page.notes, page.ocr_reason, lines]).encode()
    nowhere = (-1.0, -1.0, -1.0, -1.0)
    sides = [
        (box.x0, box.y0, box.x1, box.y1) if (box := line.box) else nowhere for line in page.lines
    ]
    boxes = np.array(sides, np.float64).tobytes()
    return zlib.compress(_HEAD.pack(len(told)) + told + boxes, 1)


def _page(packed: bytes, number: int, char_start: int) -> Page:
    raw = zlib.decompress(packed)
    (length,) = _HEAD.unpack_from(raw)
    text, by_ocr, notes, reason, told = json.loads(raw[_HEAD.size : _HEAD.size + length])
    sides = np.frombuffer(raw, np.float64, offset=_HEAD.size + length).reshape(-1, 4).tolist()
    lines = tuple(
        PageLine(
            char_start + start,
            char_start + end,
            Box(number, *box) if box[0] >= 0 else None,
            level,
            is_running,
            role,
        )
        for (start, end, level, is_running, role), box in zip(told, sides, strict=True)
    )
    return Page(number, text, char_start, lines, by_ocr, tuple(notes), reason)

"""The reading child, ``python -m docmem.reader``: knows one request about a document, answers it.

``models/serving.py`` knows how the answers travel. It may crash, hang or run out of memory over a
file: ``models/child.py`` outlives it. Before each page it says which one it is about to look at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from docmem.parse.apart import open_here, read_here
from docmem.parse.layout import Line
from docmem.parse.marks import manner, mark_of
from docmem.parse.pdfium import Sight, bookmarks, look, opened, png, title_of
from docmem.parse.styles import learn_styles
from models.serving import Answer, serve

_SAMPLE_PAGES = 15


def _open(request: dict[str, Any]) -> Iterator[Answer]:
    with opened(Path(request["path"])) as pdf:
        yield {"kind": "info", "pages": len(pdf)}, b""
        yield {"kind": "title", "title": title_of(pdf)}, b""


def _pages(request: dict[str, Any]) -> Iterator[Answer]:
    """Yield ``styles`` learned from pages all over the document, then each ``page`` in order.

    A page whose mark is among those ``kept`` is not read: its mark alone is told.
    """
    last, skip, kept = request["last"], frozenset(request["skip"]), frozenset(request["kept"])
    with opened(Path(request["path"])) as pdf:
        sample: dict[int, Sight] = {}
        for number in _spread(last):
            if number not in skip:
                yield {"kind": "look", "page": number}, b""
                sample[number] = look(pdf, number, draws=False)
        lines = {number: sight.lines for number, sight in sample.items()}
        styles = learn_styles(lines, bookmarks(pdf))
        told = asdict(styles) | {"running": sorted(styles.running)}
        yield {"kind": "styles", "styles": told}, b""
        by = manner(styles)
        for number in range(request["first"], last + 1):
            if number in skip:
                continue
            yield {"kind": "look", "page": number}, b""
            mark = mark_of(pdf, number, by).hex()
            if mark in kept:
                yield {"kind": "kept", "page": number, "mark": mark}, b""
                continue
            sight = sample.pop(number, None)
            if sight is None or (sight.ocr_reason and request["draws"]):
                sight = look(pdf, number, draws=request["draws"])
            # Glyphs do not tell a picture from another.
            yield _told(number, sight, "" if sight.ocr_reason else mark)


def _picture(request: dict[str, Any]) -> Iterator[Answer]:
    path = Path(request["path"])
    with opened(path) as pdf:
        yield {"kind": "picture"}, png(pdf, path.name, request["page"], request["width_px"])


def _told(number: int, sight: Sight, mark: str) -> Answer:
    header = {
        "kind": "page",
        "page": number,
        "mark": mark,
        "lines": [_listed(line) for line in sight.lines],
        "ocr_reason": sight.ocr_reason,
        "notes": sight.notes,
        "shape": None if sight.picture is None else sight.picture.shape,
    }
    return header, b"" if sight.picture is None else sight.picture.tobytes()


def _listed(line: Line) -> Sequence[Any]:
    rect = line.rect
    where = (round(side, 5) for side in (rect.x0, rect.y0, rect.x1, rect.y1))
    flags = line.is_bold, line.goes_on, line.is_row, line.pieces
    return [line.text, *where, round(line.size, 3), *flags]


def _spread(pages: int) -> list[int]:
    count = min(_SAMPLE_PAGES, pages)
    return sorted({1 + (pages - 1) * index // max(count - 1, 1) for index in range(count)})


_ANSWERS = {
    "open": _open,
    "pages": _pages,
    "picture": _picture,
    "document": open_here,
    "read": read_here,
}

if __name__ == "__main__":
    serve(_ANSWERS)

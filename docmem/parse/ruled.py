"""Which lines on a PDF page are rows of a ruled table; leaves to ``grid.py`` what forms a grid."""

from __future__ import annotations

import ctypes
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import pypdfium2 as pdfium  # type: ignore[import-untyped]
import pypdfium2.raw as pdfium_c  # type: ignore[import-untyped]

from docmem.parse.blocks import table_row
from docmem.parse.glyphs import Glyphs, Word, clean
from docmem.parse.grid import Grid, Rule, find_grids
from docmem.parse.layout import Line, Rect

_MAX_OBJECTS = 5_000
_MAX_RULES = 4_001
_THIN_PT = 2.0
_SHORT_PT = 6.0
_SIMPLE_SEGMENTS = 5


def with_ruled_rows(
    page: pdfium.PdfPage, glyphs: Glyphs, found: Sequence[tuple[Line, int, int]]
) -> list[Line]:
    """Give a page's lines with those inside of a ruled table made into its rows, cells in bars."""
    lines = [line for line, _, _ in found]
    width, height = page.get_size()
    rules = list(islice(_rules(page, glyphs, width, height), _MAX_RULES))
    if sum(rule.is_upright for rule in rules) < 3:
        return lines
    words: list[Word] = []
    line_of: list[int] = []
    for at, (_, start, end) in enumerate(found):
        words += glyphs.words(start, end)
        line_of += [at] * (len(words) - len(line_of))
    grids = find_grids(rules, [_scaled(word.rect, width, height) for word in words])
    rows_at: dict[int, list[Line]] = {}
    in_table: set[int] = set()
    for grid in grids:
        inside = [index for row in grid.rows for cell in row for index in cell]
        if in_table.isdisjoint(inside):
            size = min(lines[line_of[index]].size for index in inside)
            rows_at.setdefault(line_of[min(inside)], []).extend(_rows(grid, words, size))
            in_table.update(inside)
    left: dict[int, list[Word]] = defaultdict(list)
    for index, word in enumerate(words):
        if index not in in_table:
            left[line_of[index]].append(word)
    touched = {line_of[index] for index in in_table}
    kept: list[Line] = []
    for at, line in enumerate(lines):
        kept += rows_at.get(at, ())
        if at not in touched:
            kept.append(line)
        elif at in left:
            kept.append(replace(line, text=_text(left[at]), rect=_around(left[at])))
    return kept


def _rows(grid: Grid, words: Sequence[Word], size: float) -> Iterator[Line]:
    for row in grid.rows:
        own = [words[index] for cell in row for index in cell]
        text = table_row([_text([words[index] for index in cell]) for cell in row])
        yield Line(text, _around(own), size, is_row=True)


def _text(words: Sequence[Word]) -> str:
    return clean(" ".join(word.text for word in words))


def _around(words: Sequence[Word]) -> Rect:
    rect = words[0].rect
    for word in words[1:]:
        rect = rect.joined(word.rect)
    return rect


def _scaled(rect: Rect, width: float, height: float) -> Rect:
    return Rect(rect.x0 * width, rect.y0 * height, rect.x1 * width, rect.y1 * height)


def _rules(page: pdfium.PdfPage, glyphs: Glyphs, width: float, height: float) -> Iterator[Rule]:
    """Yield the straight lines drawn on a page, in points of the page as shown."""
    edges = tuple(ctypes.c_float() for _ in range(4))
    for index in range(min(pdfium_c.FPDFPage_CountObjects(page.raw), _MAX_OBJECTS)):
        item = pdfium_c.FPDFPage_GetObject(page.raw, index)
        if pdfium_c.FPDFPageObj_GetType(item) != pdfium_c.FPDF_PAGEOBJ_PATH:
            continue
        if pdfium_c.FPDFPath_CountSegments(item) > _SIMPLE_SEGMENTS:
            continue
        fill, stroke = ctypes.c_int(), ctypes.c_int()
        pdfium_c.FPDFPath_GetDrawMode(item, fill, stroke)
        left, bottom, right, top = edges
        pdfium_c.FPDFPageObj_GetBounds(item, left, bottom, right, top)
        where = glyphs.place(left.value, bottom.value, right.value, top.value)
        yield from _edges(_scaled(where, width, height), is_drawn=bool(stroke.value))


def _edges(rect: Rect, *, is_drawn: bool) -> Iterator[Rule]:
    """Give a thin rectangle as one rule, and the sides of a larger one if they are drawn."""
    wide, high = rect.x1 - rect.x0, rect.y1 - rect.y0
    if high <= _THIN_PT and wide >= _SHORT_PT:
        yield Rule(False, (rect.y0 + rect.y1) / 2, rect.x0, rect.x1)
    elif wide <= _THIN_PT and high >= _SHORT_PT:
        yield Rule(True, (rect.x0 + rect.x1) / 2, rect.y0, rect.y1)
    elif is_drawn and wide > _SHORT_PT and high > _SHORT_PT:
        yield Rule(False, rect.y0, rect.x0, rect.x1)
        yield Rule(False, rect.y1, rect.x0, rect.x1)
        yield Rule(True, rect.x0, rect.y0, rect.y1)
        yield Rule(True, rect.x1, rect.y0, rect.y1)

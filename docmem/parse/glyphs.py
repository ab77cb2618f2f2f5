"""The glyphs of a PDF page as lines of text: characters, where they are drawn, how large and bold.

Knows PDFium's text page; leaves to ``layout.py`` in what order lines are read.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import pypdfium2 as pdfium  # type: ignore[import-untyped]
import pypdfium2.raw as pdfium_c  # type: ignore[import-untyped]

from docmem.parse.layout import Line, Rect, typical
from docmem.parse.limits import MAX_PAGE_CHARS

_HYPHENS = "\ufffe\x02"  # how PDFium writes a hyphen that parts a word at a line end
_LINE_END = re.compile(f"[\n\r{_HYPHENS}]")
_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB06: "st"}
_UNPLAIN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\xad\ud800-\udfff\uf000-\uf0ff\ufb00-\ufb06]")
_BOLD_NAMES = (b"bold", b"black", b"heavy", b"demi")
# Writers that place each word on its own leave a blank before a mark that is set apart; the mark
# is followed by a blank or the end, so leader dots and ".5" stay.
_LONE_MARK = re.compile(r"(?<=[\w)%”’\"]) ([.,])(?= [^.,\s]|$)")
_LEADERS = re.compile(r"(?:\. ?){5,}|_{5,}|(?:… ?){2,}")

_APART = 1.2  # of a line's height, both in fractions of their side: over an em and a half

Place: TypeAlias = Callable[[float, float, float, float], Rect]


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a page as drawn."""

    text: str
    rect: Rect


class Glyphs:
    """The glyphs of one open page: their characters, and where and how large they are drawn."""

    def __init__(self, page: pdfium.PdfPage, textpage: pdfium.PdfTextPage) -> None:
        self._raw = textpage.raw
        self.place = placing(page.get_bbox(), page.get_rotation())
        self._height_pt = page.get_height()
        self._edges = tuple(ctypes.c_double() for _ in range(4))
        self._loose = pdfium_c.FS_RECTF()
        self._name = ctypes.create_string_buffer(128)
        self._flags = ctypes.c_int()
        self.count = textpage.count_chars()
        self.text = self._characters(min(self.count, MAX_PAGE_CHARS))

    def lines(self) -> Iterator[tuple[Line, int, int]]:
        """Yield lines as PDFium parts them, each with its half-open range of characters."""
        start = 0
        for end in _LINE_END.finditer(self.text):
            yield from self._line(start, end.start(), goes_on=end.group() in _HYPHENS)
            start = end.end()
        yield from self._line(start, len(self.text), goes_on=False)

    def words(self, start: int, end: int) -> Iterator[Word]:
        """Yield the words of a range of characters with their boxes."""
        for found in re.finditer(r"\S+", self.text[start:end]):
            text = clean(found.group())
            if not text:
                continue
            first, last = start + found.start(), start + found.end() - 1
            yield Word(text, self._rect(first).joined(self._rect(last)))

    def _characters(self, count: int) -> str:
        """Give the characters so that each has the index PDFium knows it by."""
        buffer = (ctypes.c_ushort * (2 * count + 2))()
        pdfium_c.FPDFText_GetText(self._raw, 0, count, buffer)
        text = bytes(buffer).decode("utf-16-le", "replace").split("\0", 1)[0]
        if len(text) == count:
            return text
        codes = (pdfium_c.FPDFText_GetUnicode(self._raw, index) for index in range(count))
        return "".join(chr(code) if 0 < code < 0x110000 else "\x01" for code in codes)

    def _line(self, start: int, end: int, *, goes_on: bool) -> Iterator[tuple[Line, int, int]]:
        """Make a line, without the glyphs that lie outside the visible page."""
        whole = self.text[start:end]
        start += len(whole) - len(whole.lstrip())
        whole = whole.strip()
        if not whole:
            return
        last = start + len(whole) - 1
        rect, pieces = self._around(start, len(whole))
        if rect is None or not _is_shown(rect):
            whole, rect = self._shown_part(whole, start)
            if rect is None:
                return
        text = clean(whole)
        if not text:
            return
        middle = (start + last) // 2
        sample = [start, last, middle + self.text[middle].isspace()]
        size = typical([self._size(index) for index in sample])
        bold = all(map(self._is_bold, sample))
        yield Line(text, rect, size, bold, goes_on, pieces=pieces), start, end

    def _shown_part(self, whole: str, start: int) -> tuple[str, Rect | None]:
        """Give the characters of a line that lie on the visible page, and where."""
        shown: list[str] = []
        around: Rect | None = None
        for index, char in enumerate(whole, start):
            if not char.isspace():
                rect = self._rect(index)
                if not _is_shown(rect):
                    continue
                around = rect if around is None else around.joined(rect)
            shown.append(char)
        return "".join(shown), around

    def _around(self, start: int, count: int) -> tuple[Rect | None, int]:
        """Give the rectangle around a run of glyphs, and how many parts of it stand well apart."""
        left, top, right, bottom = self._edges
        found: Rect | None = None
        apart = 1
        for index in range(pdfium_c.FPDFText_CountRects(self._raw, start, count)):
            pdfium_c.FPDFText_GetRect(self._raw, index, left, top, right, bottom)
            piece = self.place(left.value, bottom.value, right.value, top.value)
            if found is not None:
                apart += piece.x0 - found.x1 > _APART * (piece.y1 - piece.y0)
                piece = found.joined(piece)
            found = piece
        return found, apart

    def _rect(self, index: int) -> Rect:
        left, right, bottom, top = self._edges
        pdfium_c.FPDFText_GetCharBox(self._raw, index, left, right, bottom, top)
        return self.place(left.value, bottom.value, right.value, top.value)

    def _size(self, index: int) -> float:
        """Give the height of the type in points: the font's own box, scaled as it is drawn."""
        pdfium_c.FPDFText_GetLooseCharBox(self._raw, index, self._loose)
        box = self._loose
        where = self.place(box.left, box.bottom, box.right, box.top)
        return float((where.y1 - where.y0) * self._height_pt)

    def _is_bold(self, index: int) -> bool:
        if pdfium_c.FPDFText_GetFontWeight(self._raw, index) >= 600:
            return True
        pdfium_c.FPDFText_GetFontInfo(self._raw, index, self._name, 128, self._flags)
        return _says_bold(self._name.value)


def clean(text: str) -> str:
    """Give the characters that a reader sees, blanks single, leader dots shortened."""
    if _UNPLAIN.search(text):
        text = "".join(_character(ord(char)) for char in text)
    text = _LEADERS.sub(" … ", text)
    return _LONE_MARK.sub(r"\1", " ".join(text.split()))


def placing(bbox: tuple[float, float, float, float], rotation: int) -> Place:
    """Give the map from PDF coordinates to fractions of the page as shown (cropped, turned)."""
    left, bottom, right, top = bbox
    width, height = max(right - left, 1e-6), max(top - bottom, 1e-6)

    def upright(x0: float, y0: float, x1: float, y1: float) -> Rect:
        return Rect(
            (x0 - left) / width, (top - y1) / height, (x1 - left) / width, (top - y0) / height
        )

    def turned(x0: float, y0: float, x1: float, y1: float) -> Rect:
        u0, u1 = sorted(((x0 - left) / width, (x1 - left) / width))
        v0, v1 = sorted(((top - y1) / height, (top - y0) / height))
        if rotation == 90:
            return Rect(1 - v1, u0, 1 - v0, u1)
        if rotation == 180:
            return Rect(1 - u1, 1 - v1, 1 - u0, 1 - v0)
        if rotation == 270:
            return Rect(v0, 1 - u1, v1, 1 - u0)
        return Rect(u0, v0, u1, v1)

    return turned if rotation else upright


def _is_shown(rect: Rect) -> bool:
    return rect.x0 > -0.01 and rect.x1 < 1.01 and rect.y0 > -0.01 and rect.y1 < 1.01


@lru_cache(maxsize=1_000)
def _says_bold(font: bytes) -> bool:
    return any(name in font.lower() for name in _BOLD_NAMES)


def _character(code: int) -> str:
    """Give a glyph's character; nothing for what no reader sees."""
    if code in _LIGATURES:
        return _LIGATURES[code]
    if 0xF000 <= code < 0xF100:  # a symbol font's private code: a bullet nearly always
        return "•"
    if code == 0xAD or code == 0x7F or 0xD800 <= code < 0xE000:
        return ""
    return chr(code) if code >= 0x20 or code == 0x09 else ""

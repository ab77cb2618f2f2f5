"""PDF by PDFium: pages, glyphs and pictures, behind one lock, since PDFium is not thread-safe.

Leaves to ``layout.py`` how glyphs become lines. Nothing in a PDF is run: this build of PDFium has
no JavaScript, forms are not initialised, links and attachments are not followed.
"""

from __future__ import annotations

import ctypes
import io
import logging
import mmap
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import islice
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium  # type: ignore[import-untyped]
import pypdfium2.raw as pdfium_c  # type: ignore[import-untyped]

from docmem.kept import KeptPages
from docmem.pages import DocumentInfo, Page
from docmem.parse.layout import Line, Rect, Styles, compose, in_reading_order, learn_styles, typical
from models.errors import (
    DecodeFailed,
    EmptyMedia,
    IngestCancelled,
    InputError,
    LockedDocument,
    UnreadableMedia,
)
from models.ports import TextReader
from models.values import OnProgress, Picture, Progress, ShouldStop

MAX_PAGES = 5_000
MAX_PAGE_CHARS = 100_000
_MAX_PICTURE_PX = 30_000_000
_OCR_SIDE_PX = 1_600
_SAMPLE_PAGES = 15
_STAMP_CHARS = 200  # a page with less text than this over a large picture is a stamped scan
_OUTLINE_DEPTH = 4
_READING = 1  # raise it when pages come to be read otherwise: kept ones are known by it
_MARKED_EACH = 16
_HYPHENS = frozenset((0xFFFE, 0x02))  # how PDFium writes a hyphen that parts a word at a line end
_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB06: "st"}
_POOR_TITLE = re.compile(r"untitled|microsoft (?:word|powerpoint)|^[\d\W_]+$|\.\w{2,4}$", re.I)

_log = logging.getLogger(__name__)
_PDFIUM = threading.RLock()

Place = Callable[[float, float, float, float], Rect]


@dataclass(frozen=True, slots=True)
class _Sight:
    """What PDFium tells of one page: its lines as drawn, and its picture where it needs OCR."""

    lines: tuple[Line, ...] = ()
    picture: Picture | None = None
    needs_ocr: bool = False
    notes: tuple[str, ...] = ()


def open_pdf(path: Path) -> DocumentInfo:
    """Open a PDF and say how long it is and what it calls itself.

    Raises:
        LockedDocument: it needs a password.
        UnreadableMedia: it is damaged or cut off.
        EmptyMedia: it has no pages.
    """
    _check_whole(path)
    with _document(path) as pdf, _PDFIUM:
        pages = len(pdf)
        if pages == 0:
            raise EmptyMedia(f"{path.name} is a PDF without pages.")
        notes: tuple[str, ...] = ()
        if pages > MAX_PAGES:
            notes = (f"Only the first {MAX_PAGES} of {pages} pages are read.",)
        title = _own_title(pdf) or _largest_line(_look(pdf, 1, draws=False).lines) or path.stem
    return DocumentInfo(
        path, "pdf", title, min(pages, MAX_PAGES), notes, is_whole=pages <= MAX_PAGES
    )


def read_pdf_pages(
    info: DocumentInfo,
    *,
    reader: TextReader | None,
    kept: KeptPages | None = None,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> Iterator[Page]:
    """Yield the pages in order; pages without a text layer are read off their picture.

    Pages that ``kept`` knows by their glyphs are not read again; new ones are put there.

    Raises:
        IngestCancelled: ``should_stop`` said so; pages already given are whole.
    """
    with _document(info.path) as pdf:
        with _PDFIUM:
            styles = _styles(pdf, info.pages)
        manner = _manner(styles)
        char_start = 0
        for number in range(1, info.pages + 1):
            if should_stop is not None and should_stop():
                raise IngestCancelled(f"Stopped before page {number} of {info.path.name}.")
            mark = None
            page = None
            if kept is not None:
                with _PDFIUM:
                    mark = _mark(pdf, number, manner)
                page = kept.get(mark, number=number, char_start=char_start) if mark else None
            if page is None:
                with _PDFIUM:
                    sight = _look(pdf, number, draws=reader is not None)
                page = _page_of(sight, styles, reader, number=number, char_start=char_start)
                if kept is not None and mark and not sight.needs_ocr:
                    kept.put(mark, page)
            char_start = page.char_end + 1
            yield page
            if on_progress is not None:
                on_progress(Progress("Reading pages", number, info.pages, "pages"))


def pdf_picture(path: Path, page: int, *, width_px: int) -> bytes:
    """Draw one page as a PNG of this width, less for pages so long that it would grow huge.

    Raises:
        InputError: there is no such page.
        DecodeFailed: PDFium could not draw it.
    """
    from PIL import Image

    with _document(path) as pdf, _PDFIUM:
        if not 1 <= page <= len(pdf):
            raise InputError(f"{path.name} has {len(pdf)} pages; there is no page {page}.")
        try:
            with closing(pdf[page - 1]) as loaded:
                pixels = _draw(loaded, width_px / max(loaded.get_width(), 1e-3))
        except pdfium.PdfiumError as exc:
            raise DecodeFailed(f"Page {page} of {path.name} cannot be drawn: {exc}") from exc
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


@contextmanager
def _document(path: Path) -> Iterator[pdfium.PdfDocument]:
    """Open and close under the lock; whoever uses the document in between takes it again."""
    try:
        with _PDFIUM:
            pdf = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as exc:
        raise _translated(exc, path) from exc
    except OSError as exc:
        raise UnreadableMedia(f"{path.name} cannot be read: {exc.strerror or exc}.") from exc
    try:
        yield pdf
    finally:
        with _PDFIUM:
            pdf.close()


def _translated(exc: pdfium.PdfiumError, path: Path) -> InputError:
    locked = exc.err_code in (pdfium_c.FPDF_ERR_PASSWORD, pdfium_c.FPDF_ERR_SECURITY)
    # PDFium keeps the code of an earlier file where the new one fails without any.
    if locked and _mentions(path, b"/Encrypt"):
        return LockedDocument(
            f"{path.name} is encrypted; save a copy without a password and add that."
        )
    return UnreadableMedia(f"{path.name} is a damaged PDF: its pages cannot be found in it.")


def _mentions(path: Path, mark: bytes) -> bool:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.rfind(mark) >= 0


def _check_whole(path: Path) -> None:
    """Refuse a PDF whose end is missing: PDFium would open it with silent gaps.

    Every PDF closes its last object, then points to its table of objects. A part of a PDF has
    objects after the last such pointer, also where an earlier one survives (linearised files).
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            last_object = max(data.rfind(b"endobj"), 0)
            is_whole = data.find(b"startxref", last_object) >= 0
            size = len(data)
    except OSError as exc:
        raise UnreadableMedia(f"{path.name} cannot be read: {exc.strerror}.") from exc
    if not is_whole:
        raise UnreadableMedia(
            f"{path.name} is cut off after {size:,} bytes: its end is missing. Get the file again."
        )


def _styles(pdf: pdfium.PdfDocument, pages: int) -> Styles:
    """Learn body type and running lines from pages spread evenly over the document."""
    count = min(_SAMPLE_PAGES, pages)
    numbers = sorted({1 + (pages - 1) * index // max(count - 1, 1) for index in range(count)})
    sample = [_look(pdf, number, draws=False).lines for number in numbers]
    return learn_styles(sample, _outline(pdf))


def _outline(pdf: pdfium.PdfDocument) -> list[tuple[str, int]]:
    """Give the bookmarks as (title, level from 1); those of a damaged outline up to the damage."""
    found: list[tuple[str, int]] = []
    try:
        for mark in islice(pdf.get_toc(max_depth=_OUTLINE_DEPTH), MAX_PAGES):
            found.append((mark.get_title(), mark.level + 1))
    except (pdfium.PdfiumError, UnicodeDecodeError) as exc:
        _log.warning("the outline is damaged: %s", exc)
    return found


def _own_title(pdf: pdfium.PdfDocument) -> str:
    """Give what the file calls itself; nothing where that is a file name or a number."""
    try:
        title = " ".join(str(pdf.get_metadata_value("Title")).split())
    except UnicodeDecodeError:
        return ""
    return "" if len(title) < 4 or _POOR_TITLE.search(title) else title


def _largest_line(lines: Sequence[Line]) -> str:
    """Give the line in the largest type, as a title; nothing where all type is alike."""
    sizes = [line.size for line in lines]
    if not sizes or max(sizes) < typical(sizes) * 1.2:
        return ""
    largest = next(line.text.strip() for line in lines if line.size > max(sizes) * 0.97)
    # One or two words in large type ("UNITED STATES") are a letterhead, not a title.
    return largest if len(largest.split()) >= 3 and len(largest) <= 150 else ""


def _look(pdf: pdfium.PdfDocument, number: int, *, draws: bool) -> _Sight:
    """See one page; a page that PDFium cannot load gives a note, not an error."""
    try:
        with closing(pdf[number - 1]) as page, closing(page.get_textpage()) as textpage:
            lines, notes = _read_lines(page, textpage)
            needs_ocr = _needs_ocr(page, lines)
            picture = None
            if needs_ocr and draws:
                longest = max(*page.get_size(), 1e-3)
                picture = _draw(page, _OCR_SIDE_PX / longest)
            return _Sight(tuple(lines), picture, needs_ocr, notes)
    except pdfium.PdfiumError as exc:
        _log.warning("page %d: %s", number, exc)
        return _Sight(notes=(f"Page {number} is damaged and could not be read.",))


def _manner(styles: Styles) -> bytes:
    """Say by what pages are read: those read by another manner are read again."""
    told = (_READING, replace(styles, running=frozenset()), sorted(styles.running))
    return sha256(repr(told).encode()).digest()


def _mark(pdf: pdfium.PdfDocument, number: int, manner: bytes) -> bytes | None:
    """Give a hash of a page's shape, text, and the place and type of every 16th glyph.

    It takes a twentieth of the time of reading the page. Nothing for a page that PDFium cannot
    load, or with so little text that it may be a picture.
    """
    try:
        with closing(pdf[number - 1]) as page, closing(page.get_textpage()) as textpage:
            count = textpage.count_chars()
            if not _STAMP_CHARS < count <= MAX_PAGE_CHARS:
                return None
            mark = sha256(manner)
            mark.update(repr((page.get_bbox(), page.get_size(), page.get_rotation())).encode())
            mark.update(textpage.get_text_range(errors="replace").encode(errors="replace"))
            box, glyphs = pdfium_c.FS_RECTF(), textpage.raw
            for index in range(0, count, _MARKED_EACH):
                pdfium_c.FPDFText_GetLooseCharBox(glyphs, index, box)
                mark.update(bytes(box))
                mark.update(b"%d" % pdfium_c.FPDFText_GetFontWeight(glyphs, index))
            return mark.digest()
    except pdfium.PdfiumError:
        return None


def _page_of(
    sight: _Sight, styles: Styles, reader: TextReader | None, *, number: int, char_start: int
) -> Page:
    lines, notes = list(sight.lines), list(sight.notes)
    by_ocr = False
    if sight.needs_ocr and (reader is None or sight.picture is None):
        notes.append(f"Page {number} is a picture and was not read: there is no text reader.")
    elif sight.picture is not None and reader is not None:
        read = [
            Line(line.text, Rect(line.box.x0, line.box.y0, line.box.x1, line.box.y1))
            for line in reader.read(sight.picture)
        ]
        # What the text layer says is surer than what is read off the same place.
        read = [a for a in read if not any(a.rect.overlap(b.rect) > 0.5 for b in lines)]
        by_ocr = bool(read)
        lines = sorted(lines + read, key=lambda line: line.rect.y0) if lines else read
    text, composed = compose(in_reading_order(lines), styles, page=number, char_start=char_start)
    return Page(number, text, char_start, composed, by_ocr, tuple(notes))


def _needs_ocr(page: pdfium.PdfPage, lines: Sequence[Line]) -> bool:
    """Tell a page whose words are not in its text layer: a picture, at most with a stamp on it."""
    text = "".join(line.text for line in lines)
    unmapped = sum(1 for char in text if char == "\ufffd" or "\ue000" <= char <= "\uf8ff")
    if len(text) > _STAMP_CHARS:
        return unmapped > len(text) * 0.3
    if not text.strip():
        return any(True for _ in page.get_objects(max_depth=2))
    left, bottom, right, top = page.get_bbox()
    area = max((right - left) * (top - bottom), 1e-6)
    pictures = page.get_objects(filter=[pdfium_c.FPDF_PAGEOBJ_IMAGE], max_depth=3)
    return any(_area(picture.get_bounds()) > area * 0.5 for picture in pictures)


def _area(bounds: tuple[float, float, float, float]) -> float:
    left, bottom, right, top = bounds
    return (right - left) * (top - bottom)


def _draw(page: pdfium.PdfPage, scale: float) -> Picture:
    """Draw a page at so many pixels a point, fewer where the picture would grow too large."""
    width, height = page.get_size()
    scale = min(scale, (_MAX_PICTURE_PX / max(width * height, 1e-6)) ** 0.5)
    with closing(page.render(scale=scale, rev_byteorder=True)) as bitmap:
        pixels: Picture = np.array(bitmap.to_numpy())
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        pixels = np.repeat(pixels.reshape(*pixels.shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(pixels[:, :, :3])


def _read_lines(
    page: pdfium.PdfPage, textpage: pdfium.PdfTextPage
) -> tuple[list[Line], tuple[str, ...]]:
    """Collect the glyphs of a page into lines as PDFium parts them."""
    count = textpage.count_chars()
    notes: tuple[str, ...] = ()
    if count > MAX_PAGE_CHARS:
        notes = (f"A page holds {count:,} characters; the first {MAX_PAGE_CHARS:,} are read.",)
    glyphs = _Glyphs(page, textpage)
    lines: list[Line] = []
    run: list[tuple[int, int]] = []
    for index in range(min(count, MAX_PAGE_CHARS)):
        code = glyphs.code(index)
        if code in (0x0A, 0x0D) or code in _HYPHENS:
            lines += glyphs.line(run, goes_on=code in _HYPHENS)
            run = []
        else:
            run.append((index, code))
    return lines + glyphs.line(run, goes_on=False), notes


class _Glyphs:
    """The glyphs of one open page: their characters, and where and how large they are drawn."""

    def __init__(self, page: pdfium.PdfPage, textpage: pdfium.PdfTextPage) -> None:
        self._text = textpage.raw
        self._place = _placing(page.get_bbox(), page.get_rotation())
        self._height_pt = page.get_height()
        self._edges = tuple(ctypes.c_double() for _ in range(4))
        self._loose = pdfium_c.FS_RECTF()

    def code(self, index: int) -> int:
        return int(pdfium_c.FPDFText_GetUnicode(self._text, index))

    def line(self, run: Sequence[tuple[int, int]], *, goes_on: bool) -> list[Line]:
        """Make a line of glyphs (index, code), without those that lie outside the visible page."""
        chars: list[str] = []
        rect: Rect | None = None
        drawn: list[int] = []
        for index, code in run:
            char = _character(code)
            if char.isspace() or not char:
                chars.append(char and " ")
                continue
            where = self._rect(index)
            if not (where.x0 > -0.01 and where.x1 < 1.01 and where.y0 > -0.01 and where.y1 < 1.01):
                continue
            chars.append(char)
            drawn.append(index)
            rect = where if rect is None else rect.joined(where)
        if rect is None:
            return []
        sample = drawn[:: max(1, len(drawn) // 5)]
        size = typical([self._size(index) for index in sample])
        bold = sum(map(self._is_bold, sample)) > len(sample) / 2
        text = re.sub(r" {2,}", " ", "".join(chars)).strip()
        return [Line(text, rect, size, bold, goes_on)]

    def _rect(self, index: int) -> Rect:
        left, right, bottom, top = self._edges
        pdfium_c.FPDFText_GetCharBox(self._text, index, left, right, bottom, top)
        return self._place(left.value, bottom.value, right.value, top.value)

    def _size(self, index: int) -> float:
        """Give the height of the type in points: the font's own box, scaled as it is drawn."""
        pdfium_c.FPDFText_GetLooseCharBox(self._text, index, self._loose)
        box = self._loose
        where = self._place(box.left, box.bottom, box.right, box.top)
        return float((where.y1 - where.y0) * self._height_pt)

    def _is_bold(self, index: int) -> bool:
        if pdfium_c.FPDFText_GetFontWeight(self._text, index) >= 600:
            return True
        name, flags = ctypes.create_string_buffer(128), ctypes.c_int()
        pdfium_c.FPDFText_GetFontInfo(self._text, index, name, 128, flags)
        return b"bold" in name.value.lower() or b"black" in name.value.lower()


def _placing(bbox: tuple[float, float, float, float], rotation: int) -> Place:
    """Give the map from PDF coordinates to fractions of the page as shown (cropped, turned)."""
    left, bottom, right, top = bbox
    width, height = max(right - left, 1e-6), max(top - bottom, 1e-6)

    def place(x0: float, y0: float, x1: float, y1: float) -> Rect:
        u0, u1 = sorted(((x0 - left) / width, (x1 - left) / width))
        v0, v1 = sorted(((top - y1) / height, (top - y0) / height))
        if rotation == 90:
            return Rect(1 - v1, u0, 1 - v0, u1)
        if rotation == 180:
            return Rect(1 - u1, 1 - v1, 1 - u0, 1 - v0)
        if rotation == 270:
            return Rect(v0, 1 - u1, v1, 1 - u0)
        return Rect(u0, v0, u1, v1)

    return place


def _character(code: int) -> str:
    """Give a glyph's character; nothing for what no reader sees."""
    if code in _LIGATURES:
        return _LIGATURES[code]
    if 0xF000 <= code < 0xF100:  # a symbol font's private code: a bullet nearly always
        return "•"
    if code == 0 or code == 0xAD or 0xD800 <= code < 0xE000 or code > 0x10FFFF:
        return ""
    return chr(code) if code >= 0x20 or code == 0x09 else ""

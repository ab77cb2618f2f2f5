"""PDF by PDFium, in the process that may crash: pages as lines, ruled rows and pictures.

Only ``docmem/reader.py`` imports this; the rest of the house asks it through ``pdf.py``. Nothing in
a PDF is run: this build of PDFium has no JavaScript, forms are not initialised, links and
attachments are not followed.
"""

from __future__ import annotations

import io
import logging
import mmap
import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium  # type: ignore[import-untyped]
import pypdfium2.raw as pdfium_c  # type: ignore[import-untyped]

from docmem.parse.glyphs import Glyphs
from docmem.parse.layout import Line, typical
from docmem.parse.legible import why_illegible
from docmem.parse.limits import MAX_PAGE_CHARS, MAX_PICTURE_PX
from docmem.parse.ruled import with_ruled_rows
from docmem.parse.styles import Bookmark
from models.errors import DecodeFailed, EmptyMedia, InputError, LockedDocument, UnreadableMedia
from models.values import Picture

_OCR_SIDE_PX = 1_600  # at 1440 lone paragraph numbers are lost
_STAMP_CHARS = 200  # a page with less text than this over a large picture is a stamped scan
_OUTLINE_DEPTH = 4
_MAX_BOOKMARKS = 5_000
_MAX_OBJECTS = 20_000
_POOR_TITLE = re.compile(r"untitled|microsoft (?:word|powerpoint)|^[\d\W_]+$|\.\w{2,4}$", re.I)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sight:
    """What is seen of one page: its lines as drawn, and why and on what picture it needs OCR.

    The lines of a page whose text layer cannot be read are left out once there is a picture.
    """

    lines: tuple[Line, ...] = ()
    ocr_reason: str = ""
    picture: Picture | None = None
    notes: tuple[str, ...] = ()


@contextmanager
def opened(path: Path) -> Iterator[pdfium.PdfDocument]:
    """Open a PDF.

    Raises:
        LockedDocument: it needs a password.
        UnreadableMedia: it is damaged or cut off.
        EmptyMedia: it has no pages.
    """
    _check_whole(path)
    try:
        pdf = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as exc:
        raise _translated(exc, path) from exc
    except OSError as exc:
        raise UnreadableMedia(f"{path.name} cannot be read: {exc.strerror or exc}.") from exc
    with closing(pdf):
        if len(pdf) == 0:
            raise EmptyMedia(f"{path.name} is a PDF without pages.")
        yield pdf


def title_of(pdf: pdfium.PdfDocument) -> str:
    """Give what the file calls itself, else its first page's largest line, else nothing."""
    return _own_title(pdf) or _largest_line(look(pdf, 1, draws=False).lines)


def bookmarks(pdf: pdfium.PdfDocument) -> list[Bookmark]:
    """Give the bookmarks; those of a damaged outline up to the damage."""
    found: list[Bookmark] = []
    try:
        for mark in islice(pdf.get_toc(max_depth=_OUTLINE_DEPTH), _MAX_BOOKMARKS):
            place = mark.get_dest()
            page = place.get_index() if place is not None else None
            found.append(
                Bookmark(mark.get_title(), mark.level + 1, 0 if page is None else page + 1)
            )
    except (pdfium.PdfiumError, UnicodeDecodeError) as exc:
        _log.warning("the outline is damaged: %s", exc)
    return found


def look(pdf: pdfium.PdfDocument, number: int, *, draws: bool) -> Sight:
    """See one page; a page that PDFium cannot load gives a note, not an error."""
    try:
        with closing(pdf[number - 1]) as page, closing(page.get_textpage()) as textpage:
            return _seen(page, Glyphs(page, textpage), draws=draws)
    except pdfium.PdfiumError as exc:
        _log.warning("page %d: %s", number, exc)
        return Sight(notes=(f"Page {number} is damaged and could not be read.",))


def png(pdf: pdfium.PdfDocument, name: str, number: int, width_px: int) -> bytes:
    """Draw one page as a PNG of this width, less for pages so long that it would grow huge.

    Raises:
        InputError: there is no such page.
        DecodeFailed: PDFium could not draw it.
    """
    from PIL import Image

    if not 1 <= number <= len(pdf):
        raise InputError(f"{name} has {len(pdf)} pages; there is no page {number}.")
    try:
        with closing(pdf[number - 1]) as page:
            pixels = _draw(page, width_px / max(page.get_width(), 1e-3))
    except pdfium.PdfiumError as exc:
        raise DecodeFailed(f"Page {number} of {name} cannot be drawn: {exc}") from exc
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    return out.getvalue()


def _seen(page: pdfium.PdfPage, glyphs: Glyphs, *, draws: bool) -> Sight:
    notes: tuple[str, ...] = ()
    if glyphs.count > MAX_PAGE_CHARS:
        notes = (
            f"A page holds {glyphs.count:,} characters; the first {MAX_PAGE_CHARS:,} are read.",
        )
    found = list(glyphs.lines())
    lines = [line for line, _, _ in found]
    illegible = why_illegible(glyphs.text)
    reason = illegible or _why_hidden(page, lines)
    if not reason:
        return Sight(tuple(with_ruled_rows(page, glyphs, found)), notes=notes)
    picture = _draw(page, _OCR_SIDE_PX / max(*page.get_size(), 1e-3)) if draws else None
    return Sight(() if illegible and draws else tuple(lines), reason, picture, notes)


def _why_hidden(page: pdfium.PdfPage, lines: Sequence[Line]) -> str:
    """Tell a page whose words are not in its text layer: a picture, at most with a stamp on it."""
    length = sum(len(line.text) for line in lines)
    if length > _STAMP_CHARS:
        return ""
    if not length:
        return "it has no text layer" if any(True for _ in page.get_objects(max_depth=2)) else ""
    left, bottom, right, top = page.get_bbox()
    area = max((right - left) * (top - bottom), 1e-6)
    kinds = [pdfium_c.FPDF_PAGEOBJ_IMAGE]
    pictures = islice(page.get_objects(filter=kinds, max_depth=3), _MAX_OBJECTS)
    if any(_area(picture.get_bounds()) > area * 0.5 for picture in pictures):
        return "it is a picture with little text on it"
    return ""


def _area(bounds: tuple[float, float, float, float]) -> float:
    left, bottom, right, top = bounds
    return (right - left) * (top - bottom)


def _draw(page: pdfium.PdfPage, scale: float) -> Picture:
    """Draw a page at so many pixels a point, fewer where the picture would grow too large."""
    width, height = page.get_size()
    scale = min(scale, (MAX_PICTURE_PX / max(width * height, 1e-6)) ** 0.5)
    with closing(page.render(scale=scale, rev_byteorder=True)) as bitmap:
        pixels: Picture = np.array(bitmap.to_numpy())
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        pixels = np.repeat(pixels.reshape(*pixels.shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(pixels[:, :, :3])


def _translated(exc: pdfium.PdfiumError, path: Path) -> InputError:
    locked = exc.err_code in (pdfium_c.FPDF_ERR_PASSWORD, pdfium_c.FPDF_ERR_SECURITY)
    # PDFium gives this code for some damaged files too.
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
            f"{path.name} is cut off after {size:,} bytes: its end is missing; get the file again."
        )


def _own_title(pdf: pdfium.PdfDocument) -> str:
    """Give what the file calls itself; nothing where that is a file name or a number."""
    try:
        title = " ".join(str(pdf.get_metadata_value("Title")).split())[:300]
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

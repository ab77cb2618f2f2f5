"""PDF as the rest of the house sees it: pages that a child process reads, joined to texts here.

``pdfium.py`` reads in the child, which may die over a page: then that page is left out with a note,
and a new child goes on behind it.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from docmem.kept import KeptPages
from docmem.pages import DocumentInfo, Page
from docmem.parse.apart import shortened
from docmem.parse.compose import compose
from docmem.parse.layout import Line, Rect, typical, with_labels
from docmem.parse.limits import MAX_DOCUMENT_CHARS, MAX_PAGES, PDF_PROCESS
from docmem.parse.styles import Bookmark, Styles
from models.child import converse_with
from models.errors import DecodeFailed, IngestCancelled, UnreadableMedia
from models.ports import TextReader
from models.values import OnProgress, Picture, Progress, ShouldStop

_MAX_DEATHS = 5

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Sight:
    """What the child tells of one page; of a kept one nothing but its mark."""

    lines: tuple[Line, ...] = ()
    ocr_reason: str = ""
    picture: Picture | None = None
    notes: tuple[str, ...] = ()
    mark: bytes = b""


def open_pdf(path: Path) -> DocumentInfo:
    """Open a PDF and say how long it is and what it calls itself.

    Raises:
        LockedDocument: it needs a password.
        UnreadableMedia: it is damaged, cut off, or takes too much time or memory to open.
        EmptyMedia: it has no pages.
    """
    told: dict[str, Any] = {}
    request = {"do": "open", "path": str(path.absolute())}
    try:
        with closing(converse_with("docmem.reader", request, PDF_PROCESS)) as answers:
            for header, _ in answers:
                told |= header
    except DecodeFailed as exc:
        if "pages" not in told:  # else it died over the first page, which may be left out
            raise UnreadableMedia(f"{path.name} cannot be opened as a PDF: {exc}") from exc
    pages, title = int(told["pages"]), str(told.get("title", ""))
    is_whole = pages <= MAX_PAGES
    notes = () if is_whole else (f"Only the first {MAX_PAGES} of {pages} pages are read.",)
    return DocumentInfo(path, "pdf", title or path.stem, min(pages, MAX_PAGES), notes, is_whole)


def read_pdf_pages(
    info: DocumentInfo,
    *,
    reader: TextReader | None,
    kept: KeptPages | None = None,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> Generator[Page, None, None]:
    """Yield the pages in order; pages whose text layer says nothing are read off their picture.

    Pages that ``kept`` knows by their glyphs are not read again; new ones are put there.

    Raises:
        IngestCancelled: ``should_stop`` said so; pages already given are whole.
    """
    char_start = chars = 0
    kept = kept or KeptPages()
    reading = _Reading(info, draws=reader is not None, kept=[mark.hex() for mark in kept.marks])
    with closing(_sights(reading)) as sights:
        for number in range(1, info.pages + 1):
            if should_stop is not None and should_stop():
                raise IngestCancelled(f"Stopped before page {number} of {info.path.name}.")
            sight, styles = next(sights)
            known = kept.get(sight.mark, number=number, char_start=char_start)
            page = known or _page_of(sight, styles, reader, number=number, char_start=char_start)
            if known is None and sight.mark:
                kept.put(sight.mark, page)
            page = shortened(page, MAX_DOCUMENT_CHARS - chars)
            chars += len(page.text)
            char_start = page.char_end + 1
            yield page
            if on_progress is not None:
                on_progress(Progress("Reading pages", number, info.pages, "pages"))


def pdf_picture(path: Path, page: int, *, width_px: int) -> bytes:
    """Draw one page as a PNG of this width, less for pages so long that it would grow huge.

    Raises:
        InputError: there is no such page.
        DecodeFailed: it could not be drawn.
    """
    request: dict[str, Any] = {"do": "picture", "path": str(path.absolute())}
    request |= {"page": page, "width_px": width_px}
    with closing(converse_with("docmem.reader", request, PDF_PROCESS)) as answers:
        for _, png in answers:
            return png
    raise DecodeFailed(f"Page {page} of {path.name} could not be drawn.")


@dataclass(slots=True)
class _Reading:
    """How far children have come with a document, and which pages they died over."""

    info: DocumentInfo
    draws: bool
    kept: list[str]
    first: int = 1
    styles: Styles = field(default_factory=Styles)
    deadly: dict[int, str] = field(default_factory=dict)

    def until_death(self) -> Generator[tuple[_Sight, Styles], None, None]:
        """Yield pages in order until all are told or the child dies, which is noted."""
        request = {
            "do": "pages", "path": str(self.info.path.absolute()), "first": self.first,
            "last": self.info.pages, "skip": list(self.deadly), "draws": self.draws,
            "kept": self.kept,
        }  # fmt: skip
        looked_at = 0
        try:
            with closing(converse_with("docmem.reader", request, PDF_PROCESS)) as answers:
                for header, payload in answers:
                    if header["kind"] == "look":
                        looked_at = header["page"]
                    elif header["kind"] == "styles":
                        self.styles = _styles(header["styles"])
                    else:
                        yield from self._passed_over(header["page"])
                        self.first += 1
                        yield _sight(header, payload), self.styles
            yield from self._passed_over(self.info.pages + 1)
        except DecodeFailed as exc:
            if not looked_at or len(self.deadly) >= _MAX_DEATHS:
                raise
            _log.warning("page %d of %s: %s", looked_at, self.info.path.name, exc)
            self.deadly[looked_at] = f"Page {looked_at} could not be read: {exc}"

    def _passed_over(self, until: int) -> Iterator[tuple[_Sight, Styles]]:
        while self.first < until:
            note = self.deadly[self.first]
            self.first += 1
            yield _Sight(notes=(note,)), self.styles


def _sights(reading: _Reading) -> Generator[tuple[_Sight, Styles], None, None]:
    while reading.first <= reading.info.pages:
        yield from reading.until_death()


def _sight(header: dict[str, Any], payload: bytes) -> _Sight:
    mark = bytes.fromhex(header["mark"])
    if header["kind"] == "kept":
        return _Sight(mark=mark)
    lines = tuple(Line(text, Rect(*told[:4]), *told[4:]) for text, *told in header["lines"])
    picture = None
    if header["shape"] is not None:
        picture = np.frombuffer(payload, np.uint8).reshape(header["shape"])
    return _Sight(lines, header["ocr_reason"], picture, tuple(header["notes"]), mark)


def _styles(told: dict[str, Any]) -> Styles:
    outline = tuple(Bookmark(**mark) for mark in told["outline"])
    return Styles(**told | {"running": frozenset(told["running"]), "outline": outline})


def _page_of(
    sight: _Sight, styles: Styles, reader: TextReader | None, *, number: int, char_start: int
) -> Page:
    lines, notes, by_ocr = list(sight.lines), list(sight.notes), False
    if sight.ocr_reason and (reader is None or sight.picture is None):
        notes.append(
            f"Page {number} was not read: {sight.ocr_reason}, and there is no text reader."
        )
    elif sight.picture is not None and reader is not None:
        read = _read_off(sight.picture, reader, lines)
        by_ocr = bool(read)
        size = typical([line.size for line in read])
        styles = replace(styles, body_size=size, body_is_bold=False, is_read=True)
        lines = sorted(lines + read, key=lambda line: line.rect.y0) if lines else read
    text, composed = compose(lines, styles, page=number, char_start=char_start)
    reason = sight.ocr_reason if by_ocr else ""
    return Page(number, text, char_start, composed, by_ocr, tuple(notes), reason)


def _read_off(picture: Picture, reader: TextReader, known: Sequence[Line]) -> list[Line]:
    """Read a page's picture; what its text layer says is surer than what is read there."""
    read = [
        Line(found.text, Rect(box.x0, box.y0, box.x1, box.y1), (box.y1 - box.y0) * picture.shape[0])
        for found in reader.read(picture)
        for box in [found.box]
    ]
    new = [a for a in read if not any(a.rect.overlap(b.rect) > 0.5 for b in known)]
    return with_labels(new)

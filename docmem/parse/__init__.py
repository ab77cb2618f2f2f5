"""Opens a document by what is in it and yields its pages; one file a format does the reading."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from types import ModuleType

from docmem.kept import KeptPages
from docmem.pages import DocumentInfo, Format, Page, PageLine
from docmem.parse.kind import sniff
from models.errors import IngestCancelled, UnsupportedMedia
from models.ports import TextReader
from models.values import OnProgress, Progress, ShouldStop

__all__ = ["DocumentInfo", "Page", "PageLine", "open_document", "page_picture", "read_pages"]


def open_document(path: Path | str) -> DocumentInfo:
    """Open a document, told by its content and not by its name.

    Raises:
        UnsupportedMedia: a folder, or no document that memqa reads.
        UnreadableMedia: missing, damaged or cut off.
        LockedDocument: encrypted.
        EmptyMedia: nothing in it to read.
    """
    path = Path(path)
    form = sniff(path)
    opened: DocumentInfo = getattr(_room(form), f"open_{form}")(path)
    return opened


def read_pages(
    info: DocumentInfo,
    *,
    reader: TextReader | None,
    first_page: int = 1,
    kept: KeptPages | None = None,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> Generator[Page, None, None]:
    """Yield the pages from ``first_page`` on, with ``reader`` for those without a text layer.

    Character offsets count from the first page of the document, so the pages before ``first_page``
    are read over again, if not handed out. Pages that ``kept`` knows are taken from there, where
    reading takes long (PDF).

    Raises:
        IngestCancelled: ``should_stop`` said so; the pages already given are whole.
    """
    if info.format == "pdf":
        from docmem.parse.pdf import read_pdf_pages

        pages = read_pdf_pages(
            info, reader=reader, kept=kept, on_progress=on_progress, should_stop=should_stop
        )
    else:
        pages = _watched(info, on_progress=on_progress, should_stop=should_stop)
    with closing(pages):  # whoever stops early ends the process that reads
        yield from (page for page in pages if page.number >= first_page)


def page_picture(path: Path | str, page: int, *, width_px: int = 1200) -> bytes:
    """Draw a page of a PDF as a PNG; pages are 1-based.

    Raises:
        UnsupportedMedia: the document is no PDF and has no page pictures.
        InputError: there is no such page.
    """
    path = Path(path)
    if sniff(path) != "pdf":
        raise UnsupportedMedia(f"{path.name} is no PDF; only PDF pages can be drawn.")
    from docmem.parse.pdf import pdf_picture

    return pdf_picture(path, page, width_px=width_px)


def _room(form: Format) -> ModuleType:
    """Give the module that reads a format; it is loaded on first use, with its library."""
    return import_module(f"docmem.parse.{form}")


def _watched(
    info: DocumentInfo, *, on_progress: OnProgress | None, should_stop: ShouldStop | None
) -> Generator[Page, None, None]:
    pages: Iterator[Page] = getattr(_room(info.format), f"read_{info.format}_pages")(info)
    for page in pages:
        if should_stop is not None and should_stop():
            raise IngestCancelled(f"Stopped before page {page.number} of {info.path.name}.")
        yield page
        if on_progress is not None:
            on_progress(Progress("Reading pages", page.number, info.pages, "pages"))

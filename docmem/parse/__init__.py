"""Opens a document by what is in it and yields its pages; one file a format does the reading.

What reads is always a process of its own, with limits (``limits.py``), whatever the format.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path

from docmem.kept import KeptPages
from docmem.pages import DocumentInfo, Page, PageLine
from docmem.parse.apart import open_apart, read_apart
from docmem.parse.kind import sniff
from models.errors import IngestCancelled, UnsupportedMedia
from models.ports import TextReader
from models.values import OnProgress, Progress, ShouldStop

__all__ = ["DocumentInfo", "Page", "PageLine", "open_document", "page_picture", "read_pages"]


def open_document(path: Path | str) -> DocumentInfo:
    """Open a document, told by its content and not by its name.

    Raises:
        UnsupportedMedia: a folder, or no document that memqa reads.
        UnreadableMedia: missing, damaged, cut off, or it takes too much time or memory to read.
        LockedDocument: encrypted.
        EmptyMedia: nothing in it to read.
    """
    path = Path(path)
    form = sniff(path)
    if form != "pdf":
        return open_apart(path, form)
    from docmem.parse.pdf import open_pdf

    return open_pdf(path)


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
        DecodeFailed: what reads it died too often, hung or grew.
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


def _watched(
    info: DocumentInfo, *, on_progress: OnProgress | None, should_stop: ShouldStop | None
) -> Generator[Page, None, None]:
    with closing(read_apart(info)) as pages:
        for page in pages:
            if should_stop is not None and should_stop():
                raise IngestCancelled(f"Stopped before page {page.number} of {info.path.name}.")
            yield page
            if on_progress is not None:
                on_progress(Progress("Reading pages", page.number, info.pages, "pages"))

"""Opens a document by what is in it and yields its pages; one file a format does the reading."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import dropwhile
from pathlib import Path

from docmem.kept import KeptPages
from docmem.pages import DocumentInfo, Page, PageLine
from docmem.parse.docx import open_docx, read_docx_pages
from docmem.parse.epub import open_epub, read_epub_pages
from docmem.parse.html import open_html, read_html_pages
from docmem.parse.kind import sniff
from docmem.parse.markdown import open_markdown, read_markdown_pages
from docmem.parse.pptx import open_pptx, read_pptx_pages
from docmem.parse.subtitles import open_subtitles, read_subtitles_pages
from docmem.parse.text import open_text, read_text_pages
from models.errors import IngestCancelled, UnsupportedMedia
from models.ports import TextReader
from models.values import OnProgress, Progress, ShouldStop

__all__ = ["DocumentInfo", "Page", "PageLine", "open_document", "page_picture", "read_pages"]

_OPENERS = {
    "docx": open_docx,
    "pptx": open_pptx,
    "epub": open_epub,
    "subtitles": open_subtitles,
    "text": open_text,
    "markdown": open_markdown,
    "html": open_html,
}
_READERS = {
    "docx": read_docx_pages,
    "pptx": read_pptx_pages,
    "epub": read_epub_pages,
    "subtitles": read_subtitles_pages,
    "text": read_text_pages,
    "markdown": read_markdown_pages,
    "html": read_html_pages,
}


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
    if form == "pdf":
        from docmem.parse.pdf import open_pdf

        return open_pdf(path)
    return _OPENERS[form](path)


def read_pages(
    info: DocumentInfo,
    *,
    reader: TextReader | None,
    first_page: int = 1,
    kept: KeptPages | None = None,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> Iterator[Page]:
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
    return dropwhile(lambda page: page.number < first_page, pages)


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
) -> Iterator[Page]:
    for page in _READERS[info.format](info):
        if should_stop is not None and should_stop():
            raise IngestCancelled(f"Stopped before page {page.number} of {info.path.name}.")
        yield page
        if on_progress is not None:
            on_progress(Progress("Reading pages", page.number, info.pages, "pages"))

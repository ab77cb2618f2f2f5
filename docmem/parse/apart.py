"""Documents that are no PDF, read apart: by a child process that may hang or grow over a file.

Knows how pages travel from there; ``docmem/reader.py`` is the child, and one file a format reads in
it. Pages and documents that are longer than any are cut short here, with a note.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

from docmem.pages import DocumentInfo, Format, Page, PageLine
from docmem.parse.limits import (
    DOCUMENT_PROCESS,
    MAX_DOCUMENT_CHARS,
    MAX_PAGE_CHARS,
    MAX_TITLE_CHARS,
)
from models.child import converse_with
from models.errors import DecodeFailed, UnreadableMedia
from models.serving import Answer

WORDS: dict[Format, str] = {
    "docx": "a Word document",
    "pptx": "a presentation",
    "epub": "a book",
    "subtitles": "subtitles",
    "text": "text",
    "markdown": "Markdown",
    "html": "HTML",
}


def open_apart(path: Path, form: Format) -> DocumentInfo:
    """Open a document of a format that was told from its content.

    Raises:
        UnreadableMedia: damaged, or it takes too much time or memory to read.
        LockedDocument: encrypted.
        EmptyMedia: nothing in it to read.
    """
    request = {"do": "document", "path": str(path.absolute()), "format": form}
    told: dict[str, Any] = {}
    try:
        with closing(converse_with("docmem.reader", request, DOCUMENT_PROCESS)) as answers:
            for header, _ in answers:
                told = header
    except DecodeFailed as exc:
        raise UnreadableMedia(f"{path.name} cannot be read as {WORDS[form]}: {exc}") from exc
    notes = tuple(told["notes"])
    return DocumentInfo(path, form, told["title"], told["pages"], notes, told["is_whole"])


def read_apart(info: DocumentInfo) -> Generator[Page, None, None]:
    """Yield the pages of an opened document.

    Raises:
        DecodeFailed: it takes too much time or memory to read.
    """
    request = {"do": "read", "path": str(info.path.absolute()), "format": info.format}
    char_start = 0
    with closing(converse_with("docmem.reader", request, DOCUMENT_PROCESS)) as answers:
        for header, payload in answers:
            page = _page(header["page"], payload, char_start)
            char_start = page.char_end + 1
            yield page


# --- in the child ------------------------------------------------------------------------------


def open_here(request: dict[str, Any]) -> Iterator[Answer]:
    """Open a document in this process, and tell what is known of it."""
    form, path = request["format"], Path(request["path"])
    info: DocumentInfo = getattr(_room(form), f"open_{form}")(path)
    title = " ".join(info.title.split())[:MAX_TITLE_CHARS]
    told = {"title": title, "pages": info.pages, "notes": info.notes, "is_whole": info.is_whole}
    yield {"kind": "info"} | told, b""


def read_here(request: dict[str, Any]) -> Iterator[Answer]:
    """Read a document in this process, page by page."""
    form = request["format"]
    info = DocumentInfo(Path(request["path"]), form, "", 0)
    chars = 0
    for page in getattr(_room(form), f"read_{form}_pages")(info):
        page = shortened(page, MAX_DOCUMENT_CHARS - chars)
        chars += len(page.text)
        yield {"kind": "page", "page": page.number}, _told(page)


def shortened(page: Page, left: int) -> Page:
    """Cut a page that is longer than any page, or than what is left of its document's length."""
    most = max(0, min(MAX_PAGE_CHARS, left))
    if len(page.text) <= most:
        return page
    why = (
        f"only its first {most:,} characters are read"
        if most
        else f"it was left out, since the document has more than {MAX_DOCUMENT_CHARS:,} characters"
    )
    end = page.char_start + most
    lines = tuple(
        PageLine(
            one.char_start, min(end, one.char_end), one.box, one.heading_level, one.is_running,
            one.role,
        )
        for one in page.lines
        if one.char_start < end
    )  # fmt: skip
    notes = (*page.notes, f"Page {page.number} is too long: {why}.")
    return Page(
        page.number, page.text[:most], page.char_start, lines, page.by_ocr, notes, page.ocr_reason
    )


def _room(form: Format) -> Any:
    """Give the module that reads a format; it is loaded on first use, with its library."""
    return import_module(f"docmem.parse.{form}")


def _told(page: Page) -> bytes:
    lines = [
        (one.char_start - page.char_start, one.char_end - page.char_start, one.heading_level)
        for one in page.lines
    ]
    return json.dumps([page.text, page.notes, lines]).encode()


def _page(number: int, payload: bytes, char_start: int) -> Page:
    text, notes, told = json.loads(payload)
    lines = tuple(
        PageLine(char_start + start, char_start + end, None, level) for start, end, level in told
    )
    return Page(number, text, char_start, lines, notes=tuple(notes))

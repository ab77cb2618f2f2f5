"""What no document may do to its reader: hang it, swell in it, or reach out from it."""

from __future__ import annotations

import os
import time
from itertools import pairwise
from pathlib import Path

import pytest

from docmem.pages import Page, PageLine
from docmem.parse import apart, open_document, read_pages
from docmem.parse.apart import shortened
from docmem.parse.kind import sniff
from docmem.parse.limits import MAX_DOCUMENT_CHARS, MAX_PAGE_CHARS
from models.child import Limits
from models.errors import (
    DecodeFailed,
    InputError,
    LockedDocument,
    UnreadableMedia,
    UnsupportedMedia,
)
from tests.archives import bomb, book_entries, chapter, write_zip

SOON_S = 20


def written(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "<!---->" * 9_000 + "\nwords",
        "<?xml ?>" + "<!-- -->\n" * 9_000,
        "# one\n" + "[" * 60_000,
        "# one\n" + "[a](" * 15_000,
        "# one\n" + "|" * 60_000 + "x",
    ],
    ids=["comments", "comments after xml", "brackets", "links", "bars"],
)
def test_no_text_takes_long_to_be_told(tmp_path: Path, text: str) -> None:
    path = written(tmp_path / "a.txt", text)
    started = time.monotonic()
    assert sniff(path) in ("text", "markdown", "html")
    assert time.monotonic() - started < SOON_S / 4


@pytest.mark.parametrize(
    "charset", ["zlib", "bz2", "hex", "rot13", "idna", "punycode", "unicode_escape", "undefined"]
)
def test_a_charset_that_is_none_is_not_believed(tmp_path: Path, charset: str) -> None:
    path = written(tmp_path / "a.html", f"<html charset={charset}><p>café</p>".encode("cp1252"))
    info = open_document(path)
    assert info.notes == ("The text is not UTF-8; it was read as Windows-1252.",)


def test_half_characters_never_come_out_of_a_charset(tmp_path: Path) -> None:
    path = written(tmp_path / "a.html", b"<html charset=utf-7><p>\xe9 +2AA- words</p></html>")
    (page,) = read_pages(open_document(path), reader=None)
    assert page.text.encode()


def test_a_document_that_hangs_its_reader_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.html", "<p>one</p>" * 5 + "<b>x</b>" * 2_000_000)
    monkeypatch.setattr(apart, "DOCUMENT_PROCESS", Limits(silence_s=1.0, segment_s=1.0))
    with pytest.raises(UnreadableMedia, match=r"a\.html cannot be read as HTML: The decoder gave"):
        open_document(path)


def test_a_document_that_swells_in_its_reader_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.txt", "some words\n" * 4_000_000)
    tight = Limits(resident_bytes=150 * 2**20, address_space_bytes=600 * 2**20)
    monkeypatch.setattr(apart, "DOCUMENT_PROCESS", tight)
    with pytest.raises(UnreadableMedia, match="cannot be read as text: The decoder"):
        open_document(path)


def test_a_reader_that_dies_later_ends_the_document_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = open_document(written(tmp_path / "a.txt", "some words\n" * 4_000_000))
    tight = Limits(resident_bytes=150 * 2**20, address_space_bytes=600 * 2**20)
    monkeypatch.setattr(apart, "DOCUMENT_PROCESS", tight)
    with pytest.raises(DecodeFailed, match=r"on a\.txt"):
        list(read_pages(info, reader=None))


def test_a_line_without_an_end_is_read_up_to_the_longest_page(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", "Some words.\n" + "x" * 300_000 + " and more words")
    pages = list(read_pages(open_document(path), reader=None))
    assert max(len(page.text) for page in pages) == MAX_PAGE_CHARS
    assert any("is too long: only its first 100,000" in n for page in pages for n in page.notes)
    assert pages[-1].text.endswith("more words")
    assert all(one.char_end + 1 == after.char_start for one, after in pairwise(pages))


def test_pages_after_the_longest_document_are_left_empty() -> None:
    page = Page(7, "some words", 50, (PageLine(50, 60),))
    assert shortened(page, MAX_DOCUMENT_CHARS) is page
    cut = shortened(page, 4)
    assert (cut.text, cut.lines) == ("some", (PageLine(50, 54),))
    empty = shortened(page, 0)
    assert (empty.text, empty.lines) == ("", ())
    assert empty.notes == (
        "Page 7 is too long: it was left out, since the document has more than 60,000,000 "
        "characters.",
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"OEBPS/book.opf": "<a>" * 300 + "</a>" * 300}, "nested more than 256 times"),
        ({"OEBPS/c.xhtml": bomb(2)}, "more than 500 times its size"),
        ({"OEBPS/c.xhtml": bomb(61)}, "unpacks to more than 60 MB"),
    ],
)
def test_books_that_swell_are_refused(
    tmp_path: Path, changes: dict[str, str | bytes], words: str
) -> None:
    entries = book_entries({"c.xhtml": chapter("<p>The harbour was quiet.</p>")})
    path = write_zip(tmp_path / "a.epub", {**entries, **changes})
    with pytest.raises(UnreadableMedia, match=words):
        open_document(path)


def test_nothing_waits_for_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.pdf")
    with pytest.raises(UnsupportedMedia, match="a pipe or a device"):
        open_document(tmp_path / "a.pdf")


@pytest.mark.parametrize("before", [500, 2**23 - 14, 9_000_000])
def test_a_locked_old_document_is_told_wherever_it_says_so(tmp_path: Path, before: int) -> None:
    data = b"\xd0\xcf\x11\xe0" + bytes(before) + "EncryptedPackage".encode("utf-16-le")
    with pytest.raises(LockedDocument, match="locked with a password"):
        open_document(written(tmp_path / "a.doc", data))


def test_titles_are_no_longer_than_titles(tmp_path: Path) -> None:
    page = f"<html><title>{'long ' * 9_000}</title><p>Some words.</p></html>"
    assert len(open_document(written(tmp_path / "a.html", page)).title) <= 300


def test_every_refusal_is_ours(tmp_path: Path) -> None:
    for at, data in enumerate((b"", b"\0" * 50, b"PK\x03\x04", b"%PDF-1.4", b"\xd0\xcf\x11\xe0")):
        with pytest.raises(InputError):
            open_document(written(tmp_path / f"{at}.docx", data))

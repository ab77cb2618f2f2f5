from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import docmem.parse.pdf as pdf
from docmem.kept import KeptPages
from docmem.pages import Page, PageLine
from docmem.parse import open_document, read_pages
from docmem.parse.marks import manner
from docmem.parse.styles import Bookmark, Styles
from tests.documents import Sheet, lines, write_pdf


def sheet(number: int, word: str = "plain", *, size: float = 11) -> Sheet:
    said = [f"Sheet {number} says on line {line} something {word}." for line in range(20)]
    return Sheet(lines(*said, size=size))


def read(path: Path, kept: KeptPages | None = None) -> list[Page]:
    return list(read_pages(open_document(path), reader=None, kept=kept))


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note the pages whose glyphs are read; those of the sample are read without fail."""
    found: list[int] = []
    original = pdf._page_of

    def page_of(*args: object, number: int, char_start: int) -> Page:
        found.append(number)
        return original(*args, number=number, char_start=char_start)  # type: ignore[arg-type]

    monkeypatch.setattr(pdf, "_page_of", page_of)
    return found


def test_kept_pages_are_not_read_again_wherever_they_stand_now(
    tmp_path: Path, looked: list[int]
) -> None:
    sheets = [sheet(n) for n in range(6)]
    kept = KeptPages()
    read(write_pdf(tmp_path / "a.pdf", sheets), kept)
    edited = write_pdf(tmp_path / "b.pdf", [sheet(9), *sheets[:3], *sheets[4:]])
    looked.clear()
    again = KeptPages(kept.dump())
    pages = read(edited, again)
    assert looked == [1]
    assert pages == read(edited)
    assert len(again.dump()) == pytest.approx(len(kept.dump()), rel=0.1)


@pytest.mark.parametrize("changed", [sheet(3, "plane"), sheet(3, size=12)])
def test_a_page_that_says_or_looks_otherwise_is_read(
    tmp_path: Path, looked: list[int], changed: Sheet
) -> None:
    sheets = [sheet(n) for n in range(6)]
    kept = KeptPages()
    read(write_pdf(tmp_path / "a.pdf", sheets), kept)
    looked.clear()
    sheets[3] = changed
    read(write_pdf(tmp_path / "b.pdf", sheets), KeptPages(kept.dump()))
    assert looked == [4]


def test_the_manner_of_reading_changes_with_what_decides_how_lines_are_taken() -> None:
    plain = Styles(body_size=11)
    assert manner(plain) == manner(Styles(body_size=11))
    assert manner(plain) != manner(Styles(body_size=12))
    assert manner(plain) != manner(Styles(body_size=11, running=frozenset({"Report"})))
    named = Styles(body_size=11, outline=(Bookmark("One", 1, 3),))
    assert manner(plain) != manner(named)
    assert manner(named) == manner(Styles(body_size=11, outline=(Bookmark("One", 1, 4),)))


def test_a_page_is_kept_whole_without_where_it_stood() -> None:
    page = Page(
        3, "Ähre\nzwei", 100, (PageLine(100, 104, None, 2), PageLine(105, 109)), True, ("n",)
    )
    kept = KeptPages()
    kept.put(b"m" * 32, page)
    assert kept.get(b"m" * 32, number=3, char_start=100) == page
    moved = kept.get(b"m" * 32, number=5, char_start=7)
    assert moved == replace(
        page, number=5, char_start=7, lines=(PageLine(7, 11, None, 2), PageLine(12, 16))
    )
    assert kept.get(b"x" * 32, number=1, char_start=0) is None
    with pytest.raises(ValueError, match="32 bytes"):
        kept.put(b"short", page)

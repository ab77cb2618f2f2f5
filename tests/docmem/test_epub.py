from __future__ import annotations

from pathlib import Path

import pytest

from docmem.pages import Page
from docmem.parse import open_document, read_pages
from docmem.parse.limits import MAX_ENTRIES
from docmem.passages import cut
from models.errors import EmptyMedia, LockedDocument, UnreadableMedia, UnsupportedMedia
from tests.archives import (
    bomb,
    book_entries,
    chapter,
    encrypt_flag,
    tamper,
    write_book,
    write_zip,
)


def pages_of(path: Path) -> list[Page]:
    return list(read_pages(open_document(path), reader=None))


def heads(page: Page) -> list[tuple[int, str]]:
    return [(line.heading_level, page.line_text(line)) for line in page.lines if line.heading_level]


def test_a_book_gives_a_page_for_each_chapter_in_the_order_of_the_spine(tmp_path: Path) -> None:
    one = chapter("<h1>The Gate</h1><p>It was shut.</p><h2>Rust</h2><p>It creaked.</p>")
    two = chapter("<h1>The Garden</h1><p>It was green.</p>")
    cover = chapter('<img src="cover.jpg"/>')
    entries = book_entries(
        {"b%20two.xhtml": two, "a.xhtml": one, "cover.xhtml": cover},
        spine=["cover.xhtml", "a.xhtml", "b%20two.xhtml"],
        title="Gates & Gardens",
    )
    entries["OEBPS/b two.xhtml"] = entries.pop("OEBPS/b%20two.xhtml")
    path = write_zip(tmp_path / "any.bin", entries)
    info = open_document(path)
    first, second = read_pages(info, reader=None)
    assert (info.format, info.title, info.pages) == ("epub", "Gates & Gardens", 2)
    assert info.is_whole
    assert (first.number, second.number) == (1, 2)
    assert heads(first) == [(1, "The Gate"), (2, "Rust")]
    assert second.text == "The Garden\n\nIt was green."
    assert second.char_start == first.char_end + 1
    assert [passage.heading for passage in cut([first, second])] == ["The Gate", "The Garden"]


def test_every_line_is_where_it_says(tmp_path: Path) -> None:
    bodies = {
        f"{n}.xhtml": chapter(f"<h1>第{n}章</h1><p>春は<br/>あけぼの。</p>") for n in range(9)
    }
    pages = pages_of(write_book(tmp_path / "a.epub", bodies))
    whole = "\n".join(page.text for page in pages)
    assert "第3章" in whole
    for page in pages:
        assert whole[page.char_start : page.char_end] == page.text
        for line in page.lines:
            assert whole[line.char_start : line.char_end] == page.line_text(line)


def test_a_table_in_a_chapter_is_rows_under_its_head(tmp_path: Path) -> None:
    rows = "".join(f"<tr><td>item {n}</td><td>{n} pounds and more</td></tr>" for n in range(200))
    table = f"<table><tr><th>Thing</th><th>Weight</th></tr>{rows}</table>"
    pages = pages_of(write_book(tmp_path / "a.epub", {"a.xhtml": chapter(table)}))
    found = list(cut(pages))
    assert len(pages) == 1
    assert len(found) > 3
    assert all(passage.text.startswith("Thing | Weight\n") for passage in found)


def test_a_book_of_one_single_file_has_several_pages(tmp_path: Path) -> None:
    body = "".join(f"<p>Paragraph {n} says little. {'So it goes. ' * 30}</p>" for n in range(500))
    pages = pages_of(write_book(tmp_path / "a.epub", {"a.xhtml": chapter(body)}))
    assert len(pages) > 2
    assert all(len(page.text) < 61_000 for page in pages)
    assert sum(page.text.count("Paragraph") for page in pages) == 500


def test_scripts_and_addresses_outside_the_book_are_left_alone(tmp_path: Path) -> None:
    good = chapter(
        '<script>document.write("RUN")</script><iframe src="http://x.test/a">F</iframe>'
        '<p>Good words.</p><img src="http://x.test/spy.png"/>'
    )
    entries = book_entries({"a.xhtml": good, "http://x.test/b": "", "../../../etc/passwd": ""})
    path = write_zip(tmp_path / "a.epub", {k: v for k, v in entries.items() if v})
    info = open_document(path)
    (page,) = read_pages(info, reader=None)
    assert page.text == "Good words."
    assert not info.is_whole
    assert info.notes == ("2 parts are missing in the book or could not be read.",)


def test_a_book_without_words_is_empty(tmp_path: Path) -> None:
    for chapters in ({}, {"a.xhtml": chapter("<p> </p>")}, {"a.xhtml": chapter("<p>***</p>")}):
        with pytest.raises(EmptyMedia, match=r"^a\.epub holds no words\.$"):
            open_document(write_book(tmp_path / "a.epub", chapters))


def test_a_book_that_is_locked_says_so(tmp_path: Path) -> None:
    entries = book_entries({"a.xhtml": chapter("<p>Words.</p>")})
    mark = '<e><CipherReference URI="{}"/></e>'
    entries["META-INF/encryption.xml"] = mark.format("OEBPS/font.otf")
    assert open_document(write_zip(tmp_path / "a.epub", entries)).pages == 1
    entries["META-INF/encryption.xml"] = mark.format("OEBPS/a.xhtml")
    with pytest.raises(LockedDocument, match="protected"):
        open_document(write_zip(tmp_path / "b.epub", entries))
    sealed = encrypt_flag(write_book(tmp_path / "c.epub", {"a.xhtml": chapter("<p>x</p>")}))
    with pytest.raises(LockedDocument, match="password"):
        open_document(sealed)


def test_hostile_books_are_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.epub"
    good = {"a.xhtml": chapter("<p>Words.</p>")}
    laughs = (
        '<!DOCTYPE p [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
        "<package><metadata><title>&b;</title></metadata></package>"
    )
    outside = '<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]><package><title>&x;</title></package>'
    for changes, words in (
        ({"OEBPS/book.opf": laughs}, "defines entities"),
        ({"OEBPS/book.opf": outside}, "defines entities"),
        ({"OEBPS/book.opf": "<package><manifest>"}, "damaged"),
        ({"OEBPS/book.opf": None}, "damaged"),
        ({"META-INF/container.xml": "<container/>"}, "does not say what is in it"),
        ({"OEBPS/a.xhtml": bomb(61)}, "unpacks to more than 60 MB"),
        ({f"x/{n}": "" for n in range(MAX_ENTRIES)}, "more than 10,000 files"),
    ):
        with pytest.raises(UnreadableMedia, match=words) as caught:
            open_document(tamper(write_book(path, good), changes))
        assert str(caught.value).startswith("a.epub ")
        assert "\n" not in str(caught.value)


def test_a_book_cut_off_anywhere_is_refused_or_read(tmp_path: Path) -> None:
    whole = write_book(tmp_path / "a.epub", {"a.xhtml": chapter("<p>Words.</p>")}).read_bytes()
    for end in range(4, len(whole), 97):
        part = tmp_path / "part.epub"
        part.write_bytes(whole[:end])
        with pytest.raises(UnreadableMedia, match="damaged"):
            open_document(part)


def test_a_chapter_that_is_binary_is_noted(tmp_path: Path) -> None:
    chapters = {"a.xhtml": chapter("<p>Words.</p>"), "b.xhtml": bytes(range(256)) * 20}
    info = open_document(write_book(tmp_path / "a.epub", chapters))
    assert (info.pages, info.is_whole) == (1, False)
    assert info.notes == ("1 part is missing in the book or could not be read.",)


def test_other_archives_are_no_documents(tmp_path: Path) -> None:
    plain = write_zip(tmp_path / "a.zip", {"readme.txt": "hello"})
    with pytest.raises(UnsupportedMedia, match="a ZIP archive"):
        open_document(plain)
    odt = {"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": "<a/>"}
    with pytest.raises(UnsupportedMedia, match=r"save it as \.docx"):
        open_document(write_zip(tmp_path / "a.odt", odt))


@pytest.mark.parametrize("version", [2, 3])
def test_a_chapter_without_heading_has_the_title_of_the_table_of_contents(
    tmp_path: Path, version: int
) -> None:
    bodies = {
        "a.xhtml": chapter("<p>It was shut.</p>"),
        "b.xhtml": chapter("<p>The garden</p><p>It was green.</p>"),
        "c.xhtml": chapter("<h2>Own head</h2><p>It was blue.</p>"),
    }
    titles = {"a.xhtml": "The Gate", "b.xhtml": "The Garden", "c.xhtml": "Not this"}
    entries = book_entries(bodies)
    if version == 3:
        item = '<item id="toc" href="toc.xml" media-type="text/xml" properties="nav"/>'
        points = "".join(f'<li><a href="{n}#top">{t}</a></li>' for n, t in titles.items())
        contents = f'<html xmlns="http://www.w3.org/1999/xhtml"><nav><ol>{points}</ol></nav></html>'
    else:
        item = '<item id="toc" href="toc.xml" media-type="application/x-dtbncx+xml"/>'
        points = "".join(
            f"<navPoint><navLabel><text>{t}</text></navLabel><content src='{n}'/></navPoint>"
            for n, t in titles.items()
        )
        contents = f"<ncx><navMap>{points}</navMap></ncx>"
    (package,) = [name for name in entries if name.endswith(".opf")]
    told = entries[package]
    told = told.decode() if isinstance(told, bytes) else told
    entries[package] = told.replace("</manifest>", f"{item}</manifest>").encode()
    entries["OEBPS/toc.xml"] = contents.encode()
    pages = pages_of(write_zip(tmp_path / "a.epub", entries))
    assert [heads(page) for page in pages] == [
        [(1, "The Gate")],
        [(1, "The garden")],
        [(2, "Own head")],
    ]
    assert pages[0].text == "The Gate\n\nIt was shut."

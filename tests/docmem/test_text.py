from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docmem.pages import Page
from docmem.parse import markdown, open_document, read_pages, text
from docmem.parse.text import page_spans, paginate
from models.errors import EmptyMedia, UnreadableMedia, UnsupportedMedia
from tests.documents import scan

PARAGRAPH = "The harbour was quiet that morning, and nobody had yet opened the gate. " * 6


def put(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def pages_of(path: Path) -> list[Page]:
    return list(read_pages(open_document(path), reader=None))


def heads(page: Page) -> list[tuple[int, str]]:
    return [(line.heading_level, page.line_text(line)) for line in page.lines if line.heading_level]


@settings(deadline=None, max_examples=60)
@given(st.text(st.sampled_from("ab .\n\f"), max_size=9_000))
def test_every_character_is_on_one_page_or_parts_two(source: str) -> None:
    spans = page_spans(source)
    assert spans[0][0] == 0
    for (_, end), (start, _) in pairwise(spans):
        assert start == end + 1
        assert source[end].isspace()
    assert spans[-1][1] in (len(source), len(source) - 1)
    for page in paginate(source, levels=lambda lines: [0] * len(lines)):
        assert page.text == source[page.char_start : page.char_end]
        for line in page.lines:
            assert page.line_text(line) == source[line.char_start : line.char_end]
            assert "\n" not in page.line_text(line)


def test_virtual_pages_end_at_paragraphs_and_offsets_are_those_of_the_file(tmp_path: Path) -> None:
    source = "\r\n\r\n".join(f"{n}. {PARAGRAPH.strip()}" for n in range(30))
    path = put(tmp_path / "a.txt", source)
    info = open_document(path)
    pages = list(read_pages(info, reader=None))
    assert info.pages == len(pages) == 5
    decoded = source.replace("\r\n", "\n")
    for page in pages:
        assert page.text == decoded[page.char_start : page.char_end]
        assert page.text.rstrip().endswith("gate.")
        assert len(page.text) < 3_700
    assert all(len(page.text) > 2_000 for page in pages[:-1])


def test_a_form_feed_ends_a_page(tmp_path: Path) -> None:
    pages = pages_of(put(tmp_path / "a.txt", "First page.\fSecond page."))
    assert [page.text for page in pages] == ["First page.", "Second page."]


def test_headings_of_plain_text_stand_alone_in_capitals_or_by_name() -> None:
    source = (
        "THE LONG WINTER\n\nChapter 2\n\nIt snowed.\nSNOW fell.\n\nIII\n\nDONE.\n\nA quiet line\n"
    )
    lines = source.split("\n")
    levels = {line: level for line, level in zip(lines, text.heading_levels(lines), strict=True)}
    assert levels["THE LONG WINTER"] == 2
    assert levels["Chapter 2"] == levels["III"] == 1
    assert levels["SNOW fell."] == levels["DONE."] == levels["A quiet line"] == 0


def test_markdown_is_told_by_its_content_and_kept_as_it_stands(tmp_path: Path) -> None:
    source = "# Guide\n\nIntro *here*.\n\n## Setup\n\n```\n# no heading\n```\n\nTail\n----\n\n- a\n"
    path = put(tmp_path / "notes.txt", source)
    info = open_document(path)
    (page,) = read_pages(info, reader=None)
    assert (info.format, info.title) == ("markdown", "Guide")
    assert page.text == source.rstrip("\n") or page.text == source
    assert heads(page) == [(1, "# Guide"), (2, "## Setup"), (2, "Tail")]


def test_a_rule_under_a_list_or_table_makes_no_heading() -> None:
    lines = ["| a | b |", "|---|---|", "", "- item", "---", "", "text", "more", "==="]
    assert markdown.heading_levels(lines) == [0] * 9


def test_a_script_with_comments_is_plain_text(tmp_path: Path) -> None:
    path = put(tmp_path / "run", "#!/bin/sh\n# first\n# second\necho done\n")
    assert open_document(path).format == "text"


def test_html_gives_what_a_reader_would_see(tmp_path: Path) -> None:
    source = """<!doctype html><html><head><title>The  Gate</title><style>p{color:red}</style>
    <script>alert("no")</script></head><body><nav hidden>menu</nav>
    <h1>Opening&nbsp;hours</h1><p>Open from <b>nine</b> to five.<br>Closed on Sundays.</p>
    <table><tr><th>Day</th><th>Hours</th></tr><tr><td>Mon</td><td>9-17</td></tr></table>
    <div hidden><div>a</div>secret</div><template>t</template>
    <pre>one
  two</pre></body></html>"""
    path = put(tmp_path / "page.txt", source)
    info = open_document(path)
    (page,) = read_pages(info, reader=None)
    assert (info.format, info.title, info.pages) == ("html", "The Gate", 1)
    assert [line for line in page.text.split("\n") if line] == [
        "Opening hours",
        "Open from nine to five.",
        "Closed on Sundays.",
        "Day | Hours",
        "Mon | 9-17",
        "one",
        "  two",
    ]
    assert heads(page) == [(1, "Opening hours")]


def test_html_that_shows_no_words_is_empty(tmp_path: Path) -> None:
    path = put(tmp_path / "a.html", "<html><body><script>var a = 1</script></body></html>")
    with pytest.raises(EmptyMedia, match="no words"):
        open_document(path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-8"])
def test_byte_order_marks_are_obeyed(tmp_path: Path, encoding: str) -> None:
    path = put(tmp_path / "a.txt", "Grüße aus Köln".encode(encoding))
    assert pages_of(path)[0].text == "Grüße aus Köln"


def test_other_encodings_are_read_with_a_note(tmp_path: Path) -> None:
    path = put(tmp_path / "a.txt", "Grüße aus Köln – 5 €".encode("cp1252"))
    info = open_document(path)
    assert "Windows-1252" in info.notes[0]
    assert next(iter(read_pages(info, reader=None))).text == "Grüße aus Köln – 5 €"


def test_text_cut_inside_a_character_at_the_head_is_still_text(tmp_path: Path) -> None:
    path = put(tmp_path / "a.txt", ("a" + "ü" * 40_000).encode())
    assert open_document(path).format == "text"


def test_files_that_are_no_documents_are_refused_with_their_kind(tmp_path: Path) -> None:
    for name, content, words in (
        ("a.pdf", scan("x"), "a JPEG picture although its name ends in .pdf"),
        ("b.txt", bytes(range(256)) * 50, "binary data"),
        ("c.pdf", b"PK\x03\x04rest", "ZIP archive or an Office document"),
        ("d.txt", b"\0\0\0\x20ftypisom" + b"\0" * 90, "a video"),
        ("e.txt", b"\x00\x01\x02\x03" * 90, "binary data"),
    ):
        with pytest.raises(UnsupportedMedia, match=words) as caught:
            open_document(put(tmp_path / name, content))
        assert str(caught.value).startswith(name)
        assert str(caught.value).endswith("documents.")


def test_nothing_to_read_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(EmptyMedia, match=r"a\.pdf is empty \(0 bytes\)"):
        open_document(put(tmp_path / "a.pdf", b""))
    with pytest.raises(EmptyMedia, match="nothing but white space"):
        open_document(put(tmp_path / "a.txt", " \n\t\n"))
    with pytest.raises(EmptyMedia, match="no words"):
        open_document(put(tmp_path / "b.txt", "--- *** ---"))
    with pytest.raises(UnsupportedMedia, match="is a folder"):
        open_document(tmp_path)
    with pytest.raises(UnreadableMedia, match="cannot be read: No such file"):
        open_document(tmp_path / "gone.txt")

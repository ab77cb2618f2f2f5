from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from hypothesis import given, settings
from hypothesis import strategies as st

from docmem.parse import open_document, read_pages
from docmem.parse.blocks import Block, fill_pages, lay_out
from docmem.passages import cut
from tests.archives import read_zip, tamper
from tests.docmem.office import (
    SENTENCE,
    Document,
    assert_offsets,
    heads,
    pages_of,
    raw,
    slide,
    slides,
    table,
    word,
)


def test_headings_keep_their_level_and_parent_the_passages(tmp_path: Path) -> None:
    def own_style(document: Document) -> None:
        style = document.styles.add_style("Chapter", 1)
        style.base_style = document.styles["Heading 2"]
        document.add_paragraph("By style", style="Chapter")

    path = word(
        tmp_path / "any.bin",
        lambda d: d.add_heading("The Report", 0),
        lambda d: d.add_heading("Costs", 1),
        lambda d: d.add_heading("Rent", 3),
        lambda d: d.add_paragraph(SENTENCE * 20),
        own_style,
        raw('<w:pPr><w:outlineLvl w:val="3"/></w:pPr><w:r><w:t>By outline</w:t></w:r>'),
        lambda d: d.add_paragraph(SENTENCE * 20),
    )
    info = open_document(path)
    pages = pages_of(path)
    assert (info.format, info.title) == ("docx", "The Report")
    assert [one for page in pages for one in heads(page)] == [
        (1, "Costs"),
        (3, "Rent"),
        (2, "By style"),
        (4, "By outline"),
    ]
    found = {passage.heading for passage in cut(pages)}
    assert found == {"Costs › Rent", "Costs › By style › By outline"}
    assert_offsets(pages)


def test_a_title_is_a_heading_where_none_stands_above(tmp_path: Path) -> None:
    path = word(
        tmp_path / "a.docx",
        lambda d: d.add_heading("The Report", 0),
        lambda d: d.add_heading("Costs", 2),
        lambda d: d.add_paragraph(SENTENCE),
    )
    assert heads(pages_of(path)[0]) == [(1, "The Report"), (2, "Costs")]
    assert [one.heading for one in cut(pages_of(path))] == ["The Report › Costs"]


def test_a_document_says_its_title(tmp_path: Path) -> None:
    def named(document: Document) -> None:
        document.core_properties.title = "Its  name"

    words: Callable[[Document], object] = lambda d: d.add_paragraph("Words.")  # noqa: E731
    assert open_document(word(tmp_path / "a.docx", named, words)).title == "Its name"
    assert open_document(word(tmp_path / "b.docx", words)).title == "b"


def test_page_breaks_of_every_kind_end_pages(tmp_path: Path) -> None:
    new, going_on = '<w:type w:val="nextPage"/>', '<w:type w:val="continuous"/>'
    run = "<w:r><w:t>{}</w:t></w:r>"
    path = word(
        tmp_path / "a.docx",
        raw(run.format("One") + '<w:r><w:br w:type="page"/><w:t>Two</w:t></w:r>'),
        raw("<w:pPr><w:pageBreakBefore/></w:pPr>" + run.format("Three")),
        raw('<w:pPr><w:pageBreakBefore w:val="0"/></w:pPr>' + run.format("still three")),
        raw(f"<w:pPr><w:sectPr>{new}</w:sectPr></w:pPr>" + run.format("end of three")),
        raw(f"<w:pPr><w:sectPr>{going_on}</w:sectPr></w:pPr>" + run.format("goes on")),
        raw(run.format("Four")),
        lambda d: d.add_page_break(),
        lambda d: d.add_page_break(),
    )
    texts = [page.text for page in pages_of(path)]
    assert texts == ["One", "Two", "Three\n\nstill three\n\nend of three\n\ngoes on", "Four"]


def test_without_page_breaks_sections_and_length_part_the_pages(tmp_path: Path) -> None:
    def fill(document: Document) -> None:
        document.add_heading("Paper", 0)
        for section in ("Before", "After"):
            document.add_heading(section, 1)
            for _ in range(15):
                document.add_paragraph(SENTENCE * 4)

    info = open_document(word(tmp_path / "a.docx", fill))
    pages = list(read_pages(info, reader=None))
    assert info.pages == len(pages) == 4
    assert [page.text.split("\n")[0] for page in pages[::2]] == ["Paper", "After"]
    assert all(len(page.text) <= 3_100 for page in pages)
    assert not any(page.text.endswith(("Before", "After")) for page in pages)
    assert_offsets(pages)


def test_a_table_is_one_passage_with_its_head(tmp_path: Path) -> None:
    def merged(document: Document) -> None:
        document.tables[0].cell(2, 0).merge(document.tables[0].cell(3, 0)).text = "South"

    path = word(
        tmp_path / "a.docx",
        lambda d: d.add_paragraph("Sales went well."),
        table(("Region", "2022", "2023"), ("North", "10", ""), ("", "3", "4"), ("", "5", "6")),
        merged,
    )
    (page,) = pages_of(path)
    rows = ["Region | 2022 | 2023", "North | 10 |", "South | 3 | 4", "South | 5 | 6"]
    assert page.text.split("\n") == ["Sales went well.", "", *rows]
    (passage,) = cut([page])
    assert "\n".join(rows) in passage.text


def test_a_huge_table_keeps_its_head_on_every_page_and_passage(tmp_path: Path) -> None:
    cell = "<w:tc><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:tc>".format
    rows = "".join(
        f"<w:tr>{''.join(map(cell, row))}</w:tr>"
        for row in [("Name", "Weight"), *((f"Stone {n}", f"{n} kg") for n in range(20_000))]
    )
    xml = f"<w:tbl {nsdecls('w')}>{rows}</w:tbl>"
    path = word(tmp_path / "a.docx", lambda d: d.element.body[-1].addprevious(parse_xml(xml)))
    pages = pages_of(path)
    assert all(page.text.startswith("Name | Weight\n") for page in pages)
    assert sum(page.text.count("Stone") for page in pages) == 20_000
    found = list(cut(pages[:3]))
    assert len(found) > 3
    assert all(passage.text.startswith("Name | Weight\n") for passage in found)


def test_two_tables_keep_their_own_heads(tmp_path: Path) -> None:
    def rows(name: str) -> Callable[[Document], object]:
        return table((name, "Price"), *((f"{name} number {n}", f"{n} pounds") for n in range(70)))

    path = word(
        tmp_path / "a.docx", rows("Ship"), lambda d: d.add_paragraph("Table 2: boats"), rows("Boat")
    )
    for passage in cut(pages_of(path)):
        first = passage.text.removeprefix("Table 2: boats\n").lstrip("\n").split("\n")[0]
        assert first in ("Ship | Price", "Boat | Price")
        assert ("Boat number" in passage.text) == (first == "Boat | Price")


def test_a_frame_is_no_table_and_nested_ones_are_read(tmp_path: Path) -> None:
    def framed(document: Document) -> None:
        cell = document.add_table(1, 1).cell(0, 0)
        cell.paragraphs[0].text = "In a frame"
        cell.paragraphs[0].style = "Heading 1"
        inner = cell.add_table(1, 2)
        inner.cell(0, 0).text, inner.cell(0, 1).text = "a", "b"

    (page,) = pages_of(word(tmp_path / "a.docx", framed))
    assert heads(page) == [(1, "In a frame")]
    assert page.text.endswith("a | b")


def test_what_is_printed_is_read_and_nothing_else(tmp_path: Path) -> None:
    t = "<w:r><w:t>{}</w:t></w:r>".format
    box = (
        "<mc:AlternateContent xmlns:mc="
        '"http://schemas.openxmlformats.org/markup-compatibility/2006">{}</mc:AlternateContent>'
    )
    inside = f"<w:txbxContent><w:p>{t('In a box.')}</w:p></w:txbxContent>"
    boxed = box.format(
        f'<mc:Choice Requires="wps">{inside}</mc:Choice><mc:Fallback>{inside}</mc:Fallback>'
    )
    path = word(
        tmp_path / "a.docx",
        raw(
            t("Kept ")
            + f"<w:ins>{t('added ')}</w:ins><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"
            + f"<w:hyperlink>{t('linked')}</w:hyperlink>"
            + "<w:r><w:instrText>PAGE</w:instrText></w:r>"
            + "<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r>"
            + f"<w:r><w:tab/></w:r><w:sdt><w:sdtContent>{t('filled in')}</w:sdtContent></w:sdt>"
        ),
        raw(f"<w:r>{boxed}</w:r>" + t("Beside it.")),
        lambda d: d.add_paragraph("First", style="List Bullet"),
        lambda d: d.add_paragraph("Second", style="List Number"),
        raw("<w:r><w:t>One</w:t><w:br/><w:t>two</w:t></w:r>"),
    )
    (page,) = pages_of(path)
    assert page.text.split("\n") == [
        "Kept added linked filled in",
        "",
        "Beside it.",
        "",
        "In a box.",
        "",
        "• First",
        "1. Second",
        "",
        "One",
        "two",
    ]


def test_footnotes_follow_their_paragraph(tmp_path: Path) -> None:
    path = word(
        tmp_path / "a.docx", raw('<w:r><w:t>Text</w:t><w:footnoteReference w:id="2"/></w:r>')
    )
    entries = read_zip(path)
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
    link = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
    relation = f'<Relationship Id="rF" Type="{link}" Target="footnotes.xml"/>'
    tamper(
        path,
        {
            "word/footnotes.xml": f'<w:footnotes {nsdecls("w")}><w:footnote w:id="2"><w:p><w:r>'
            "<w:t>See below.</w:t></w:r></w:p></w:footnote></w:footnotes>",
            "[Content_Types].xml": entries["[Content_Types].xml"].replace(
                b"</Types>",
                f'<Override PartName="/word/footnotes.xml" ContentType="{kind}"/></Types>'.encode(),
            ),
            "word/_rels/document.xml.rels": entries["word/_rels/document.xml.rels"].replace(
                b"</Relationships>",
                f"{relation}</Relationships>".encode(),
            ),
        },
    )
    assert pages_of(path)[0].text == "Text[2]\n\n[2] See below."


def test_other_scripts_are_kept(tmp_path: Path) -> None:
    text = "春はあけぼの。やうやう白くなりゆく。مرحبا بالعالم. Привет, мир. 🙂"
    path = word(tmp_path / "a.docx", lambda d: d.add_paragraph(text))
    assert pages_of(path)[0].text == text
    show = slides(tmp_path / "a.pptx", slide("題名", text))
    assert pages_of(show)[0].text == f"題名\n\n{text}"


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["paragraph", "item", "table", "heading"]),
            st.lists(st.text("ab .|", min_size=1, max_size=900), min_size=1, max_size=8),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_no_block_is_lost_on_the_way_to_pages(made: list[tuple[str, list[str], bool]]) -> None:
    blocks = [
        Block(tuple(lines[:1]), level=1, opens_page=opens)
        if kind == "heading"
        else Block(tuple(lines), kind, opens_page=opens)  # type: ignore[arg-type]
        for kind, lines, opens in made
    ]
    pages = list(lay_out(fill_pages(blocks)))
    assert_offsets(pages)
    words = "".join(line for block in blocks for line in block.lines).split()
    shown = "".join(page.text for page in pages)
    assert len("".join(shown.split())) >= len("".join(words))
    assert [page.number for page in pages] == list(range(1, len(pages) + 1))
    assert all(page.lines for page in pages)


def test_numbered_lists_say_their_numbers_and_begin_again_under_the_next(tmp_path: Path) -> None:
    def fill(document: Document) -> None:
        for text in ("Open the gate", "Cross the yard"):
            document.add_paragraph(text, style="List Number")
        document.add_paragraph("Mind the dog", style="List Bullet")
        document.add_paragraph("Ring the bell", style="List Number")

    (page,) = pages_of(word(tmp_path / "a.docx", fill))
    assert [line for line in page.text.split("\n") if line] == [
        "1. Open the gate",
        "2. Cross the yard",
        "• Mind the dog",
        "3. Ring the bell",
    ]


@pytest.mark.parametrize(
    ("form", "pattern", "said"),
    [
        ("lowerRoman", "(%1)", ["(iv)", "(v)"]),
        ("upperLetter", "%1)", ["D)", "E)"]),
        ("decimal", "§ %1", ["§ 4", "§ 5"]),
        ("bullet", "o", ["•", "•"]),
    ],
)
def test_numbers_are_written_as_the_list_says(
    tmp_path: Path, form: str, pattern: str, said: list[str]
) -> None:
    def fill(document: Document) -> None:
        level = (
            f'<w:lvl w:ilvl="0"><w:start w:val="4"/><w:numFmt w:val="{form}"/>'
            f'<w:lvlText w:val="{pattern}"/></w:lvl>'
        )
        deeper = '<w:lvl w:ilvl="1"><w:numFmt w:val="decimal"/><w:lvlText w:val="%1.%2"/></w:lvl>'
        numbering = document.part.numbering_part.element
        kind = f'<w:abstractNum {nsdecls("w")} w:abstractNumId="77">{level}{deeper}</w:abstractNum>'
        numbering.append(parse_xml(kind))
        used = f'<w:num {nsdecls("w")} w:numId="77"><w:abstractNumId w:val="77"/></w:num>'
        numbering.append(parse_xml(used))

    def item(text: str, level: int) -> Callable[[Document], object]:
        mark = f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="77"/></w:numPr>'
        return raw(f"<w:pPr>{mark}</w:pPr><w:r><w:t>{text}</w:t></w:r>")

    items = item("one", 0), item("deep", 1), item("two", 0), item("again", 1)
    (page,) = pages_of(word(tmp_path / "a.docx", fill, *items))
    one, deep, two, again = (line for line in page.text.split("\n") if line)
    assert [one, two] == [f"{said[0]} one", f"{said[1]} two"]
    assert deep.endswith(".1 deep")
    assert again.endswith(".1 again")

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import docx
import pptx
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from docmem.pages import Page
from docmem.parse import open_document, page_picture, read_pages
from docmem.parse.blocks import Block, fill_pages, lay_out
from docmem.passages import cut
from memqa.kinds import identify, may_be_media
from models.errors import (
    EmptyMedia,
    InputError,
    LockedDocument,
    UnreadableMedia,
    UnsupportedMedia,
)
from tests.archives import bomb, encrypt_flag, read_zip, tamper

SENTENCE = "The harbour was quiet that morning, and nobody had yet opened the gate. "
Document = Any  # python-docx's and python-pptx's own values, as their functions make them


def word(path: Path, *fill: Callable[[Document], object]) -> Path:
    document = docx.Document()
    for step in fill:
        step(document)
    document.save(str(path))
    return path


def slides(path: Path, *fill: Callable[[Document], object]) -> Path:
    show = pptx.Presentation()
    for step in fill:
        step(show)
    show.save(str(path))
    return path


def slide(
    title: str, *points: str, layout: int = 1, notes: str = ""
) -> Callable[[Document], object]:
    def add(show: Document) -> None:
        made = show.slides.add_slide(show.slide_layouts[layout])
        made.shapes.title.text = title
        if points:
            made.placeholders[1].text = "\n".join(points)
        if notes:
            made.notes_slide.notes_text_frame.text = notes

    return add


def table(*rows: tuple[str, ...]) -> Callable[[Document], object]:
    def add(document: Document) -> None:
        made = document.add_table(len(rows), len(rows[0]))
        for at, texts in zip(made.rows, rows, strict=True):
            for cell, text in zip(at.cells, texts, strict=True):
                cell.text = text

    return add


def raw(body: str) -> Callable[[Document], object]:
    """Put a paragraph of written XML before the end of the document."""
    xml = f"<w:p {nsdecls('w')}>{body}</w:p>"
    return lambda document: document.element.body[-1].addprevious(parse_xml(xml))


def pages_of(path: Path) -> list[Page]:
    return list(read_pages(open_document(path), reader=None))


def heads(page: Page) -> list[tuple[int, str]]:
    return [(line.heading_level, page.line_text(line)) for line in page.lines if line.heading_level]


def assert_offsets(pages: list[Page]) -> None:
    whole = "\n".join(page.text for page in pages)
    for page in pages:
        assert whole[page.char_start : page.char_end] == page.text
        for line in page.lines:
            assert whole[line.char_start : line.char_end] == page.line_text(line)
            assert "\n" not in page.line_text(line)


# Word


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
        "• Second",
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


# PowerPoint


def test_a_slide_is_a_page_with_its_title_as_heading_and_its_notes(tmp_path: Path) -> None:
    path = slides(
        tmp_path / "any.bin",
        slide("Harbours", "Deep ones", "Shallow\vones", notes="Speak slowly.\nSmile."),
        slide("Boats", "Just one point"),
    )
    info = open_document(path)
    first, second = read_pages(info, reader=None)
    assert (info.format, info.title, info.pages) == ("pptx", "Harbours", 2)
    assert first.text.split("\n") == [
        "Harbours",
        "",
        "• Deep ones",
        "• Shallow ones",
        "",
        "Speaker notes: Speak slowly.",
        "Smile.",
    ]
    assert second.text == "Boats\n\nJust one point"
    assert heads(first) == [(1, "Harbours")]
    assert [passage.heading for passage in cut([first, second])] == ["Harbours", "Boats"]
    assert_offsets([first, second])


def test_slides_that_open_a_part_stand_above_the_others(tmp_path: Path) -> None:
    path = slides(
        tmp_path / "a.pptx",
        slide("The show", layout=0),
        slide("Part one", layout=2),
        slide("Detail", "A point", "Another"),
    )
    assert [heads(page) for page in pages_of(path)] == [
        [(1, "The show")],
        [(1, "Part one")],
        [(2, "Detail")],
    ]


def test_tables_charts_and_groups_of_a_slide_are_read(tmp_path: Path) -> None:
    def fill(show: Document) -> None:
        made = show.slides.add_slide(show.slide_layouts[5])
        made.shapes.title.text = "Numbers"
        box = (Inches(1), Inches(1), Inches(4), Inches(2))
        cells = made.shapes.add_table(3, 2, *box).table
        for n in range(6):
            cells.cell(n // 2, n % 2).text = f"cell {n}"
        data = CategoryChartData()
        data.categories = ["North", "South"]
        data.add_series("Sales", (1.5, 2_345_678))
        chart = made.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *box, data).chart
        chart.has_title = True
        chart.chart_title.text_frame.text = "By region"
        group = made.shapes.add_group_shape()
        group.shapes.add_group_shape().shapes.add_textbox(*box).text_frame.text = "Deep inside"
        made.shapes.add_picture(picture(), *box[:2])

    (page,) = pages_of(slides(tmp_path / "a.pptx", fill))
    assert [line for line in page.text.split("\n") if line] == [
        "Numbers",
        "cell 0 | cell 1",
        "cell 2 | cell 3",
        "cell 4 | cell 5",
        "By region",
        "| Sales",
        "North | 1.5",
        "South | 2345678",
        "Deep inside",
    ]


def test_a_chart_that_is_broken_does_not_cost_the_slide(tmp_path: Path) -> None:
    def fill(show: Document) -> None:
        made = show.slides.add_slide(show.slide_layouts[5])
        made.shapes.title.text = "Numbers"
        data = CategoryChartData()
        data.categories = ["North"]
        data.add_series("Sales", (1,))
        made.shapes.add_chart(XL_CHART_TYPE.PIE, 0, 0, Inches(1), Inches(1), data)

    path = slides(tmp_path / "a.pptx", fill)
    (name,) = [one for one in read_zip(path) if one.startswith("ppt/charts/chart")]
    chart = read_zip(path)[name].decode()
    tamper(path, {name: chart.replace("plotArea", "plotPlot")})
    assert pages_of(path)[0].text == "Numbers\n\n(Here stands a chart that could not be read.)"


def picture() -> io.BytesIO:
    out = io.BytesIO()
    Image.new("RGB", (20, 20), "red").save(out, "PNG")
    return out


def test_slides_without_text_keep_their_number_and_are_noted(tmp_path: Path) -> None:
    def pictured(show: Document) -> None:
        show.slides.add_slide(show.slide_layouts[6]).shapes.add_picture(picture(), 0, 0)

    path = slides(tmp_path / "a.pptx", pictured, slide("Last", "Words."))
    info = open_document(path)
    pages = list(read_pages(info, reader=None))
    assert [(page.number, page.text) for page in pages] == [(1, ""), (2, "Last\n\nWords.")]
    assert info.notes == ("1 slide has no text; words in pictures of slides are not read.",)
    assert info.is_whole
    assert [passage.heading for passage in cut(pages)] == ["Last"]


# Both


def test_office_files_without_words_are_empty(tmp_path: Path) -> None:
    for path in (
        word(tmp_path / "a.docx"),
        word(tmp_path / "b.docx", lambda d: d.add_paragraph("* * *")),
        slides(tmp_path / "a.pptx"),
        slides(tmp_path / "b.pptx", lambda s: s.slides.add_slide(s.slide_layouts[6])),
    ):
        with pytest.raises(EmptyMedia, match="holds no words"):
            open_document(path)
    (tmp_path / "c.docx").write_bytes(b"")
    with pytest.raises(EmptyMedia, match="0 bytes"):
        open_document(tmp_path / "c.docx")


def a_docx(path: Path) -> Path:
    return word(path, lambda d: d.add_paragraph("Words."))


def test_macros_are_left_alone_and_templates_are_read(tmp_path: Path) -> None:
    plain = "openxmlformats-officedocument.wordprocessingml.document.main+xml"
    for like in (
        "ms-word.document.macroEnabled.main+xml",
        "openxmlformats-officedocument.wordprocessingml.template.main+xml",
    ):
        path = a_docx(tmp_path / "a.docm")
        types = read_zip(path)["[Content_Types].xml"].decode()
        tamper(path, {"[Content_Types].xml": types.replace(plain, like)})
        assert pages_of(path)[0].text == "Words."
        assert open_document(path).notes == ()
    tamper(path, {"word/vbaProject.bin": b"Sub AutoOpen()"})
    assert open_document(path).notes == ("Its macros were left alone; only the text was read.",)
    show = slides(tmp_path / "a.ppsx", slide("Title"))
    types = read_zip(show)["[Content_Types].xml"].decode()
    like = types.replace("presentationml.presentation.main", "presentationml.slideshow.main")
    assert pages_of(tamper(show, {"[Content_Types].xml": like}))[0].text == "Title"


def test_links_to_the_outside_are_not_followed(tmp_path: Path) -> None:
    path = a_docx(tmp_path / "a.docx")
    rels = read_zip(path)["word/_rels/document.xml.rels"].decode()
    kinds = ("attachedTemplate", "oleObject", "image")
    links = "".join(
        f'<Relationship Id="x{kind}" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
        f'relationships/{kind}" Target="http://x.test/{kind}" TargetMode="External"/>'
        for kind in kinds
    )
    end = "</Relationships>"
    tamper(path, {"word/_rels/document.xml.rels": rels.replace(end, links + end)})
    assert pages_of(path)[0].text == "Words."


def test_a_picture_that_word_lost_does_not_cost_the_document(tmp_path: Path) -> None:
    path = a_docx(tmp_path / "a.docx")
    rels = read_zip(path)["word/_rels/document.xml.rels"].decode()
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/image"
    lost = f'<Relationship Id="x1" Type="{kind}" Target="../NULL"/></Relationships>'
    tamper(path, {"word/_rels/document.xml.rels": rels.replace("</Relationships>", lost)})
    assert pages_of(path)[0].text == "Words."


def test_entities_are_neither_fetched_nor_swollen(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("SECRET")
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha" * 10}">' for n in range(9))
    outside = f'<!ENTITY x SYSTEM "file://{secret}">'
    path = a_docx(tmp_path / "a.docx")
    xml = read_zip(path)["word/document.xml"].decode()
    start = xml.index("<w:document")
    for declared, used in ((outside, "&x;"), (laughs, "&l8;")):
        body = xml[start:].replace("Words.", f"Words.{used}")
        bad = f'<?xml version="1.0"?><!DOCTYPE d [{declared}]>{body}'
        tamper(path, {"word/document.xml": bad})
        try:
            text = pages_of(path)[0].text
        except UnreadableMedia:
            continue
        assert "SECRET" not in text
        assert len(text) < 100


def test_pictures_and_films_are_not_unpacked(tmp_path: Path) -> None:
    path = tamper(a_docx(tmp_path / "a.docx"), {"word/media/film.mp4": bytes(150_000_000)})
    assert pages_of(path)[0].text == "Words."


def test_hostile_and_damaged_files_are_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    deep = "<w:p>" * 5_000 + "</w:p>" * 5_000
    chain = "<a>" * 3
    cases: tuple[tuple[dict[str, str | bytes | None], str], ...] = (
        ({"word/document.xml": bomb(61)}, "unpacks to more than 60 MB"),
        ({f"x/{n}": b"" for n in range(10_001)}, "more than 10,000 files"),
        ({"word/document.xml": "<a/>" * 8_000_001}, "more parts than a document"),
        ({"word/document.xml": None}, "damaged"),
        ({"word/document.xml": chain}, "damaged"),
        ({"word/document.xml": ""}, "damaged"),
        ({"word/document.xml": "<a/>"}, "damaged"),
        ({"word/document.xml": f"<w:document {nsdecls('w')}>{deep}</w:document>"}, "damaged"),
        ({"word/styles.xml": bytes(range(256))}, "damaged"),
        ({"_rels/.rels": "<Relationships/>"}, "damaged"),
        ({"docProps/core.xml": "<"}, "damaged"),
    )
    for changes, words in cases:
        with pytest.raises(UnreadableMedia, match=words) as caught:
            open_document(tamper(a_docx(path), changes))
        assert str(caught.value).startswith("a.docx ")
        assert str(caught.value).count("\n") == 0


def test_a_file_cut_off_or_garbled_anywhere_is_refused_or_read(tmp_path: Path) -> None:
    part = tmp_path / "part.pptx"
    whole = slides(tmp_path / "a.pptx", slide("Title", "Words.")).read_bytes()
    for end in range(4, len(whole), len(whole) // 25):
        part.write_bytes(whole[:end])
        with pytest.raises(UnreadableMedia, match="damaged"):
            open_document(part)
    for at in range(0, len(whole), len(whole) // 40):
        part.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with suppress(InputError):  # and no other error
            assert_offsets(pages_of(part))


def test_a_size_that_lies_is_no_way_past_the_bound(tmp_path: Path) -> None:
    path = tamper(a_docx(tmp_path / "a.docx"), {"word/document.xml": bomb(3)})
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02", 0, data.rfind(b"word/document.xml"))
    data[at + 24 : at + 28] = (1_000).to_bytes(4, "little")  # the size when unpacked
    path.write_bytes(bytes(data))
    with pytest.raises(UnreadableMedia, match="damaged"):
        open_document(path)
    end = data.rfind(b"PK\x05\x06")
    data[end + 12 : end + 16] = (0xF0000000).to_bytes(4, "little")  # the length of its list
    path.write_bytes(bytes(data))
    with pytest.raises(UnreadableMedia, match="damaged"):
        open_document(path)


def test_locked_old_and_foreign_documents_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LockedDocument, match="locked with a password"):
        open_document(encrypt_flag(a_docx(tmp_path / "a.docx")))
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2_000)
    (tmp_path / "b.docx").write_bytes(ole + "EncryptedPackage".encode("utf-16-le") + bytes(500))
    with pytest.raises(LockedDocument, match="save it without one"):
        open_document(tmp_path / "b.docx")
    (tmp_path / "c.doc").write_bytes(ole)
    with pytest.raises(UnsupportedMedia, match=r"save it as \.docx"):
        open_document(tmp_path / "c.doc")
    plain = "wordprocessingml.document.main+xml"
    path = a_docx(tmp_path / "d.xlsx")
    types = read_zip(path)["[Content_Types].xml"].decode()
    tamper(path, {"[Content_Types].xml": types.replace(plain, "spreadsheetml.sheet.main+xml")})
    with pytest.raises(UnsupportedMedia, match="a spreadsheet"):
        open_document(path)
    path = a_docx(tmp_path / "e.docx")
    rels = read_zip(path)["_rels/.rels"].decode()
    strict = rels.replace("http://schemas.openxmlformats.org", "http://purl.oclc.org/ooxml")
    with pytest.raises(UnsupportedMedia, match="Strict Open XML"):
        open_document(tamper(path, {"_rels/.rels": strict}))


def test_the_library_takes_office_files_by_what_is_in_them(tmp_path: Path) -> None:
    for path in (a_docx(tmp_path / "a.pdf"), slides(tmp_path / "b.pptx", slide("Title"))):
        assert may_be_media(path)
        assert identify(path).path == path
    with pytest.raises(UnsupportedMedia, match="only PDF pages can be drawn"):
        page_picture(path, 1)
    damaged = tmp_path / "c.docx"
    damaged.write_bytes(b"PK\x03\x04 and no more")
    assert may_be_media(damaged)
    with pytest.raises(UnreadableMedia, match=r"^c\.docx is damaged"):
        identify(damaged)
    old = tmp_path / "d.doc"
    old.write_bytes(b"\xd0\xcf\x11\xe0" + bytes(900))
    with pytest.raises(UnsupportedMedia, match=r"save it as \.docx"):
        identify(old)

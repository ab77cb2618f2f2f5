from __future__ import annotations

import io
from pathlib import Path

from PIL import Image
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from docmem.parse import open_document, read_pages
from docmem.passages import cut
from tests.archives import read_zip, tamper
from tests.docmem.office import Document, assert_offsets, heads, pages_of, slide, slides


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

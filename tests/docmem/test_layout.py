from __future__ import annotations

from pathlib import Path

import pytest

from docmem.parse import Page, open_document, read_pages
from docmem.parse.grid import Rule, find_grids
from docmem.parse.layout import Line, Rect, in_reading_order, with_labels
from docmem.parse.styles import Bookmark, Styles, heading_levels, learn_styles, running_lines
from docmem.passages import PassageParams, cut
from models.values import Box, Picture, TextLine
from tests.documents import Ink, Sheet, lines, scan, write_pdf
from tests.hostile import one_page, write

BODY = tuple(
    f"This is sentence number {n} of the body and it goes on for a while." for n in range(9)
)


def pages_of(path: Path) -> list[Page]:
    return list(read_pages(open_document(path), reader=None))


def line(text: str, y: float, *, x: float = 0.1, wide: float = 0.5, size: float = 10) -> Line:
    return Line(text, Rect(x, y, x + wide, y + 0.015), size)


def ruled_table(rows: list[list[str]], *, top: int = 700) -> bytes:
    """Content that draws a grid of rules, and in each cell words, one under the other."""
    wide, high, left = 150, 40, 72
    drawn = ["0.5 w"]
    bottom, right = top - high * len(rows), left + wide * len(rows[0])
    drawn += [
        f"{left} {top - high * n} m {right} {top - high * n} l S" for n in range(len(rows) + 1)
    ]
    drawn += [
        f"{left + wide * n} {top} m {left + wide * n} {bottom} l S" for n in range(len(rows[0]) + 1)
    ]
    for at, row in enumerate(rows):
        for column, cell in enumerate(row):
            for down, word in enumerate(cell.split()):
                x, y = left + 4 + wide * column, top - 12 - high * at - 11 * down
                drawn.append(f"BT /F0 9 Tf {x} {y} Td ({word}) Tj ET")
    return "\n".join(drawn).encode()


def test_a_ruled_table_gives_its_rows_with_wrapped_cells_whole(tmp_path: Path) -> None:
    rows = [
        ["Name", "Goal supported", "Result"],
        ["Data exchange", "Two services", ""],
        ["Health", "", "Done"],
    ]
    content = ruled_table(rows) + b"\nBT /F0 9 Tf 72 560 Td (Below the table.) Tj ET"
    (page,) = pages_of(write(tmp_path / "a.pdf", one_page(content)))
    assert page.text.split("\n") == [
        "Name | Goal supported | Result",
        "Data exchange | Two services |",
        "Health |  | Done",
        "Below the table.",
    ]
    box = page.lines[1].box
    assert box is not None
    assert box.y0 < 1 - 640 / 792 < box.y1


def test_words_across_the_rules_make_no_table() -> None:
    rules = [Rule(False, y, 0, 300) for y in (0, 50, 100)]
    rules += [Rule(True, x, 0, 100) for x in (0, 100, 200, 300)]
    inside = [Rect(x + 10, y + 10, x + 40, y + 20) for x in (0, 100, 200) for y in (0, 50)]
    (grid,) = find_grids(rules, inside)
    assert [len(row) for row in grid.rows] == [3, 3]
    across = [Rect(x + 80, y + 10, x + 130, y + 20) for x in (0, 100) for y in (0, 50)]
    assert find_grids(rules, across) == []


def test_cells_that_span_columns_and_rows_are_told_once() -> None:
    rules = [Rule(False, 0, 0, 200), Rule(False, 50, 0, 200), Rule(False, 100, 100, 200)]
    rules += [Rule(False, 150, 0, 200), Rule(True, 0, 0, 150), Rule(True, 200, 0, 150)]
    rules.append(Rule(True, 100, 50, 150))
    words = [
        Rect(90, 10, 110, 20),
        Rect(10, 90, 50, 105),
        Rect(110, 60, 150, 70),
        Rect(110, 110, 150, 120),
    ]
    (grid,) = find_grids(rules, words)
    assert grid.rows == (((0,),), ((1,), (2,)), ((), (3,)))


def test_body_type_is_the_largest_common_one_and_passages_are_no_headings() -> None:
    small = [line("cell of a table, small", 0.1 + 0.02 * n, size=7) for n in range(20)]
    prose = [
        line("This is a line of prose that goes on and on", 0.5 + 0.02 * n, size=9)
        for n in range(9)
    ]
    styles = learn_styles({1: small + prose})
    assert styles.body_size == 9
    bold = [Line(one.text, one.rect, 9, is_bold=True) for one in prose]
    assert heading_levels(bold, styles, 1, [False] * 9) == [0] * 9


def test_bold_words_that_run_into_a_sentence_are_no_heading() -> None:
    drawn = [
        Line("Decomposition is more effective", Rect(0.1, 0.3, 0.6, 0.315), 10, is_bold=True),
        line("than one step alone. The model uses", 0.32),
        Line("4.2 Results", Rect(0.1, 0.4, 0.3, 0.415), 10, is_bold=True),
        line("The model does well.", 0.42),
    ]
    assert heading_levels(drawn, Styles(body_size=10), 1, [False] * 4) == [0, 0, 4, 0]


def test_bookmarks_decide_levels_on_their_page_over_two_lines_too() -> None:
    styles = Styles(
        10, outline=(Bookmark("Risk factors of the business", 2, 3), Bookmark("Other", 3, 9))
    )
    drawn = [
        Line("2.1 Risk Factors", Rect(0.1, 0.3, 0.4, 0.315), 12),
        Line("of the Business", Rect(0.1, 0.32, 0.4, 0.335), 12),
        Line("Unnamed", Rect(0.1, 0.4, 0.4, 0.415), 12),
        Line("Other", Rect(0.1, 0.5, 0.4, 0.515), 10),
    ]
    assert heading_levels(drawn, styles, 3, [False] * 4) == [2, 2, 4, 0]


def test_a_printed_page_number_is_running_wherever_the_text_ends() -> None:
    pages = {
        n: [line("Words of the page", 0.3), line(f"{n + 10}", 0.5 + 0.04 * n)] for n in range(1, 7)
    }
    styles = learn_styles(pages)
    assert styles.label_offset == 10
    assert running_lines(pages[2], styles, 2) == [False, True]
    assert running_lines([line("Words", 0.3), line("2017", 0.6)], styles, 2) == [False, False]


def test_a_banner_that_is_drawn_last_is_read_first() -> None:
    drawn = [line(f"row {n}", 0.3 + 0.03 * n) for n in range(5)] + [line("Appendix A", 0.15)]
    assert in_reading_order(drawn)[0].text == "Appendix A"


def test_numbers_that_a_reader_of_pictures_parts_join_their_line() -> None:
    drawn = [line("This is an action", 0.3, x=0.2), line("1.", 0.301, x=0.15, wide=0.02)]
    drawn.append(line("Code, Section", 0.33))
    assert [one.text for one in with_labels(drawn)] == ["1. This is an action", "Code, Section"]


def test_centred_lines_of_a_scan_are_headings(tmp_path: Path) -> None:
    class Reader:
        signature = "test-reader/1"

        def read(self, picture: Picture) -> list[TextLine]:
            wide = [TextLine(f"a line of prose number {n}", Box(1, 0.1, y, 0.9, y + 0.02), 0.9)
                    for n, y in enumerate((0.2, 0.25, 0.35, 0.4, 0.45))]  # fmt: skip
            return [
                *wide[:2],
                TextLine("Possible Case", Box(1, 0.4, 0.3, 0.6, 0.32), 0.9),
                *wide[2:],
            ]

    path = write_pdf(tmp_path / "a.pdf", [Sheet(jpeg=scan("hidden"))])
    (page,) = read_pages(open_document(path), reader=Reader())
    assert [bool(one.heading_level) for one in page.lines] == [
        False,
        False,
        True,
        False,
        False,
        False,
    ]


def test_a_footnote_leaves_the_sentence_and_is_a_unit_of_its_own(tmp_path: Path) -> None:
    ink = (
        *lines(*BODY[:5], "This sentence goes on in the", x=60, top=420, size=10),
        Ink(60, 330, "1 The code is public and can be had", 8),
        Ink(60, 320, "at the address of the authors.", 8),
        *lines("next column, where it ends.", *BODY[5:], x=330, top=420, size=10),
    )
    (page,) = pages_of(write_pdf(tmp_path / "a.pdf", [Sheet(ink)]))
    assert "goes on in the\nnext column, where it ends." in page.text
    assert page.text.endswith("1 The code is public and can be had\nat the address of the authors.")
    assert [one.role for one in page.lines][-2:] == ["footnote", "footnote"]
    passages = list(cut([page], PassageParams(20, 30, 10, 20)))
    assert any(
        "1 The code is public and can be had\nat the address of the authors." in p.text
        for p in passages
    )


def test_a_figure_keeps_its_labels_and_its_caption_together_under_its_label(tmp_path: Path) -> None:
    ink = (
        *lines(*BODY, top=740),
        *lines("Smartphone", "Tablet", "All adults 55", "Seniors 18", x=200, top=500, size=8),
        *lines(
            "Figure 3: Ownership of devices among adults,",
            "as a share of those asked.",
            top=430,
            size=9,
        ),
        *lines(*BODY, top=390),
    )
    (page,) = pages_of(write_pdf(tmp_path / "a.pdf", [Sheet(ink)]))
    roles = [page.line_text(one) for one in page.lines if one.role == "caption"]
    assert roles == ["Figure 3: Ownership of devices among adults,", "as a share of those asked."]
    passages = list(cut([page], PassageParams(25, 30, 5, 20)))
    (figure,) = [p for p in passages if p.heading == "Figure 3"]
    assert figure.text.startswith("Smartphone\nTablet\nAll adults 55")
    assert figure.text.endswith("as a share of those asked.")


def test_a_parted_table_says_its_caption_and_head_before_each_part(tmp_path: Path) -> None:
    rows = [f"Segment {n} 1,{n:03d} 2,{n:03d}" for n in range(30)]
    ink = (
        *lines("Table 2: Net sales by segment in millions", top=740, size=9),
        *lines("Year 2016 2017", *rows, top=720),
    )
    (page,) = pages_of(write_pdf(tmp_path / "a.pdf", [Sheet(ink)]))
    parts = [p.text for p in cut([page], PassageParams(40, 50, 10, 20)) if "Segment 20" in p.text]
    assert len(parts) == 1
    assert parts[0].startswith("Table 2: Net sales by segment in millions\nYear 2016 2017\n")


@pytest.mark.parametrize(("drawn", "read"), [
    ("sales in 2016 , 2017 , and $ 210 million .", "sales in 2016, 2017, and $ 210 million."),
    ("Summary ............. 12", "Summary … 12"),
    ("a value of .5 and 1 . . 2", "a value of .5 and 1 . . 2"),
])  # fmt: skip
def test_marks_stand_where_they_belong(tmp_path: Path, drawn: str, read: str) -> None:
    (page,) = pages_of(write_pdf(tmp_path / "a.pdf", [Sheet(lines(drawn))]))
    assert page.text == read

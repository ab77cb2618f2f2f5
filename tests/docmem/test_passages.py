from __future__ import annotations

from collections.abc import Sequence

import pytest

from docmem.pages import Page, PageLine
from docmem.parse.markdown import heading_levels
from docmem.parse.text import paginate
from docmem.passages import Passage, PassageParams, cut
from docmem.sentences import count_words, sentence_spans
from docmem.turns import turn_head
from models.values import Box, PageSpan

SENTENCE = "The {n}th sentence of this text has exactly eleven words in all."


def passages_of(source: str, params: PassageParams = PassageParams()) -> list[Passage]:  # noqa: B008
    return list(cut(paginate(source, levels=heading_levels), params))


def drawn_page(*rows: str, number: int = 1, start: int = 0, heads: Sequence[int] = ()) -> Page:
    """A page as a PDF gives it: each row a line with a box."""
    lines, at = [], start
    for index, row in enumerate(rows):
        box = Box(number, 0.1, index / 100, 0.9, (index + 1) / 100)
        lines.append(PageLine(at, at + len(row), box, heads[index] if heads else 0))
        at += len(row) + 1
    return Page(number, "\n".join(rows), start, tuple(lines))


def span(passage: Passage) -> PageSpan:
    assert isinstance(passage.locator, PageSpan)
    return passage.locator


def test_sentences_end_at_marks_but_not_at_abbreviations() -> None:
    source = (
        'Dr. Lee met J. Smith at 5 p.m. on Monday. "Good," he said. Was it? Yes!\n\nno mark here'
    )
    found = [source[start:end] for start, end in sentence_spans(source)]
    assert found == [
        "Dr. Lee met J. Smith at 5 p.m. on Monday.",
        '"Good," he said.',
        "Was it?",
        "Yes!",
        "no mark here",
    ]


def test_words_of_scripts_without_blanks_are_counted() -> None:
    assert count_words("four words stand here") == 4
    assert count_words("記憶は文章を読む。") == 4
    assert count_words("x" * 1_200) == 100


def test_passages_end_at_sentences_and_cover_the_text() -> None:
    source = " ".join(SENTENCE.format(n=n) for n in range(60))
    found = passages_of(source)
    assert [passage.order for passage in found] == list(range(len(found)))
    assert all(passage.text.endswith("in all.") for passage in found)
    assert all(120 <= count_words(passage.text) <= 300 for passage in found)
    for passage in found:
        assert source[span(passage).char_start : span(passage).char_end] == passage.text
    ends = [span(passage).char_end for passage in found]
    starts = [span(passage).char_start for passage in found]
    assert starts[1:] == [end + 1 for end in ends[:-1]]


def test_a_passage_never_crosses_a_page_and_headings_carry_over() -> None:
    first = drawn_page("1 Introduction", SENTENCE.format(n=1), heads=(1, 0))
    second = drawn_page(SENTENCE.format(n=2), number=2, start=first.char_end + 1)
    one, two = cut([first, second])
    assert (span(one).page, span(one).page_end) == (1, 1)
    assert (span(two).page, span(two).page_end) == (2, 2)
    assert one.heading == two.heading == "1 Introduction"
    assert two.text.startswith("The 2th")


def test_line_breaks_in_prose_become_blanks_and_offsets_stay() -> None:
    page = drawn_page("It began in the", "spring of that year.", "Nobody saw it.")
    (passage,) = cut([page])
    assert passage.text == "It began in the spring of that year. Nobody saw it."
    assert len(passage.text) == span(passage).char_end - span(passage).char_start
    assert [box.y0 for box in passage.boxes] == [0.0, 0.01, 0.02]


def test_a_box_is_cut_where_the_passage_begins_inside_a_line() -> None:
    row = "The one ends here. The two goes on"
    page = drawn_page(row, "and on and on and on.")
    params = PassageParams(target_words=7, max_words=10, min_words=1)
    one, two = cut([page], params)
    assert one.text == "The one ends here."
    assert one.boxes[0].x1 == pytest.approx(0.1 + 0.8 * 18 / len(row))
    assert two.boxes[0].x0 == pytest.approx(0.1 + 0.8 * 19 / len(row))
    assert len(two.boxes) == 2


def test_the_heading_path_follows_the_sections() -> None:
    body = " ".join(SENTENCE.format(n=n) for n in range(8))
    source = f"# A\n\n{body}\n\n## B\n\n{body}\n\n## C\n\n{body}\n\n# D\n\n{body}\n"
    assert [passage.heading for passage in passages_of(source)] == ["A", "A › B", "A › C", "D"]


def test_a_short_section_joins_its_neighbour_and_no_passage_ends_with_a_heading() -> None:
    body = " ".join(SENTENCE.format(n=n) for n in range(10))
    source = f"# A\n\nShort.\n\n# B\n\n{body}\n\n# C\n\n{body} {body}\n"
    found = passages_of(source)
    assert found[0].text.startswith("# A\n\nShort.\n\n# B")
    assert not any(passage.text.rstrip().split("\n")[-1].startswith("#") for passage in found)


def test_running_lines_are_left_out() -> None:
    page = drawn_page("ACME QUARTERLY", "The year was good.", "7")
    lines = [
        PageLine(line.char_start, line.char_end, line.box, 0, is_running=index != 1)
        for index, line in enumerate(page.lines)
    ]
    (passage,) = cut([Page(1, page.text, 0, tuple(lines))])
    assert passage.text == "The year was good."
    assert len(passage.boxes) == 1


def test_a_small_table_stays_whole_with_rows_as_lines() -> None:
    rows = ["Year Ended June 30,", "2022 2023", *(f"Item {n} {n},100 {n},200" for n in range(9))]
    body = [SENTENCE.format(n=n) for n in range(14)]
    found = list(cut([drawn_page(*body, *rows, *body)]))
    (table,) = [passage for passage in found if "Item 3" in passage.text]
    assert "\n".join(rows) in table.text


def test_a_long_table_repeats_its_head_and_its_group_in_each_piece() -> None:
    head = ["Consolidated balance sheets", "(in millions)", "2022 2023"]
    assets = ["Assets:", *(f"Asset number {n} of many $ {n},100 $ {n},200" for n in range(30))]
    debts = ["Liabilities:", *(f"Debt number {n} of many ({n},100) —" for n in range(30))]
    first, *rest = cut([drawn_page(*head, *assets, *debts)])
    assert first.text.startswith("Consolidated balance sheets\n(in millions)\n2022 2023\nAssets:")
    assert len(rest) >= 2
    for passage in rest:
        before = passage.text.split("\n")[:4]
        assert before[:3] == head
        assert before[3] in ("Assets:", "Liabilities:")
        assert passage.text.count("Liabilities:") <= 1
        assert ("Assets:" in passage.text) == ("Asset number" in passage.text)
    assert all(count_words(passage.text) <= 320 for passage in [first, *rest])


def test_a_table_with_bars_names_its_columns_in_each_piece() -> None:
    rows = [f"| name {n} | value {n} | note on {n} |" for n in range(60)]
    source = "\n".join(["| Name | Value | Note |", "|---|---|---|", *rows])
    found = passages_of(source)
    assert len(found) > 1
    assert all(passage.text.startswith("| Name | Value | Note |") for passage in found)


def test_tables_with_bars_end_at_blank_lines_and_keep_caption_and_columns() -> None:
    def rows(name: str) -> list[str]:
        return [f"{name} | Price", *(f"{name} number {n} | {n} pounds" for n in range(70))]

    tables = [["Table 1: ships", *rows("Ship")], rows("Boat")]
    source = "\n\n".join("\n".join(table) for table in tables)
    for passage in passages_of(source):
        is_boat = "Boat number" in passage.text
        head = "Boat | Price" if is_boat else "Table 1: ships\nShip | Price"
        assert passage.text.startswith(head)
        assert ("Ship" in passage.text) != is_boat


def test_turns_stay_whole_under_their_session() -> None:
    turns = [f"{'Ann' if n % 2 else 'Bo'}: {SENTENCE.format(n=n)} And a tail." for n in range(40)]
    source = "## Session 1 (4 May 2023)\n" + "\n".join(turns)
    found = passages_of(source)
    assert len(found) > 2
    for turn in turns:
        assert sum(turn in passage.text for passage in found) == 1
    assert {passage.heading for passage in found} == {"Session 1 (4 May 2023)"}


def test_a_very_long_turn_is_parted_with_its_speaker_before_each_part() -> None:
    speech = "Chair: " + " ".join(SENTENCE.format(n=n) for n in range(50))
    found = passages_of(f"Ann: Over to you.\n{speech}\nAnn: Thanks.")
    assert len(found) > 2
    inner = [passage for passage in found if "20th" in passage.text]
    assert inner[0].text.startswith("Chair:")


def test_turns_are_told_by_time_and_speaker() -> None:
    for head in ("[0:12] Ann:", "Ann (0:12):", "0:12 Ann:", "[1:02:03]", "Ann:"):
        assert turn_head(f"{head} Well, then.") == head
    assert turn_head("Ann Bo  3:07\nWell.") == "Ann Bo 3:07"
    for line in ("it began: so", "12:30 lunch", "(see below) more", "", "[1] a"):
        assert not turn_head(line), line
    turns = [f"[0:{n:02d}] {'Ann: ' * (n % 2)}{SENTENCE.format(n=n)}" for n in range(40)]
    found = passages_of("\n".join(turns))
    assert len(found) > 2
    assert all(sum(turn in passage.text for passage in found) == 1 for turn in turns)


def test_what_has_no_sentence_end_is_parted_between_words() -> None:
    found = passages_of("word " * 2_000)
    assert all(count_words(passage.text) <= 310 for passage in found)
    assert sum(count_words(passage.text) for passage in found) == 2_000


def test_lengths_that_are_no_range_are_refused() -> None:
    with pytest.raises(ValueError, match="not a range of lengths"):
        PassageParams(target_words=50, max_words=40)


def test_transcripts_are_cut_shorter_than_prose_in_proportion() -> None:
    assert PassageParams().for_turns() == PassageParams(160, 218, 58)
    assert PassageParams(100, 120, 40).for_turns() == PassageParams(100, 120, 40)
    prose = passages_of(" ".join(SENTENCE.format(n=n) for n in range(24)))
    turns = passages_of("\n".join(f"Ann: {SENTENCE.format(n=n)}" for n in range(24)))
    assert (len(prose), len(turns)) == (1, 2)

from __future__ import annotations

import pytest

from docmem.facts import facts_of
from docmem.passages import Passage
from models.values import PageSpan

TABLE = """Consolidated results ($ in millions)
2023 2022 2021
Revenue $ 46,298 $ 51,761 $ 47,262
Gross profit 9,912 11,640 10,573
Store count 1,138 1,144 1,159"""


def passage(text: str, heading: str = "") -> Passage:
    return Passage(7, PageSpan(1, 1, 0, len(text)), text, heading)


def test_each_number_of_a_row_stands_beside_the_head_of_its_column() -> None:
    facts = [fact for fact in facts_of(passage(TABLE, "A › Results")) if fact.kind == "row"]
    assert [fact.text for fact in facts] == [
        "Results: Revenue 2023: $ 46,298; 2022: $ 51,761; 2021: $ 47,262",
        "Results: Gross profit 2023: 9,912; 2022: 11,640; 2021: 10,573",
        "Results: Store count 2023: 1,138; 2022: 1,144; 2021: 1,159",
    ]
    rows = [TABLE[fact.char_start : fact.char_end] for fact in facts]
    assert rows == TABLE.split("\n")[2:]
    assert {fact.passage for fact in facts} == {7}


def test_cells_parted_by_bars_take_their_heads() -> None:
    text = "| City | People |\n| Oslo | 700,000 |\n| Bergen | 290,000 |\n| Bodø | 53,000 |"
    texts = [fact.text for fact in facts_of(passage(text)) if fact.kind == "row"]
    assert "City: Oslo; People: 700,000" in texts


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("Profit rose to $4.2 billion this year.", "amount", "$4.2 billion"),
        ("It employs 12,500 people in the north.", "amount", "12,500 people"),
        ("The pact was signed on 3 May 1987 in town.", "date", "3 May 1987"),
        ("The pact was signed on March 14, 2001 there.", "date", "March 14, 2001"),
        ("The chair is Ida Holm of the board.", "name", "Ida Holm"),
    ],
)
def test_a_sentence_with_a_value_is_a_fact(text: str, kind: str, value: str) -> None:
    whole = f"Nothing of note happened then. {text} Nothing came after it."
    (fact,) = facts_of(passage(whole))
    assert (fact.kind, fact.value) == (kind, value)
    assert whole[fact.char_start : fact.char_end] == text


def test_the_speaker_is_said_before_what_was_said() -> None:
    texts = [fact.text for fact in facts_of(passage("ANNA: Well then. It costs 40 euros a day."))]
    assert texts == ["ANNA: It costs 40 euros a day."]


def test_facts_of_a_passage_are_bounded_and_rows_come_first() -> None:
    long = TABLE + "\n\n" + " ".join(f"It cost {n} euros then." for n in range(40))
    facts = facts_of(passage(long), most=5)
    assert len(facts) == 5
    assert sum(fact.kind == "row" for fact in facts) == 3
    with pytest.raises(ValueError, match="at most 0"):
        facts_of(passage(long), most=0)
    assert facts_of(passage("nothing here says anything of that kind.")) == []


def test_a_blank_cell_moves_no_value_to_another_column() -> None:
    text = "|  | 2018 | 2017 |\n|---|---|---|\n| Revenue | 5 | |\n| Costs | 3 | 2 |"
    told = [fact.text for fact in facts_of(passage(text)) if fact.kind == "row"]
    assert told == ["Revenue; 2018: 5", "Costs; 2018: 3; 2017: 2"]


def test_the_number_of_a_note_is_no_value() -> None:
    text = "Assets 2018 2017\nGoodwill 12 1,234\nCash 4,000 3,900\nStock 5,100 5,000"
    told = " ".join(fact.text for fact in facts_of(passage(text)) if fact.kind == "row")
    assert "2018: 12" not in told
    assert "2018: 4,000; 2017: 3,900" in told

from memqa.question import understand
from memqa.quotes import Quote, best_of_passage, best_sentences, in_quotes
from memqa.store.schema import Memory
from models.values import PageSpan

TABLE = (
    "Sales by year are told below.\n"
    "Years ended 2023 2022\n"
    "Net sales $ 46,298 $ 51,761\n"
    "Cost of sales 36,386 40,121\n"
    "Gross profit 9,912 11,640\n"
    "The board met twice."
)


def _passage(text: str) -> Memory:
    return Memory("m.p0", "m", 0, "passage", "text", PageSpan(1, 1, 0, len(text)), text, 0)


def test_a_row_is_told_with_the_heads_of_its_columns_and_without_the_rest_of_the_table() -> None:
    (row,) = best_of_passage(understand("How much were net sales?"), _passage(TABLE), most=1)
    assert row.is_row
    assert "Net sales" in row.text
    assert "2023" in row.text
    assert "46,298" in row.text
    assert "Gross profit" not in row.text


def test_a_sentence_beside_a_table_is_quoted_to_the_letter() -> None:
    (said,) = best_of_passage(understand("How often did the board meet?"), _passage(TABLE), most=1)
    assert said == Quote("The board met twice.")


def test_a_number_is_preferred_where_one_is_asked_for() -> None:
    text = "The ship was old. The ship had 12 guns. The ship sank."
    assert best_sentences(understand("How many guns had the ship?"), text, most=1) == (
        "The ship had 12 guns."
    )


def test_each_sentence_has_its_marks_and_a_row_is_called_one() -> None:
    told = [Quote("One."), Quote("Two"), Quote("Sales: 3", is_row=True)]
    assert in_quotes(told) == "“One.” … “Two” table row “Sales: 3”."
    assert in_quotes([Quote("Is it so?")]) == "“Is it so?”"


def test_nothing_quoted_closes_its_quote() -> None:
    told = [Quote('Fine.” It is „so“ and "so". “Yes'), Quote("a” b", is_row=True)]
    assert in_quotes(told) == "“Fine.’ It is ‚so‘ and 'so'. ‘Yes” table row “a’ b”."

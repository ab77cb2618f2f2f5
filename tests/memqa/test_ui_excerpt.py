"""The words shown beside a place are those that the answer took from it."""

from memqa.ui.excerpt import excerpt, quotes
from memqa.values import Answer, Evidence
from models.values import PageSpan

LONG = "The harbour writes down tide and wind. " * 5 + "Forty-two ships came in March, he said."
PLACE = Evidence(
    "a.p1", "a" * 64, "/v/r.pdf", "document", "text", PageSpan(1, 1, 0, 200), LONG, 0.5
)


def test_a_place_is_shown_from_the_sentence_that_is_quoted() -> None:
    answer = Answer("He said: “Forty-two ships came in March”, and a “cap”.", "grounded", (PLACE,))
    assert quotes(answer) == ["Forty-two ships came in March"]
    assert excerpt(PLACE, 120, quotes(answer)) == "…Forty-two ships came in March, he said."


def test_a_place_of_which_nothing_is_quoted_is_shown_from_its_beginning() -> None:
    shown = excerpt(PLACE, 60, ["not in there"])
    assert shown.startswith("The harbour writes")
    assert len(shown) <= 60
    assert shown.endswith("…")


def test_a_short_place_is_shown_whole() -> None:
    assert excerpt(PLACE, 500, ["Forty-two ships came in March"]) == LONG

"""How the benchmarks judge: what counts as found, as named, as the right page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.answers import Judged, cited_right, figures
from benchmarks.asked import found
from benchmarks.docs import f1
from benchmarks.gold import Gold, turn_characters
from benchmarks.shares import share
from benchmarks.video import names
from memqa.values import Answer, Citation, Evidence
from models.values import PageSpan, TimeSpan


@pytest.mark.parametrize(
    ("start_s", "end_s", "right"),
    [(10, 14, True), (14, 18, True), (16, 18, False), (0, 100, False), (7.9, 8.1, True)],
)
def test_a_moment_is_found_by_its_centre(start_s: float, end_s: float, right: bool) -> None:
    assert found((start_s + end_s) / 2, [[10.0, 14.0]]) is right


def test_an_answer_must_name_all_gold_words() -> None:
    assert names("At 2:05 it reads “PLATFORM 19”.", "PLATFORM 19")
    assert not names("At 2:05 it reads “PLATFORM 18”.", "PLATFORM 19")
    assert not names("Anything", "")


def test_gold_pages_are_found_if_any_is_read() -> None:
    gold = Gold(pages=frozenset({3, 9}))
    assert gold.found_in([PageSpan(2, 3, 0, 9)]) == 1.0
    assert gold.found_in([PageSpan(4, 8, 0, 9)]) == 0.0


def test_gold_turns_are_found_by_their_share() -> None:
    gold = Gold(spans=((0, 10), (50, 60)))
    assert gold.found_in([PageSpan(1, 1, 0, 20)]) == 0.5
    assert Gold().found_in([PageSpan(1, 1, 0, 20)]) is None


def test_turns_are_placed_in_their_transcript_in_order() -> None:
    turns = [{"text": "Yes."}, {"text": "No."}, {"text": "Yes."}]
    assert turn_characters("A: Yes.\nB: No.\nA: Yes.", turns) == [(3, 7), (11, 14), (18, 22)]


def test_f1_counts_shared_words() -> None:
    assert f1("black swan", "black swan") == 1.0
    assert f1("black", "white") == 0.0


def test_a_share_comes_with_its_interval() -> None:
    figures = share("recall", [True] * 8 + [False] * 2)
    assert (figures["recall"], figures["recall_n"]) == (0.8, 10)
    low, high = figures["recall_ci95"]
    assert low == pytest.approx(0.4902, abs=1e-3)
    assert high == pytest.approx(0.9433, abs=1e-3)
    assert share("recall", [])["recall"] is None


def _judged(**known: object) -> Judged:
    plain: dict[str, object] = {
        "group": "said",
        "kind": "said",
        "question": "Who?",
        "gold": "Ann",
        "answer": "Ann.",
        "state": "grounded",
        "is_answerable": True,
        "right": 1.0,
        "quote": 0.0,
    }
    return Judged(**plain | known)  # type: ignore[arg-type]


def test_answers_stand_beside_the_quote_and_sentences_count_each() -> None:
    judged = [
        _judged(sentences=(True, False)),
        _judged(state="unanswered", right=0.0, quote=1.0),
        _judged(group="story", kind="multiple_choice", option=True, longest=False, options=4),
        _judged(group="story", is_answerable=False, state="unanswered", kind="short"),
    ]
    told = figures(judged)
    assert (told["names_gold"]["answer"], told["names_gold"]["quote"]) == (0.5, 0.5)
    assert (told["grounded_cites_gold"], told["grounded_cites_gold_n"]) == (0.5, 2)
    assert told["answered"] == round(2 / 3, 4)
    assert told["abstained_without_answer"] == 1.0
    assert (told["options"]["accuracy"], told["options"]["longest"]) == (1.0, 0.0)
    assert told["options"]["chance"] == 0.25


def test_what_an_ungrounded_answer_cites_is_not_counted() -> None:
    place = Evidence("a.e1", "a", "/f", "video", "said", TimeSpan(4, 6), "Said: Ann", 1.0)
    answer = Answer("Ann.", "grounded", (place,), (Citation(0, 4, ("a.e1",)),))
    assert cited_right(answer, lambda one: one.label == "0:04") == (True,)
    assert cited_right(answer, lambda one: False) == (False,)
    assert cited_right(replace(answer, state="ungrounded"), lambda one: True) == ()

"""How sure a finding is, and the state of the answer that follows from it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from memqa.cues import asks_lively, is_description
from memqa.fuse import Found, Parts
from memqa.question import Question
from memqa.store.schema import Memory
from memqa.values import AnswerState
from models.values import PageSpan

# One logistic score each for moments, passages and persons, fitted on made videos (things that
# never appear against things that do) and on the development documents (questions that have an
# answer against those that have none, that are put to another document, or to the wrong person).
_MOMENT_SEEN, _MOMENT_COVERED, _MOMENT_MEANING = 4.0, 3.0, 3.0
_SHOWN_BIAS, _TOLD_BIAS = -3.7, -3.0
# To see a thing is no answer to what is told of it.
_SEEN_OF_TOLD = 0.25
# How well a described scene fits says little; so many of the best places are right.
_SCENE = 0.35
# The two biases of passages lie 0.7 below the fitted ones, so that what is a little more likely to
# have an answer than not (0.52) comes out at _WORTH_SHOWING.
_PASSAGE_BIAS, _PASSAGE_COVERED, _PASSAGE_MEANING = -0.65, 1.2, 4.0
_UNKNOWN, _STRANGE_NAME, _STRANGE_NUMBER = -1.7, -1.8, -2.1
_OF_WHOM_BIAS, _OF_WHOM = -3.78, 6.0
# A passage is the right one where it stands this far above the next other place, as a share of its
# own score: of the development split's answerable questions 0.95 are (of 41 of 173 that do, 0.88
# of 52 from 0.2 on); how well a passage fits says little of whether another one fits better.
_CLEAR = 0.25
_SURE = 0.5
_WORTH_SHOWING = 0.35


def state_of(question: Question, found: Sequence[Found]) -> AnswerState:
    """Say whether what was found answers, might answer with a warning, or does not answer."""
    sure = trust(question, found)
    if sure >= _SURE and stands_clear(found):
        return "grounded"
    return "ungrounded" if sure >= _WORTH_SHOWING else "unanswered"


def stands_clear(found: Sequence[Found]) -> bool:
    """Tell whether the best place, if it is a passage, is well above any other place.

    The passages beside it, and those on its page, are no other place.
    """
    best = found[0]
    if best.memory.level != "passage":
        return True
    if best.parts.covered <= 0:  # near in meaning alone is too little, above all across languages
        return False
    others = (item.score for item in found[1:] if not _same_place(item.memory, best.memory))
    return best.score - max(others, default=0.0) >= _CLEAR * best.score


def _same_place(one: Memory, two: Memory) -> bool:
    if one.media_id != two.media_id:
        return False
    a, b = one.locator, two.locator
    shares_page = (
        isinstance(a, PageSpan)
        and isinstance(b, PageSpan)
        and a.page <= b.page_end
        and b.page <= a.page_end
    )
    return shares_page or abs(one.order - two.order) <= 1


def trust(question: Question, found: Sequence[Found]) -> float:
    """Give the probability, in [0, 1], that the best place found supports an answer.

    A question about several things needs each of them.
    """
    if not found:
        return 0.0
    if asks_lively(question.text) and is_description(question.focus):
        return _SCENE if found[0].parts.seen > 0 else 0.0
    needed = found[: len(question.things) if question.wants in ("order", "gap") else 1]
    told = question.wants == "what" and question.sense in ("any", "said")
    return min(_of(item, is_told=told) for item in needed)


def _of(item: Found, *, is_told: bool) -> float:
    parts = item.parts
    meaning = max(parts.meaning, 0.0)
    if item.memory.level == "passage":
        return _of_passage(parts, meaning)
    seen = math.sqrt(max(parts.seen, 0.0))
    raw = _TOLD_BIAS if is_told else _SHOWN_BIAS
    raw += _MOMENT_SEEN * seen * (_SEEN_OF_TOLD if is_told else 1.0)
    return _logistic(raw + _MOMENT_COVERED * parts.covered + _MOMENT_MEANING * meaning)


def _of_passage(parts: Parts, meaning: float) -> float:
    """Trust a passage by what it shares with the question, and what no passage knows of it.

    What is said of another person than the one asked about is no answer, however well it fits.
    """
    support = parts.support
    raw = _PASSAGE_BIAS + _PASSAGE_COVERED * parts.covered + _PASSAGE_MEANING * meaning
    raw += _UNKNOWN * support.unknown
    raw += _STRANGE_NAME * support.strange_name + _STRANGE_NUMBER * support.strange_number
    if support.of_whom is None:
        return _logistic(raw)
    return _logistic(min(raw, _OF_WHOM_BIAS + _OF_WHOM * support.of_whom))


def _logistic(raw: float) -> float:
    return 1 / (1 + math.exp(-raw))

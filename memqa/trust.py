"""How sure a finding is, and the state of the answer that follows from it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from memqa.cues import asks_lively, is_description
from memqa.fuse import Found
from memqa.question import Question
from memqa.values import AnswerState

# One logistic score each for moments and passages, fitted on made videos (things that never appear
# against things that do) and on the development documents (the right against a wrong document).
_MOMENT_SEEN, _MOMENT_COVERED, _MOMENT_MEANING = 4.0, 3.0, 3.0
_SHOWN_BIAS, _TOLD_BIAS = -3.7, -3.0
# To see a thing is no answer to what is told of it.
_SEEN_OF_TOLD = 0.25
# How well a described scene fits says little; so many of the best places are right.
_SCENE = 0.35
_PASSAGE_BIAS, _PASSAGE_BOTH = -3.6, 6.0
_SURE = 0.5
_WORTH_SHOWING = 0.35


def state_of(question: Question, found: Sequence[Found]) -> AnswerState:
    """Say whether what was found answers, might answer with a warning, or does not answer."""
    sure = trust(question, found)
    if sure >= _SURE:
        return "grounded"
    return "ungrounded" if sure >= _WORTH_SHOWING else "unanswered"


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
        raw = _PASSAGE_BIAS + _PASSAGE_BOTH * (parts.covered + meaning)
    else:
        seen = math.sqrt(max(parts.seen, 0.0))
        raw = _TOLD_BIAS if is_told else _SHOWN_BIAS
        raw += _MOMENT_SEEN * seen * (_SEEN_OF_TOLD if is_told else 1.0)
        raw += _MOMENT_COVERED * parts.covered + _MOMENT_MEANING * meaning
    return 1 / (1 + math.exp(-raw))

"""A follow-up in full words, by a language model that can be trusted with it; checked by rule."""

from __future__ import annotations

from collections.abc import Sequence

from memqa.chats import Turn
from memqa.cite import claims, numbers
from memqa.prompts import in_full_messages
from models.ports import LanguageModel

_MOST_TURNS = 3
_MOST_CHARS = 300
_MOST_TOKENS = 80
_MOST_ANSWER_CHARS = 400


def in_full(model: LanguageModel, turns: Sequence[Turn], question: str) -> str | None:
    """Rewrite a question so that it stands alone; None where the model's words bring in others.

    All that it claims must stand in the conversation or in the question itself, so that no
    rewriting asks for a thing that nobody spoke of.

    Raises:
        ChatModelUnavailable: the model failed.
    """
    told = [(turn.question, turn.answer.text[:_MOST_ANSWER_CHARS]) for turn in turns[-_MOST_TURNS:]]
    pieces = model.stream(in_full_messages(told, question), max_tokens=_MOST_TOKENS)
    text = " ".join("".join(pieces).split()).strip('"“” ')
    known = " ".join([question, *(part for pair in told for part in pair)])
    is_sound = 0 < len(text) <= _MOST_CHARS and not _strange(text, known)
    return text if is_sound and text != question else None


def _strange(text: str, known: str) -> bool:
    return bool(claims(text) - claims(known) or numbers(text) - numbers(known))

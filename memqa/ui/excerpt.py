"""Which words of a place are shown beside it: those that the answer quotes, else its beginning."""

from __future__ import annotations

import re
from collections.abc import Sequence

from memqa.values import Answer, Evidence

_QUOTED = re.compile(r"[“\"]([^“”\"]+)[”\"]")
_LEAST_QUOTE = 12  # characters; less is a name between quotation marks, not a sentence
_NEAR = 60  # a sentence that begins sooner is seen from the place's beginning on


def quotes(answer: Answer) -> list[str]:
    """Give the sentences that an answer takes over to the letter."""
    return [one.strip() for one in _QUOTED.findall(answer.text) if len(one) >= _LEAST_QUOTE]


def excerpt(item: Evidence, limit: int, quoted: Sequence[str] = ()) -> str:
    """Shorten what was found to ``limit`` characters, from the first sentence quoted on.

    The lines in which an event tells what was seen and said are kept.
    """
    text = "\n".join(" ".join(line.split()) for line in item.text.splitlines() if line.strip())
    if item.kind == "document":
        text = text.replace("\n", " ")
    found = min((at for one in quoted if (at := text.find(one)) >= 0), default=0)
    if len(text) > limit and found > _NEAR:
        text = f"…{text[found:]}"
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"

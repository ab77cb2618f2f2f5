"""Tying an answer to its evidence: which sentence rests on which span, and whether it may.

Alignment happens after the answer is written and never trusts a model's own brackets
(document-memory design, alignment by n-gram overlap, numbers must match).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from docmem.sentences import sentence_spans
from memqa.cues import content_words
from memqa.values import Citation

# Below this share of known words a sentence says something that its source does not.
LEAST_SHARE = 0.8

_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_PLACE = re.compile(
    r"[\[［【]\s*\d+(?:\s*[,–-]\s*\d+)*\s*[\]］】]|\bpp?\.\s*\d|▶|†|\]\(|\bhttps?://|\bwww\.", re.I
)
_SMALL_START = re.compile(r"(?<=\w{3}[.!?])\s+(?=[a-z])")  # a sentence all the same
_QUOTED = re.compile(r"[“\"]([^“”\"]+)[”\"]")
_WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*")
# Words that claim nothing by themselves; all others must stand in the source or the question.
_CLAIMLESS = frozenset(
    "a an the of in on at over to for from by with about as into and or but that this these those "
    "it its they their he she his her is are was were be been being has have had do does did which "
    "who whom whose what when where there then".split()
)
_KEPT_TEXTS, _KEPT_WORDS = 4096, 65_536  # about 10 MB and 10 MB
_SUFFIX = re.compile(r"(?:'s|ing|ed|es|s|e)$")


@dataclass(frozen=True, slots=True)
class Source:
    """Words that an answer may rest on, and the evidence that they come from."""

    evidence_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Support:
    """How far the sentence at ``[char_start, char_end)`` is borne out by its best source.

    ``share`` of its content words stand in the source or the question; ``adds`` of them stand in
    the source alone: a sentence that adds none only repeats what was asked.
    """

    char_start: int
    char_end: int
    share: float
    adds: int
    numbers_match: bool
    evidence_id: str | None

    @property
    def borne_out(self) -> bool:
        """Whether the sentence may be shown as resting on its source."""
        return self.numbers_match and self.adds > 0 and self.share >= LEAST_SHARE


def supports(text: str, question: str, sources: Sequence[Source]) -> list[Support]:
    """Align each sentence of an answer with the source that bears it out best.

    Of the sources only the sentences that share a word with the question count: an order hidden
    beside the answer bears nothing out. A sentence that does speak of what was asked is what the
    media says, whatever its aim.
    """
    asked = claims(question), numbers(question)
    pointed = [replace(one, text=to_the_point(one.text, question)) for one in sources]
    return [_align(text, span, asked, pointed) for span in sentence_spans(text)]


def citations(found: Sequence[Support]) -> tuple[Citation, ...]:
    """Turn the sentences that are borne out into citations; the others stay bare."""
    return tuple(
        Citation(item.char_start, item.char_end, (item.evidence_id,))
        for item in found
        if item.evidence_id and item.borne_out
    )


def claims(text: str) -> set[str]:
    """Give the stems of all words that claim something; numbers are judged apart."""
    return {stem(word.lower()) for word in _WORD.findall(text) if word.lower() not in _CLAIMLESS}


def misquotes(text: str, sources: Sequence[Source]) -> bool:
    """Tell whether something stands between quotation marks that is in no source to the letter."""
    known = [" ".join(source.text.split()).lower() for source in sources]
    quoted = (" ".join(match.split()).lower().strip(" .,") for match in _QUOTED.findall(text))
    return any(not any(quote in one for one in known) for quote in quoted)


def makes_citations(text: str) -> bool:
    """Tell whether a text points to places by itself (``[1]``, ``p. 9``, ``▶ 0:12``, a link).

    Only the program cites; what a model writes in the look of a citation could point anywhere.
    """
    return bool(_PLACE.search(text))


def names(text: str, key: str) -> bool:
    """Tell whether a text names every number and every word of a key that claims something."""
    return numbers(key) <= numbers(text) and claims(key) <= claims(text)


def stems(text: str) -> list[str]:
    """Give the content words of a text with plain English endings cut off."""
    return [stem(word) for word in content_words(text)]


@lru_cache(maxsize=_KEPT_TEXTS)
def stems_in(text: str) -> frozenset[str]:
    """Give the stems of a text without their order; those of the texts asked for last are kept."""
    return frozenset(stems(text))


@lru_cache(maxsize=_KEPT_WORDS)
def stem(word: str) -> str:
    """Cut a plain English ending off a word, never below three letters."""
    cut = _SUFFIX.sub("", word)
    return cut if len(cut) >= 3 else word


def numbers(text: str) -> set[str]:
    """Give the numbers in a text, thousands separators taken out."""
    return set(_counted(text))


def _counted(text: str) -> Counter[str]:
    found = _NUMBER.findall(text)
    return Counter(re.sub(r",(?=\d{3})", "", number).rstrip(".,:") for number in found)


def proper_names(text: str) -> set[str]:
    """Give the words that a text writes with a capital elsewhere than at a sentence's start."""
    inner = (text[start:end].lstrip(" \"'“‘(") for start, end in sentence_spans(text))
    words = (word for sentence in inner for word in list(_WORD.findall(sentence))[1:])
    return {word.lower() for word in words if word[0].isupper() and len(word) > 1}


def rambles(text: str) -> bool:
    """Tell whether a text repeats itself, as small models do when they have lost the thread."""
    words = text.lower().split()
    return len(words) > 12 and len(set(words)) < 0.5 * len(words)


def _align(
    text: str,
    span: tuple[int, int],
    asked: tuple[set[str], set[str]],
    sources: Sequence[Source],
) -> Support:
    sentence = text[slice(*span)]
    words, figures = claims(sentence), numbers(sentence)
    best = Support(*span, share=0.0, adds=0, numbers_match=False, evidence_id=None)
    for source in sources:
        known, counted = claims(source.text), numbers(source.text)
        support = Support(
            *span,
            share=len(words & (known | asked[0])) / len(words) if words else float(bool(figures)),
            adds=len((words & known) - asked[0]) + len((figures & counted) - asked[1]),
            numbers_match=_none_made_up(sentence, source.text, asked[1]),
            evidence_id=source.evidence_id,
        )
        if _worth(support) > _worth(best):
            best = support
    return best


def to_the_point(text: str, question: str) -> str:
    """Give the sentences of a text that share a word with a question."""
    asked = claims(question)
    spans = sentence_spans(text)
    sentences = [one for span in spans for one in _SMALL_START.split(text[slice(*span)])]
    return " ".join(one for one in sentences if claims(one) & asked)


def _none_made_up(sentence: str, source: str, asked: set[str]) -> bool:
    """Tell whether each number stands in the source at least as often, or in the question."""
    known = _counted(source)
    return all(n in asked or times <= known[n] for n, times in _counted(sentence).items())


def _worth(support: Support) -> tuple[bool, float, int]:
    return support.numbers_match, support.share, support.adds

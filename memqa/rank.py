"""How well passages fit a question: words as rare as among the candidates, meaning, neighbours.

The store's search is over the whole library, where a word that tells the pages of one report apart
may be common. Among the candidates its weight is right; so they are ranked anew.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain, pairwise
from math import fsum, log
from typing import Any, TypeVar

import bm25s  # type: ignore[import-untyped]
import numpy as np
import Stemmer  # type: ignore[import-not-found]
from numpy.typing import NDArray

from docmem.about import sentences_of
from memqa.cite import proper_names
from memqa.cues import content_words
from memqa.store.schema import Memory
from models.values import Locator, PageSpan

# Its logger lets everything through, and what it says is of no use to anybody here.
logging.getLogger("bm25s").setLevel(logging.WARNING)

_Term = TypeVar("_Term", str, tuple[str, str])

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?")
_CAPITAL = re.compile(r"\b[A-Z][^\W\d_]*")
# Fitted on the development split, page or turn recall@5 (FinanceBench, MMLongBench text, QMSum,
# LoCoMo single-hop): words and meaning alone .81 .76 .77 .83, with all three .88 .80 .81 .88. Half
# or twice these values change none by more than .03.
_WORDS, _PAIRS, _NEIGHBOURS = 0.5, 0.2, 0.2


_SAME_PAGE = 0.8
_KEPT_TEXTS, _KEPT_WORDS = 4096, 65_536  # about 10 MB and 10 MB
_OTHER = "-"  # any term that is not asked for
_SOFT = 0.2  # how much better a sentence must fit to count e times as much


@dataclass(frozen=True, slots=True)
class Support:
    """How far candidates can bear out an answer at all, whichever of them is the best.

    ``unknown`` is the share of the question's worth in words that no candidate holds; a name or a
    number of the question may be strange to all of them. ``of_whom`` is how far what is said of the
    matter in a conversation of two is said of the one who is asked about, None elsewhere. Where
    nobody looked, nothing is known.
    """

    unknown: float = 1.0
    strange_name: bool = False
    strange_number: bool = False
    of_whom: float | None = None


@dataclass(frozen=True, slots=True)
class Pool:
    """The passages that compete for a question, and what each of their words is worth."""

    passages: Sequence[Memory]
    tokens: Sequence[Sequence[str]]
    found_in: Counter[str]

    @classmethod
    def of(cls, passages: Sequence[Memory]) -> Pool:
        """Take candidates as they were found; heading and text both count."""
        tokens = [words_of(f"{passage.heading}\n{passage.text}") for passage in passages]
        return cls(passages, tokens, Counter(word for one in tokens for word in set(one)))

    def worth(self, word: str) -> float:
        """Give the inverse document frequency of a stem among the candidates (BM25's)."""
        many, rest = self.found_in[word], len(self.passages) - self.found_in[word]
        return log((rest + 0.5) / (many + 0.5) + 1)

    def covered(self, question: str) -> NDArray[np.float64]:
        """Give for each of N passages the share [N] of the question's worth that it holds."""
        worth = self._asked(question)
        total = sum(worth.values()) or 1.0
        held = [set(worth).intersection(one) for one in self.tokens]
        return np.asarray([fsum(worth[word] for word in one) for one in held]) / total

    def support(self, question: str, best: Sequence[int]) -> Support:
        """Say what the candidates know of a question, the ``best`` of them first in rank."""
        worth = self._asked(question)
        unknown = [word for word in worth if word not in self.found_in]
        strange = [
            name
            for name in proper_names(question)
            if (words := words_of(name)) and words[0] not in self.found_in
        ]
        return Support(
            unknown=fsum(worth[word] for word in unknown) / (sum(worth.values()) or 1.0),
            strange_name=bool(strange),
            strange_number=any(
                word[0].isdigit() and word not in self.found_in for word in words_of(question)
            ),
            of_whom=self._of_whom(question, best),
        )

    def _asked(self, question: str) -> dict[str, float]:
        words = words_of(" ".join(content_words(question))) or words_of(question)
        return {word: self.worth(word) for word in words}

    def _of_whom(self, question: str, best: Sequence[int]) -> float | None:
        """Give how far what was said of this is said of the speaker whom the question names.

        Each sentence of the best passages counts by the words it shares with the question.
        """
        said = sentences_of([self.passages[index].text for index in best])
        named = {word for name in _names(question) for word in words_of(name)}
        speakers = {item.speaker: set(words_of(item.speaker)) for item in said}
        meant = [one for one, words in speakers.items() if words and words <= named]
        if len(meant) != 1:
            return None
        worth = self._asked(question)
        for word in words_of(meant[0]):
            worth.pop(word, None)
        total = sum(worth.values()) or 1.0

        def shared(text: str) -> float:
            return fsum(worth.get(word, 0.0) for word in set(words_of(text))) / total

        fits = np.asarray([shared(item.text) + 0.5 * shared(item.turn) for item in said])
        weights = np.exp((fits - fits.max()) / _SOFT)
        shares = np.asarray([item.about[meant[0]] for item in said])
        return float(weights @ shares / weights.sum())

    def fits(self, question: str, meanings: Sequence[float]) -> NDArray[np.float64]:
        """Say how well each of N passages fits, as numbers [N] in [0, 1] relative to the best.

        BM25 (Robertson, Zaragoza 2009) over words and over pairs of neighbouring words, fused half
        and half with the cosine similarities ``meanings`` [N] (zero or less: not known), each
        scaled to its best; then a passage takes on some of what stands right before and after it.
        """
        if not self.passages:
            return np.zeros(0)
        matched = _bm25(self.tokens, self._asked(question))
        pairs = [tuple(pairwise(one)) for one in self.tokens]
        matched += _PAIRS * _bm25(pairs, pairwise(words_of(question)))
        known = np.asarray(meanings, np.float64)
        lowest = known[known > 0].min(initial=known.max(initial=0.0))
        alike = np.maximum(0.0, known - lowest)
        fused = _WORDS * _scaled(matched) + (1 - _WORDS) * _scaled(alike)
        best = float(fused.max())
        return best * _scaled(fused + _NEIGHBOURS * self._beside(fused))

    def spread(self, fits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mark passages down [N] for each better one on their page, where one page may not be all.

        On the development split gold turns of several places among ten (LoCoMo multi-hop, n 10)
        rise from 0.50 to 0.55, pages of lists read within 1,500 tokens do not fall.
        """
        marked = np.asarray(fits, np.float64).copy()
        before: Counter[tuple[str, Locator | int]] = Counter()
        for index in np.argsort(-marked, kind="stable"):
            one = self.passages[index]
            page = one.locator.page if isinstance(one.locator, PageSpan) else one.locator
            marked[index] *= _SAME_PAGE ** before[one.media_id, page]
            before[one.media_id, page] += 1
        return marked

    def _beside(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add up for each passage the values of those next to it in its document."""
        at = {(one.media_id, one.order): index for index, one in enumerate(self.passages)}
        beside = np.zeros(len(values))
        for (media_id, order), index in at.items():
            for neighbour in (order - 1, order + 1):
                if (other := at.get((media_id, neighbour))) is not None:
                    beside[index] += values[other]
        return beside


def _names(question: str) -> set[str]:
    """Give the words of two letters or more that a question writes with a capital."""
    return {word for word in _CAPITAL.findall(question) if len(word) > 1}


@lru_cache(maxsize=_KEPT_TEXTS)
def words_of(text: str) -> tuple[str, ...]:
    """Give the words and numbers of a text in order, as English stems (Snowball).

    What was told last is kept: the same passages come up for question after question.
    """
    return tuple(_stem(word) for word in _WORD.findall(text.lower().replace("’", "'")))


@cache
def _stemmer() -> Any:
    return Stemmer.Stemmer("english")


@lru_cache(maxsize=_KEPT_WORDS)
def _stem(word: str) -> str:
    return str(_stemmer().stemWord(word.removesuffix("'s")))


def _bm25(texts: Sequence[Sequence[_Term]], asked: Iterable[_Term]) -> NDArray[np.float64]:
    """Weigh texts; terms that are not asked for only make them longer, so they go by one name."""
    found = sorted(set(asked).intersection(chain.from_iterable(texts)))
    if not found:
        return np.zeros(len(texts))
    names = {term: str(number) for number, term in enumerate(found)}
    index = bm25s.BM25(k1=1.2)
    index.index([[names.get(one, _OTHER) for one in text] for text in texts], show_progress=False)
    return np.asarray(index.get_scores(list(names.values())), np.float64)


def _scaled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    best = values.max(initial=0.0)
    return values / best if best > 0 else values

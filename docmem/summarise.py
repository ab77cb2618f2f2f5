"""What to say of a stretch of text without a language model: headings and telling sentences.

Extractive, deterministic and faithful: every word stands in the text. Leaves to ``tree.py`` which
stretches there are, and to a language model to write something smoother later.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from math import fsum, log, sqrt

import numpy as np
from numpy.typing import NDArray

from docmem.sentences import count_words, sentence_spans
from models.values import Features

_WORD = re.compile(r"[^\W_]{2,}")
_NUMBER = re.compile(r"\d")
_NAME = re.compile(r"(?<=[a-z,;:)] )[A-Z][a-z]+")
_LEAST_WORDS, _MOST_WORDS = 4, 45
_RELEVANCE = 0.7  # of MMR; the rest goes against redundancy
_SAME = 0.95  # cosine from which two sentences say the same
_TELLING = 0.05  # what a number, a name or the first place is worth in cosine


def telling_sentences(texts: Sequence[str], *, per_text: int = 3) -> list[tuple[str, ...]]:
    """Choose the few sentences of each text that carry most of its own words, in their order.

    Words weigh by tf·idf over the texts. This is the cheap first cut that spares the encoder most
    sentences; the first sentence of a text always stays.
    """
    frequency: Counter[str] = Counter()
    for text in texts:
        frequency.update(set(_words(text)))
    return [_telling(text, frequency, len(texts), per_text) for text in texts]


def representative(sentences: Sequence[str], features: Features, *, max_words: int) -> list[int]:
    """Choose sentences near the centroid of all, none like another, within a number of words.

    Maximal marginal relevance (Carbonell, Goldstein 1998): argmax λ·cos(s, centroid) −
    (1−λ)·max cos(s, chosen), with a little more for numbers and names. ``features`` is [N, D] with
    rows L2-normalised. Gives indices in ascending order, at least one if there is a sentence.
    """
    if not sentences:
        return []
    relevance = features @ _unit(features.mean(axis=0)) + [_worth(text) for text in sentences]
    likeness = features @ features.T
    lengths = [count_words(text) for text in sentences]
    chosen: list[int] = []
    left = max_words
    redundancy = np.zeros(len(sentences), np.float32)
    while open_ := [
        index
        for index in range(len(sentences))
        if redundancy[index] < _SAME and (lengths[index] <= left or not chosen)
    ]:
        value = _RELEVANCE * relevance - (1 - _RELEVANCE) * redundancy
        best = max(open_, key=lambda index: (round(float(value[index]), 6), -index))
        chosen.append(best)
        left -= lengths[best]
        redundancy = np.maximum(redundancy, likeness[:, best])
        redundancy[best] = 1.0
    return sorted(chosen)


def headline(headings: Sequence[str], *, join: str, most: int = 4) -> str:
    """Name a stretch by what its headings share, then by what tells them apart."""
    paths = [heading.split(join) for heading in dict.fromkeys(headings) if heading]
    if not paths:
        return ""
    shared = 0
    while all(len(path) > shared and path[shared] == paths[0][shared] for path in paths):
        shared += 1
    own = list(dict.fromkeys(path[shared] for path in paths if len(path) > shared))
    more = [", ".join(own[:most]) + (", …" if len(own) > most else "")] if own else []
    return join.join([*paths[0][:shared], *more])


def _telling(text: str, frequency: Counter[str], texts: int, most: int) -> tuple[str, ...]:
    found = list(dict.fromkeys(_sentences(text)))
    counts = Counter(_words(text))
    weight = {
        word: count * log((texts + 1) / (frequency[word] + 0.5)) for word, count in counts.items()
    }

    def carries(sentence: str) -> float:
        words = set(_words(sentence))
        return fsum(weight.get(word, 0.0) for word in words) / sqrt(len(words) + 1)

    rest = sorted(range(1, len(found)), key=lambda index: (-carries(found[index]), index))
    kept = sorted([*range(min(1, len(found))), *rest[: most - 1]])
    return tuple(found[index] for index in kept)


def _sentences(text: str) -> list[str]:
    """Give the sentences worth quoting; a text of nothing but rows and shouts gives its start."""
    found = []
    for line in text.split("\n"):
        for start, end in sentence_spans(line):
            sentence = " ".join(line[start:end].split())
            letters = sum(map(str.isalpha, sentence))
            if letters > len(sentence) / 2 and count_words(sentence) >= _LEAST_WORDS:
                found.append(_clipped(sentence))
    return found or [_clipped(" ".join(text.split()))] * bool(text.strip())


def _clipped(sentence: str) -> str:
    words = sentence.split()
    if len(words) > _MOST_WORDS:
        return " ".join(words[:_MOST_WORDS]) + " …"
    return sentence if count_words(sentence) <= _MOST_WORDS else sentence[: _MOST_WORDS * 6] + " …"


def _worth(sentence: str) -> float:
    is_whole = sentence[-1] in '.!?”"' and sentence[0].isupper()
    marks = bool(_NUMBER.search(sentence)) + bool(_NAME.search(sentence)) + 2 * is_whole
    return _TELLING * marks


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0 else vector

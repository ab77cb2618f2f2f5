"""What the searches found, gathered by moment or passage and fused into one ranking.

What is seen, read and said at the same time supports each other. Scores are added up, not ranks:
fusing by rank would throw away how sure the picture encoder was.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from memqa.cite import numbers, proper_names, stems_in
from memqa.cues import asks_lively, asks_many, asks_name, asks_number, is_description
from memqa.question import Question
from memqa.rank import Pool, Support
from memqa.store.schema import Hit, Memory
from memqa.values import Evidence, Media, Modality
from models.values import Locator, TimeSpan

if TYPE_CHECKING:
    from memqa.store.read import Reader

# A moment longer than this is cited by the words in it that matched.
_LONG_MOMENT_S = 15.0


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each sense counts for a kind of question."""

    seen: float
    words: float
    meaning: float


# Fitted on made videos other than the benchmark's and on the development documents.
_SEEN = Weights(seen=1.0, words=0.3, meaning=0.4)
_TOLD = Weights(seen=1.0, words=1.0, meaning=0.4)
_SIGN = Weights(seen=0.2, words=1.0, meaning=0.2)
# A scene is described in words of its own, which the words in it hardly ever are.
_SCENE = Weights(seen=1.0, words=0.0, meaning=0.0)
# What an event without any words is worth to a question that only words can answer, and one
# without a number or a name to a question for such.
_MUTE, _OTHER_KIND = 0.4, 0.85
# A picture that moves less is a still one, one that moves more is lively (0.95 of 480 stills are
# below 1.0, 0.9 of 87 clips above 1.2), and what a moment of the other sort is worth.
_STILL_BELOW, _LIVELY_ABOVE, _OTHER_SORT = 1.2, 2.0, 0.4
_HEARD = 5  # passages of a conversation in which it is heard of whom one speaks
_ANY_WORDS = re.compile(r"^(?:Said|Read|Caption): (.*)", re.M)
_TOLD_AS = {"said": re.compile(r"^Said: (.*)", re.M), "read": re.compile(r"^Read: (.*)", re.M)}


def weights_for(question: Question) -> Weights:
    """Give the weights of the senses for a question.

    What a sign over a thing says is found by the thing; when a named sign is shown, by its words.
    """
    if asks_lively(question.text) and is_description(question.focus):
        return _SCENE
    if question.sense == "read":
        return _SEEN if question.wants == "what" else _SIGN
    if question.wants == "summary" or (question.sense != "seen" and question.wants == "what"):
        return _TOLD
    return _SEEN


@dataclass(slots=True)
class Parts:
    """What each search says of one moment or passage; zero where it said nothing.

    ``covered`` is the share of the question's content words that stand in the matching text; of a
    passage, what the words are worth counts. ``support`` is of all passages found together.
    """

    seen: float = 0.0
    words: float = 0.0
    meaning: float = 0.0
    covered: float = 0.0
    support: Support = field(default_factory=Support)


@dataclass(frozen=True, slots=True)
class Found:
    """One moment or passage with its fused score, its parts and the row that matched best."""

    memory: Memory
    media: Media
    score: float
    parts: Parts
    row: Memory | None = None

    def evidence(self) -> Evidence:
        """Give it as evidence: a long moment is cited where the matching words are said."""
        return Evidence(
            id=self.memory.id,
            media_id=self.memory.media_id,
            path=self.media.path,
            kind=self.media.kind,
            modality=self._modality(),
            locator=self._locator(),
            text=self.memory.text,
            score=self.score,
            boxes=self.memory.boxes,
            thumbnail=self.memory.has_thumbnail,
            node_id=self.memory.parent_id,
        )

    def _modality(self) -> Modality:
        return self.row.modality if self.row else self.memory.modality

    def _locator(self) -> Locator:
        whole = self.memory.locator
        spoken = self.row.locator if self.row else None
        if not isinstance(whole, TimeSpan) or not isinstance(spoken, TimeSpan):
            return whole
        return spoken if whole.end_s - whole.start_s > _LONG_MOMENT_S else whole


class Gathering:
    """Gathers hits by the moment or passage that they belong to."""

    def __init__(self, asked: set[str]) -> None:
        self._asked = asked
        self._parts: dict[str, Parts] = defaultdict(Parts)
        self._rows: dict[str, tuple[float, Memory]] = {}
        self._known: dict[str, Memory] = {}
        self._top_words = 0.0

    def add_words(self, hit: Hit) -> None:
        """Take a BM25 hit; the best one of all counts 1."""
        self._top_words = self._top_words or hit.score
        parts = self._place(hit.memory)
        parts.words = max(parts.words, hit.score / self._top_words)
        self._matched(hit.memory, hit.score / self._top_words)

    def add_meaning(self, hit: Hit) -> None:
        """Take a hit by text vector."""
        parts = self._place(hit.memory)
        parts.meaning = max(parts.meaning, hit.score)
        self._matched(hit.memory, hit.score)

    def add_seen(self, event: Memory, shows: float) -> None:
        """Take how far an event shows the focus."""
        if shows > 0:
            parts = self._place(event)
            parts.seen = max(parts.seen, shows)

    def ranked(self, reader: Reader, question: Question, media: Mapping[str, Media]) -> list[Found]:
        """Fuse the parts of each place and put the best first; ties go by id."""
        missing = [place for place in self._parts if place not in self._known]
        self._known.update(reader.memories_by_id(missing))
        known = {
            place: memory
            for place, memory in self._known.items()
            if place in self._parts and memory.media_id in media
        }
        scores = _scores(question, known, self._parts)
        found = [
            Found(
                memory=memory,
                media=media[memory.media_id],
                score=scores[place],
                parts=self._parts[place],
                row=self._rows[place][1] if place in self._rows else None,
            )
            for place, memory in known.items()
        ]
        return sorted(found, key=lambda item: (-item.score, item.memory.id))

    def _place(self, memory: Memory) -> Parts:
        place = memory.parent_id if memory.level == "observation" else memory.id
        if memory.level != "observation":
            self._known[memory.id] = memory
        parts = self._parts[place or memory.id]
        known = stems_in(memory.text)
        covered = len(self._asked & known) / len(self._asked) if self._asked else 0.0
        parts.covered = max(parts.covered, covered)
        return parts

    def _matched(self, memory: Memory, score: float) -> None:
        """Keep the observation that matched best; an event's own row speaks for no sense."""
        if memory.level == "observation" and memory.parent_id:
            before = self._rows.get(memory.parent_id)
            if before is None or score > before[0]:
                self._rows[memory.parent_id] = (score, memory)


def _scores(
    question: Question, known: Mapping[str, Memory], parts: Mapping[str, Parts]
) -> dict[str, float]:
    """Score every place in [0, 1]; moments and passages each in the way that finds them best."""
    weights = weights_for(question)
    passages = [place for place, memory in known.items() if memory.level == "passage"]
    scores = _passages(question, [known[one] for one in passages], [parts[one] for one in passages])
    moments = {
        place: _fused(parts[place], weights) * _fit(question, memory)
        for place, memory in known.items()
        if memory.level != "passage"
    }
    return dict(zip(passages, scores, strict=True)) | moments


def _passages(
    question: Question, passages: Sequence[Memory], parts: Sequence[Parts]
) -> list[float]:
    """Score passages by how well they fit among all that were found, and note what they hold.

    All are scaled by how strong the best ones are, so that the best of nothing much does not
    outrank a moment that plainly fits.
    """
    if not parts:
        return []
    meanings = [each.meaning for each in parts]
    pool = Pool.of(passages)
    fits, covered = pool.fits(question.text, meanings), pool.covered(question.text)
    support = pool.support(question.text, list(np.argsort(-fits, kind="stable")[:_HEARD]))
    for each, share in zip(parts, covered, strict=True):
        each.covered, each.support = float(share), support
    if asks_many(question.text):
        fits = pool.spread(fits)
    strength = (max(*meanings, 0.0) + covered.max()) / 2
    return list(strength * fits)


def _fit(question: Question, memory: Memory) -> float:
    """Mark down a moment that cannot answer: it lacks the words, or the liveliness, asked for."""
    lively = asks_lively(question.text)
    if memory.moves is not None and lively is not None:
        if lively and memory.moves < _STILL_BELOW:
            return _OTHER_SORT
        if not lively and memory.moves > _LIVELY_ABOVE:
            return _OTHER_SORT
    if memory.level != "event" or not (question.sense == "read" or question.wants == "what"):
        return 1.0
    told = " ".join(_TOLD_AS.get(question.sense, _ANY_WORDS).findall(memory.text))
    named, counted = asks_name(question.text), asks_number(question.text)
    if not told and (question.sense in ("said", "read") or named or counted):
        return _MUTE
    if counted and not numbers(told) - numbers(question.text):
        return _OTHER_KIND
    if named and not proper_names(told) - set(question.words):
        return _OTHER_KIND
    return 1.0


def _fused(parts: Parts, weights: Weights) -> float:
    """Weighted mean of the parts, in [0, 1]; a picture's agreement is used by its square root.

    Agreements are small even for what is plainly there (they are products of probabilities), and
    the root puts them on the scale of the other two. Words count by how much of the question they
    cover: the best of many poor matches is still poor.
    """
    total = weights.seen + weights.words + weights.meaning
    seen = weights.seen * math.sqrt(max(parts.seen, 0.0))
    meaning = weights.meaning * max(parts.meaning, 0.0)
    words = weights.words * parts.words * math.sqrt(parts.covered)
    return (seen + words + meaning) / total

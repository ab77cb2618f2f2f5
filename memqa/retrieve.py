"""Finding the moments and passages that a question is about; decides nothing and writes nothing.

Three searches run side by side: the question's words (BM25), its meaning (text vectors) and what
its focus looks like (picture vectors).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from memqa.cite import stems
from memqa.fuse import Found, Gathering
from memqa.question import Question, content_words, thing_of, understand
from memqa.store.schema import Hit, Memory
from memqa.values import Evidence, Level, Media
from models.ports import ImageEncoder, TextEncoder
from models.values import TimeSpan

if TYPE_CHECKING:
    from memqa.library import Library
    from memqa.store.read import Reader

_CANDIDATES = 200
_TEXT_LEVELS: tuple[Level, ...] = ("observation", "event", "passage")


@dataclass(frozen=True, slots=True)
class Finder:
    """Searches a library's memories with the encoders that wrote them."""

    reader: Reader
    image: ImageEncoder
    text: TextEncoder

    def find(self, question: Question, media: Sequence[Media], *, limit: int = 10) -> list[Found]:
        """Give the moments and passages that fit a question best, best first."""
        return self.find_focus(question, question.focus or question.text, media)[:limit]

    def find_focus(self, question: Question, focus: str, media: Sequence[Media]) -> list[Found]:
        """Rank everything found for one focus of a question, best first."""
        known = {item.id: item for item in media}
        # What was told is found by the whole question, what was shown by its name alone.
        told = question.sense in ("said", "any") and question.wants == "what"
        told = told or all(item.kind == "document" for item in media)
        asked = question.text if told or not focus else focus
        gathered = Gathering(set(stems(asked)))
        for hit in self._by_words(asked, known):
            gathered.add_words(hit)
        for hit in self._by_meaning(asked, known):
            gathered.add_meaning(hit)
        self._add_seen(gathered, thing_of(question.text) if told else focus, known)
        return gathered.ranked(self.reader, question, known)

    def events(self, media_id: str) -> list[Memory]:
        """Give the events of a video in time order."""
        return self.reader.memories(media_id, levels=("event",))

    def _by_words(self, text: str, known: Mapping[str, Media]) -> list[Hit]:
        words = " ".join(content_words(text))
        return self.reader.search_text(
            words, media_ids=list(known), limit=_CANDIDATES, levels=_TEXT_LEVELS
        )

    def _by_meaning(self, text: str, known: Mapping[str, Media]) -> list[Hit]:
        return self.reader.search_vectors(
            self.text.signature,
            self.text.encode([text])[0],
            metric="cosine",
            media_ids=list(known),
            limit=_CANDIDATES,
            levels=_TEXT_LEVELS,
        )

    def _add_seen(self, gathered: Gathering, focus: str, known: Mapping[str, Media]) -> None:
        """Spread what the picture memory's elements show over the events that they cover."""
        videos = [item.id for item in known.values() if item.kind == "video"]
        if not videos:
            return
        hits = self.reader.search_vectors(
            self.image.signature,
            self.image.encode_query(focus),
            metric=self.image.metric,
            media_ids=videos,
            limit=_CANDIDATES,
            levels=("long",),
        )
        vectors = self.reader.vectors(self.image.signature, [hit.memory.id for hit in hits])
        hits = [hit for hit in hits if hit.memory.id in vectors]
        fits = (
            self.image.similarity(focus, np.stack([vectors[hit.memory.id] for hit in hits]))
            if hits
            else ()
        )
        by_media: dict[str, list[Hit]] = defaultdict(list)
        for hit in (Hit(hit.memory, float(fit)) for hit, fit in zip(hits, fits, strict=True)):
            by_media[hit.memory.media_id].append(hit)
        for media_id, elements in by_media.items():
            for event in self.events(media_id):
                gathered.add_seen(event, max((_shows(hit, event) for hit in elements), default=0.0))


def search(
    library: Library, query: str, *, media_ids: Sequence[str] | None = None, limit: int = 10
) -> list[Evidence]:
    """Find the moments and pages that fit a query best, each span once; no language model."""
    if not content_words(query):
        return []  # nothing is asked for, and the nearest vector to nothing is a guess
    media = [item for item in library.media() if media_ids is None or item.id in media_ids]
    engines = library.engines
    finder = Finder(library.store.read, engines.image_encoder(), engines.text_encoder())
    unique: dict[object, Evidence] = {}
    for found in finder.find(understand(query), media, limit=2 * limit) if media else ():
        evidence = found.evidence()
        unique.setdefault((evidence.media_id, evidence.locator), evidence)
    return list(unique.values())[:limit]


def _shows(hit: Hit, event: Memory) -> float:
    """Say how far an element speaks for an event: by the share of the element inside it."""
    element = hit.memory.locator
    if not isinstance(element, TimeSpan) or not isinstance(event.locator, TimeSpan):
        return 0.0
    length = element.end_s - element.start_s
    if length <= 0:
        return hit.score if event.locator.start_s <= element.start_s < event.locator.end_s else 0.0
    return hit.score * min(1.0, element.overlap_s(event.locator) / length)

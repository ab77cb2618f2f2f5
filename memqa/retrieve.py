"""Finding the moments and passages that a question is about; decides nothing and writes nothing.

Three searches run side by side: the question's words (BM25), its meaning (text vectors) and what
its focus looks like (picture vectors).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from memqa.cite import stems
from memqa.cues import content_words, is_description, thing_of
from memqa.fuse import Found, Gathering
from memqa.held import memory_of, timeline_of
from memqa.question import Question, understand
from memqa.store.schema import Hit, Memory
from memqa.values import Attention, Evidence, Level, Media
from models.errors import InputError, StoreMismatch
from models.ports import ImageEncoder, TextEncoder
from models.values import TimeSpan

if TYPE_CHECKING:
    from memqa.opened import Opened
    from memqa.store.read import Reader
    from vidmem.memory.contract import MemoryRead

_CANDIDATES = 200
# Elements of picture memories that the encoder compares with the question: about all of one video
# of the default size, and no more however many the videos are.
_ELEMENTS, _MOST_ELEMENTS = 1200, 12_000
_SHOWN = 50  # videos whose pictures are looked at: of more, those with the nearest elements
_READ = 5  # videos whose method's own read takes part
_TEXT_LEVELS: tuple[Level, ...] = ("observation", "event", "passage")


@dataclass(frozen=True, slots=True)
class Shown:
    """How well elements fit a focus: their spans [M, 2] in seconds, and fits [M]."""

    spans: NDArray[np.float64]
    fits: NDArray[np.float64]

    def over(self, events: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give for each event [E, 2] its best element's fit, by the share of the element inside."""
        if not len(events):
            return np.zeros(0)
        (start, end), (from_s, to_s) = self.spans.T, (events[:, :1], events[:, 1:])
        shared = np.maximum(0.0, np.minimum(end, to_s) - np.maximum(start, from_s))
        length = end - start
        moment = (length <= 0) & (from_s <= start) & (start < to_s)
        share = np.where(moment, 1.0, shared / np.where(length > 0, length, np.inf))
        return np.asarray((share * self.fits).max(axis=1))

    def attended(self, read: MemoryRead, events: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give for each event [E, 2] its fit, whole where a method's own read attends to it most.

        An event that the read passes over counts for a third.
        """
        spans = np.asarray([(span.start_s, span.end_s) for span in read.spans]).reshape(-1, 2)
        weights = Shown(spans, read.weights.astype(np.float64)).over(events)
        share = weights / max(float(weights.max(initial=0.0)), 1e-12)
        return np.asarray(self.over(events) * (1 + 2 * share) / 3)


@dataclass(frozen=True, slots=True)
class Finder:
    """Searches a library's memories with the encoders that wrote them.

    It remembers its last search, since the walk asks for more of what answering asked for.
    """

    reader: Reader
    image: ImageEncoder
    text: TextEncoder
    _last: dict[tuple[Question, str, tuple[str, ...]], list[Found]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def find(self, question: Question, media: Sequence[Media], *, limit: int = 10) -> list[Found]:
        """Give the moments and passages that fit a question best, best first."""
        return self.find_focus(question, question.focus or question.text, media)[:limit]

    def find_focus(self, question: Question, focus: str, media: Sequence[Media]) -> list[Found]:
        """Rank everything found for one focus of a question, best first."""
        key = question, focus, tuple(item.id for item in media)
        if key not in self._last:
            ranked = self._ranked(question, focus, media)
            self._last.clear()
            self._last[key] = ranked
        return list(self._last[key])

    def _ranked(self, question: Question, focus: str, media: Sequence[Media]) -> list[Found]:
        known = {item.id: item for item in media}
        # What was told is found by the whole question, what was shown by its name alone.
        told = question.sense in ("said", "any") and question.wants == "what"
        told = told or all(item.kind == "document" for item in media)
        asked = question.text if told or not focus else focus
        if not content_words(asked):  # the page nearest to nothing is a guess
            known = {media_id: item for media_id, item in known.items() if item.kind != "document"}
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
            self.text.encode_query(text),
            metric="cosine",
            media_ids=list(known),
            limit=_CANDIDATES,
            levels=_TEXT_LEVELS,
        )

    def shown(self, focus: str, videos: Sequence[str]) -> dict[str, Shown]:
        """Say for each video when its picture memory shows something like the focus, and how much.

        The store finds the nearest elements; the encoder then says how well each fits. Of very many
        videos those with the nearest elements count.
        """
        near = self.reader.nearest(
            self.image.signature,
            self.image.encode_query(focus),
            metric=self.image.metric,
            media_ids=videos,
            limit=min(_ELEMENTS * len(videos), _MOST_ELEMENTS),
            levels=("long",),
        )
        first = set(list(dict.fromkeys(one.media_id for one in near))[:_SHOWN])
        ids = [one.id for one in near if one.media_id in first]
        vectors = self.reader.vectors(self.image.signature, ids)
        memories = self.reader.memories_by_id(ids)
        rows = [memories[id_] for id_ in ids if id_ in memories and id_ in vectors]
        if not rows:
            return {}
        fits = self.image.similarity(focus, np.stack([vectors[row.id] for row in rows]))
        by_media: dict[str, list[tuple[Memory, float]]] = defaultdict(list)
        for row, fit in zip(rows, fits, strict=True):
            by_media[row.media_id].append((row, float(fit)))
        return {
            media_id: Shown(
                np.asarray([_span(row) for row, _ in found]), np.asarray([fit for _, fit in found])
            )
            for media_id, found in by_media.items()
        }

    def _add_seen(self, gathered: Gathering, focus: str, known: Mapping[str, Media]) -> None:
        """Spread what the picture memory's elements show over the events that they cover.

        In the videos that show it best, what the method's own read attends to counts most. A
        description names many things, so that no read is for it.
        """
        videos = [item.id for item in known.values() if item.kind == "video"]
        found = self.shown(focus, videos) if videos else {}
        best = sorted(found, key=lambda media_id: -found[media_id].fits.max())
        events_of = self.reader.memories_of(best, level="event")
        for place, media_id in enumerate(best):
            shown, events = found[media_id], events_of[media_id]
            spans = np.asarray([_span(event) for event in events]).reshape(-1, 2)
            held = memory_of(self.reader, media_id) if place < _READ else None
            if held is None or is_description(focus):
                fits = shown.over(spans)
            else:
                fits = shown.attended(held[1].read(self.image.encode_query(focus)), spans)
            for event, fit in zip(events, fits, strict=True):
                gathered.add_seen(event, float(fit))


def search(
    library: Opened, query: str, *, media_ids: Sequence[str] | None = None, limit: int = 10
) -> list[Evidence]:
    """Find the moments and pages that fit a query best, each span once; no language model."""
    if not content_words(query):
        return []  # nothing is asked for, and the nearest vector to nothing is a guess
    named = None if media_ids is None else set(media_ids)
    media = [item for item in library.media() if named is None or item.id in named]
    engines = library.engines
    finder = Finder(library.store.read, engines.image_encoder(), engines.text_encoder())
    unique: dict[object, Evidence] = {}
    for found in finder.find(understand(query), media, limit=2 * limit) if media else ():
        evidence = found.evidence()
        unique.setdefault((evidence.media_id, evidence.locator), evidence)
    return list(unique.values())[:limit]


def attention(library: Opened, question: str, media: Media) -> list[Attention]:
    """Give the density of a question over a video's time line.

    Raises:
        InputError: the media has no picture memory.
        StoreMismatch: another picture encoder made it.
    """
    row = library.store.read.media_row(media.id)
    memory = timeline_of(library.store.read, media.id) if media.kind == "video" else None
    if row is None or memory is None:
        raise InputError(f"{media.name} has no picture memory whose time line could be asked")
    asked, eyes = understand(question), library.engines.image_encoder()
    if row.signatures.get("image") != eyes.signature:
        raise StoreMismatch(
            f"the pictures of {media.name} were indexed with another picture encoder than the one "
            "in use; bring them up to date with `memqa reindex`"
        )
    query = eyes.encode_query(asked.focus or asked.text)
    found = memory.density(query)
    return [Attention(span.start_s, span.end_s, density) for span, density in found]


def _span(memory: Memory) -> tuple[float, float]:
    assert isinstance(memory.locator, TimeSpan)
    return memory.locator.start_s, memory.locator.end_s

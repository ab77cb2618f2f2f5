"""Knows the three ways of finding passages that are compared: plain BM25, flat, and the walk."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from memqa.cues import content_words
from memqa.library import Library
from memqa.question import understand
from memqa.retrieve import Finder
from memqa.store.schema import Memory
from memqa.values import Media
from memqa.walks import leaves_of

_MOST = 60
_RANK_CONSTANT = 60


def ways_of(
    library: Library, question: str, media: Media
) -> Iterator[tuple[str, list[Memory], float]]:
    """Yield what each way finds in one document, best first, and the seconds it took.

    ``bm25``: the question's words. ``flat``: these and the nearest vectors, fused by reciprocal
    rank (Cormack, Clarke, Büttcher 2009). ``walk``: what the product reads, in its order, and what
    it found beyond that.
    """
    reader, engines = library.store.read, library.engines
    image, text = engines.image_encoder(), engines.text_encoder()
    began = time.perf_counter()
    words = " ".join(content_words(question)) or question
    hits = reader.search_text(words, media_ids=[media.id], limit=_MOST, levels=("passage",))
    told = [hit.memory for hit in hits]
    yield "bm25", told, time.perf_counter() - began
    near = reader.search_vectors(
        text.signature,
        text.encode([question])[0],
        metric="cosine",
        media_ids=[media.id],
        limit=_MOST,
        levels=("passage",),
    )
    yield "flat", _fused(told, [hit.memory for hit in near]), time.perf_counter() - began
    began = time.perf_counter()
    finder = Finder(reader, image, text)
    found = finder.find(understand(question), [media], limit=_MOST)
    by_order = {item.memory.order: item.memory for item in found}
    read = leaves_of(finder, found, question)
    rest = [order for order in by_order if order not in read]
    yield "walk", [by_order[order] for order in (*read, *rest)], time.perf_counter() - began


def _fused(*lists: Sequence[Memory]) -> list[Memory]:
    worth: dict[str, float] = {}
    for found in lists:
        for rank, memory in enumerate(found, 1):
            worth[memory.id] = worth.get(memory.id, 0.0) + 1 / (_RANK_CONSTANT + rank)
    known = {memory.id: memory for found in lists for memory in found}
    return [known[one] for one in sorted(worth, key=lambda one: (-worth[one], one))]

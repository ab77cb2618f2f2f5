"""Knows the three ways of finding passages that are compared: plain BM25, flat, and the walk."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from docmem.extracts import excerpt
from docmem.sentences import count_words
from memqa.cues import content_words
from memqa.library import Library
from memqa.question import understand
from memqa.retrieve import Finder
from memqa.store.schema import Memory
from memqa.values import Media
from memqa.walks import leaves_of
from models.values import PageSpan

_MOST = 60
_RANK_CONSTANT = 60


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage that a way of finding names, what it reads of it, and how many words that is."""

    found: PageSpan
    read: PageSpan
    words: int


def ways_of(
    library: Library, question: str, media: Media
) -> Iterator[tuple[str, list[Piece], float]]:
    """Yield what each way reads of one document, best first, and the seconds it took.

    ``bm25``: the passages that share the question's words. ``flat``: these and the nearest vectors,
    fused by reciprocal rank (Cormack, Clarke, Büttcher 2009). ``ranked``: what the product's search
    finds, whole. ``walk``: the excerpts of it that the product's walk keeps, in the order read, and
    those of what was found beyond them.
    """
    reader, engines = library.store.read, library.engines
    image, text = engines.image_encoder(), engines.text_encoder()
    began = time.perf_counter()
    words = " ".join(content_words(question)) or question
    hits = reader.search_text(words, media_ids=[media.id], limit=_MOST, levels=("passage",))
    told = [hit.memory for hit in hits]
    yield "bm25", list(map(_whole, told)), time.perf_counter() - began
    near = reader.search_vectors(
        text.signature,
        text.encode_query(question),
        metric="cosine",
        media_ids=[media.id],
        limit=_MOST,
        levels=("passage",),
    )
    flat = _fused(told, [hit.memory for hit in near])
    yield "flat", list(map(_whole, flat)), time.perf_counter() - began
    began = time.perf_counter()
    finder = Finder(reader, image, text)
    found = finder.find(understand(question), [media], limit=_MOST)
    yield "ranked", [_whole(item.memory) for item in found], time.perf_counter() - began
    by_order = {item.memory.order: item.memory for item in found}
    read = leaves_of(finder, found, question)
    rest = [order for order in by_order if order not in read]
    kept = [_kept(question, by_order[order]) for order in (*read, *rest)]
    yield "walk", kept, time.perf_counter() - began


def _whole(memory: Memory) -> Piece:
    assert isinstance(memory.locator, PageSpan)
    return Piece(memory.locator, memory.locator, count_words(memory.text))


def _kept(question: str, memory: Memory) -> Piece:
    """Give the excerpt of a passage.

    A table head written before it is no part of the document's stretch: then the whole counts.
    """
    place = memory.locator
    assert isinstance(place, PageSpan)
    start, end = excerpt(question, memory.text)
    words = count_words(memory.text[start:end])
    if len(memory.text) > place.char_end - place.char_start:
        return Piece(place, place, count_words(memory.text))
    begin, finish = place.char_start + start, place.char_start + end
    return Piece(place, PageSpan(place.page, place.page_end, begin, finish), words)


def _fused(*lists: Sequence[Memory]) -> list[Memory]:
    worth: dict[str, float] = {}
    for found in lists:
        for rank, memory in enumerate(found, 1):
            worth[memory.id] = worth.get(memory.id, 0.0) + 1 / (_RANK_CONSTANT + rank)
    known = {memory.id: memory for found in lists for memory in found}
    return [known[one] for one in sorted(worth, key=lambda one: (-worth[one], one))]

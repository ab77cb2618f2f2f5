"""What happened when: order, neighbours and single moments, read off the stored events.

Nothing here guesses: a relation ("after the bus", "which came first", "at 12:30") is looked up in
the row of events that ingest wrote.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from memqa.fuse import Found, Parts
from memqa.question import Question
from memqa.retrieve import Finder
from memqa.store.schema import Memory
from memqa.values import Media
from models.values import TimeSpan

SURE = Parts(seen=1.0, words=1.0, meaning=1.0, covered=1.0)


def locate(question: Question, finder: Finder, media: Sequence[Media]) -> list[Found]:
    """Give the places a question is about, best first, obeying its relation to time."""
    if question.wants == "summary":
        return _roots(finder, media)
    if all(item.kind == "document" for item in media):
        return finder.find(question, media)
    if question.at_s is not None:
        return _around(question, finder, media)
    if question.wants == "order":
        return _two(question, finder, media)
    if question.wants in ("after", "before"):
        return _beside_anchor(question, finder, media)
    return finder.find(question, media)


def _around(question: Question, finder: Finder, media: Sequence[Media]) -> list[Found]:
    """Give the event at the moment asked about, or its neighbour, for each video in question.

    Where some are being watched just now, "now" means those.
    """
    assert question.at_s is not None
    timed = [item for item in media if item.kind != "document"]
    watched = [item for item in timed if item.status == "indexing"]
    found = []
    for item in watched if math.isinf(question.at_s) and watched else timed:
        events = finder.events(item.id)
        place = at(events, question.at_s)
        if place is not None:
            found += _step_aside(question, events, place, item)
    return found


def _beside_anchor(question: Question, finder: Finder, media: Sequence[Media]) -> list[Found]:
    """Give the event next to the one that shows the focus (or that was cited before)."""
    anchor = _anchor(question, finder, media)
    if anchor is None or not isinstance(anchor.memory.locator, TimeSpan):
        return finder.find(question, media)
    events = finder.events(anchor.media.id)
    place = next((i for i, event in enumerate(events) if event.id == anchor.memory.id), None)
    if place is None:
        return finder.find(question, media)
    found = _step_aside(question, events, place, anchor.media)
    return [Found(one.memory, one.media, anchor.score, anchor.parts) for one in found] + [anchor]


def _anchor(question: Question, finder: Finder, media: Sequence[Media]) -> Found | None:
    if question.anchor_id:
        memory = finder.reader.memories_by_id([question.anchor_id]).get(question.anchor_id)
        owner = next((item for item in media if memory and item.id == memory.media_id), None)
        if memory and owner:
            return Found(memory, owner, 1.0, SURE)
    videos = [item for item in media if item.kind != "document"]
    found = finder.find_focus(question, question.focus, videos) if question.focus else []
    return found[0] if found else None


def _two(question: Question, finder: Finder, media: Sequence[Media]) -> list[Found]:
    """Give the best showing of each of two things in one video; empty where none shows both.

    Pages have no time, and times of two videos have no order: the video counts that shows the worse
    found of the two things best.
    """
    timed = [item for item in media if item.kind != "document"]
    one, other = (
        _best_by_media(finder.find_focus(question, focus, timed) if focus else [])
        for focus in (question.focus, question.other)
    )
    pairs = [(one[media_id], other[media_id]) for media_id in one if media_id in other]
    return list(max(pairs, key=lambda pair: min(item.score for item in pair), default=()))


def _best_by_media(found: Sequence[Found]) -> dict[str, Found]:
    best: dict[str, Found] = {}
    for item in found:
        best.setdefault(item.media.id, item)
    return best


def _roots(finder: Finder, media: Sequence[Media]) -> list[Found]:
    """Give the highest summary of each media: the one node without a parent."""
    found = []
    for item in media:
        nodes = finder.reader.memories(item.id, levels=("summary",))
        roots = [node for node in nodes if node.parent_id is None]
        found += [Found(root, item, 1.0, SURE) for root in roots[:1]]
    return found


def _step_aside(
    question: Question, events: Sequence[Memory], place: int, media: Media
) -> list[Found]:
    place += {"after": 1, "before": -1}.get(question.wants, 0)
    if not 0 <= place < len(events):
        return []
    return [Found(events[place], media, 1.0, SURE)]


def at(events: Sequence[Memory], at_s: float) -> int | None:
    """Give the index of the event that holds a moment; the last one for a moment after the end."""
    for index, event in enumerate(events):
        assert isinstance(event.locator, TimeSpan)
        if at_s < event.locator.end_s:
            return index
    return len(events) - 1 if events else None

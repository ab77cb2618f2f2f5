"""What happened when: order, neighbours, stretches and moments, read off the stored events.

Nothing here guesses: a relation ("after the bus", "which came first", "at 12:30", "in the last
minute") is looked up in the row of events that ingest wrote.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from memqa.cues import asks_whether, is_negated
from memqa.fuse import Found, Parts
from memqa.question import Question
from memqa.retrieve import Finder
from memqa.store.schema import Memory
from memqa.values import Media
from models.values import TimeSpan

SURE = Parts(seen=1.0, words=1.0, meaning=1.0, covered=1.0)
_MOST_PLACES = 10
_OF_ALL = ("when", "count", "how_long")  # every place where the thing is shown counts


def locate(question: Question, finder: Finder, media: Sequence[Media]) -> list[Found]:
    """Give the places a question is about, obeying its relation to time.

    Best first; of several things the best place of each, in the order in which they are named.
    """
    if question.wants == "summary":
        return _roots(finder, media)
    media = _of_now(question, media)
    if all(item.kind == "document" for item in media):
        return finder.find(question, media)
    if question.wants in _OF_ALL and is_negated(question.text):
        return []  # what is not shown is not remembered
    if question.at_s is not None:
        return _around(question, finder, media)
    if question.wants == "how_long" and (named := _meant_as_a_whole(question, media)):
        return _roots(finder, named)
    if not question.others and (
        question.wants == "between" or (question.wants == "how_long" and not question.focus)
    ):
        return _throughout(question, finder, media)
    if question.others:
        return _each(question, finder, media) or _on_pages(question, finder, media)
    if question.wants in ("after", "before"):
        return _beside_anchor(question, finder, media)
    found = _inside(question, finder.find_focus(question, question.focus or question.text, media))
    return found if question.wants in _OF_ALL else found[:_MOST_PLACES]


def _of_now(question: Question, media: Sequence[Media]) -> Sequence[Media]:
    """Give what a question means that counts from now: what is being watched, where something is.

    A live source alone has no length while it is taken in.
    """
    stretch = question.within
    is_of_now = question.at_s == math.inf or (stretch is not None and stretch.start < 0)
    watched = [one for one in media if one.status == "indexing" and one.duration_s is None]
    return [one for one in watched if one.kind == "video"] or media if is_of_now else media


def _on_pages(question: Question, finder: Finder, media: Sequence[Media]) -> list[Found]:
    """Give what documents say, where no video can answer."""
    documents = [item for item in media if item.kind == "document"]
    return finder.find(question, documents) if documents else []


def _inside(question: Question, found: Sequence[Found]) -> list[Found]:
    """Keep the moments whose middle lies in the stretch asked about; pages have no time.

    Where it is asked how long, what lies inside of each moment; where it is asked what is shown in
    the stretch, every moment that reaches into it.
    """
    if question.within is None:
        return list(found)
    kept = []
    for item in found:
        span = item.memory.locator
        if not isinstance(span, TimeSpan):
            kept.append(item)
            continue
        stretch = question.within.of(_length_s(item.media))
        if question.wants not in ("how_long", "between"):
            kept += [item] if stretch.start_s <= span.centre_s < stretch.end_s else []
        elif span.overlap_s(stretch) > 0:
            part = TimeSpan(max(span.start_s, stretch.start_s), min(span.end_s, stretch.end_s))
            locator = part if question.wants == "how_long" else span
            kept.append(replace(item, memory=replace(item.memory, locator=locator)))
    return kept


def _throughout(question: Question, finder: Finder, media: Sequence[Media]) -> list[Found]:
    """Give every event in a stretch of time, in its order."""
    timed = [item for item in media if item.kind != "document"]
    shown = [Found(event, item, 1.0, SURE) for item in timed for event in finder.events(item.id)]
    return _inside(question, shown)


def _meant_as_a_whole(question: Question, media: Sequence[Media]) -> list[Media]:
    """Give the media whose own length is asked for: the one named, or all where no thing is.

    Where a stretch is named, it is not theirs.
    """
    if question.within is not None:
        return []
    named = [item for item in media if question.focus in (item.name, PurePath(item.name).stem)]
    return named or (list(media) if not question.focus else [])


def _around(question: Question, finder: Finder, media: Sequence[Media]) -> list[Found]:
    """Give the event at the moment asked about, or its neighbour, for each video in question.

    Whether a thing is there is as sure as the event shows it.
    """
    assert question.at_s is not None
    timed = [item for item in media if item.kind != "document"]
    found = []
    for item in timed:
        if _length_s(item) + 1 < question.at_s < math.inf:
            continue  # it has no such moment
        events = finder.events(item.id)
        place = at(events, question.at_s)
        if place is not None:
            found += _step_aside(question, events, place, item)
    if asks_whether(question.text) and question.focus:
        known = {one.memory.id: one for one in finder.find_focus(question, question.focus, media)}
        return [known.get(one.memory.id, replace(one, parts=Parts())) for one in found]
    return found


def _beside_anchor(question: Question, finder: Finder, media: Sequence[Media]) -> list[Found]:
    """Give the event next to the one that shows the focus (or that was cited before).

    Then that one; nothing where nothing lies there.
    """
    anchor = _anchor(question, finder, media)
    events = finder.events(anchor.media.id) if anchor else []
    place = next(
        (i for i, event in enumerate(events) if anchor and event.id == anchor.memory.id), None
    )
    if anchor is None or place is None:
        return _on_pages(question, finder, media)
    beside = _step_aside(question, events, place, anchor.media)
    found = [replace(one, score=anchor.score, parts=anchor.parts) for one in beside]
    return [*found, anchor] if found else []


def _anchor(question: Question, finder: Finder, media: Sequence[Media]) -> Found | None:
    if question.anchor_id:
        memory = finder.reader.memories_by_id([question.anchor_id]).get(question.anchor_id)
        owner = next((item for item in media if memory and item.id == memory.media_id), None)
        if memory and owner:
            return Found(memory, owner, 1.0, SURE)
    videos = [item for item in media if item.kind != "document"]
    found = finder.find_focus(question, question.focus, videos) if question.focus else []
    return found[0] if found else None


def _each(question: Question, finder: Finder, media: Sequence[Media]) -> list[Found]:
    """Give the best showing of each of several things in one video; empty where none shows all.

    Pages have no time, and times of two videos have no order: the video counts that shows the worst
    found of the things best. For what lies between two things, the events there are given.
    """
    timed = [item for item in media if item.kind != "document"]
    best = [
        _best_by_media(_inside(question, finder.find_focus(question, thing, timed)))
        for thing in question.things
    ]
    sets = [
        [one[media_id] for one in best]
        for media_id in best[0]
        if all(media_id in one for one in best)
    ]
    found = max(sets, key=lambda each: min(item.score for item in each), default=[])
    return _events_between(finder, found) if question.wants == "between" else found


def _events_between(finder: Finder, ends: Sequence[Found]) -> list[Found]:
    """Give the events between two places, as sure as the less sure of them."""
    if not ends:
        return []
    first, last = sorted(item.memory.order for item in ends)
    least = min(ends, key=lambda item: item.score)
    return [
        Found(event, least.media, least.score, least.parts)
        for event in finder.events(least.media.id)
        if first < event.order < last
    ]


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
        if len(roots) == 1:  # several: the tree still grows
            found.append(Found(roots[0], item, 1.0, SURE))
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


def _length_s(media: Media) -> float:
    return media.duration_s or media.remembered_s or 0.0

"""A video's time line: what was seen, said and read, as marks on one axis.

Pure functions of memories; positions are percent of the duration, so that the page can zoom by
making the strip wider.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from memqa.store.schema import Memory
from memqa.ui.density import STICKY_WORDS, sticky_html
from memqa.ui.markup import Safe, el, join
from memqa.values import Media, Modality
from models.values import TimeSpan, clock

MOST_TICKS = 600  # per row; more would lie on top of one another


@dataclass(frozen=True, slots=True)
class Mark:
    """Something at ``[start_s, end_s)``; ``memory_id`` is given where it has a thumbnail."""

    start_s: float
    end_s: float
    text: str
    memory_id: str | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """The marks of one media, row by row; ``reach_s`` is how far memory goes while indexing."""

    media_id: str
    duration_s: float
    reach_s: float
    events: tuple[Mark, ...]
    said: tuple[Mark, ...]
    read: tuple[Mark, ...]
    has_picture: bool = True
    sticky: tuple[TimeSpan, ...] = ()


def timeline(
    media: Media, memories: Iterable[Memory], *, sticky: Sequence[TimeSpan] = ()
) -> Timeline:
    """Sort a media's events and observations into rows."""
    found = [one for one in memories if isinstance(one.locator, TimeSpan)]
    events = [one for one in found if one.level == "event"]
    observed = [one for one in found if one.level == "observation"]
    end_s = max((mark.end_s for mark in map(_mark, found)), default=0.0)
    duration_s = max(media.duration_s or 0.0, end_s)
    return Timeline(
        media_id=media.id,
        duration_s=duration_s,
        reach_s=duration_s if media.status in ("indexed", "partial") else media.remembered_s or 0.0,
        events=tuple(map(_mark, events)),
        said=_of(observed, "said"),
        read=_of(observed, "read"),
        has_picture=media.kind == "video",
        sticky=tuple(sticky),
    )


def _of(observed: Sequence[Memory], modality: Modality) -> tuple[Mark, ...]:
    return tuple(_mark(one) for one in observed if one.modality == modality)


def _mark(memory: Memory) -> Mark:
    assert isinstance(memory.locator, TimeSpan)
    return Mark(
        memory.locator.start_s,
        memory.locator.end_s,
        memory.text,
        memory.id if memory.has_thumbnail else None,
    )


def timeline_html(line: Timeline) -> Safe:
    """Write the rows and what they show in words; a row with nothing in it says so."""
    if line.duration_s <= 0:
        return el("p", "Nothing is known of its time yet.", class_="quiet")
    brackets = el("span", STICKY_WORDS, class_="sticky-words") if line.sticky else None
    words = el("p", el("span", class_="attention-words"), brackets, class_="quiet line-words")
    return join([_line(line), words if line.has_picture else None])


def _line(line: Timeline) -> Safe:
    rows = (
        _attention(line),
        _row("Events", line, [_event(one, line) for one in line.events], "nothing yet"),
        _row("Speech", line, _ticks(line.said, line), "no speech found"),
        _row("On screen", line, _ticks(line.read, line), "no text found")
        if line.has_picture
        else None,
    )
    strip = el(
        "div",
        [row for row in rows if row],
        _axis(line.duration_s),
        el("div", class_="evidence-marks", aria_hidden="true"),
        el("div", class_="playhead", aria_hidden="true"),
        class_="strip",
    )
    return el(
        "div",
        strip,
        class_="timeline",
        tabindex=0,
        role="slider",
        aria_label="Time line: arrow keys go from event to event",
        aria_valuemin=0,
        aria_valuemax=round(line.duration_s),
        aria_valuenow=0,
        aria_valuetext="0:00",
        data_media=line.media_id,
        data_duration=line.duration_s,
    )


def _attention(line: Timeline) -> Safe:
    """Leave room for the attention of a question, which the page fills in when one was asked."""
    nothing = (
        "ask something to see where it looks"
        if line.has_picture
        else "there are no pictures to look at"
    )
    return el(
        "div",
        el("span", "Attention", class_="row-name"),
        el(
            "div",
            el("span", nothing, class_="nothing"),
            el("div", class_="attended", data_key="attended"),
            sticky_html(line.sticky, line.duration_s),
            class_="lane",
        ),
        class_="row attention",
    )


def _row(name: str, line: Timeline, marks: Sequence[Safe], nothing: str) -> Safe:
    waiting = line.reach_s < line.duration_s and not marks
    empty = el("span", "not looked at yet" if waiting else nothing, class_="nothing")
    return el(
        "div",
        el("span", name, class_="row-name"),
        el("div", join(marks) if marks else empty, class_="lane"),
        class_=f"row {name.split()[0].lower()}",
    )


def _event(mark: Mark, line: Timeline) -> Safe:
    first = _headline(mark.text)
    return el(
        "span",
        el("span", first, class_="event-name"),
        class_="event",
        style=_place(mark, line),
        data_start=mark.start_s,
        data_end=mark.end_s,
        data_quote=_clip(mark.text, 240),
        data_evidence=mark.memory_id,
        data_thumbnail=bool(mark.memory_id) or None,
    )


def _ticks(marks: Sequence[Mark], line: Timeline) -> list[Safe]:
    every = max(1, -(-len(marks) // MOST_TICKS))
    return [
        el(
            "span",
            class_="tick-mark",
            style=_place(mark, line),
            data_start=mark.start_s,
            data_end=mark.end_s,
            data_quote=_clip(mark.text, 200),
        )
        for mark in marks[::every]
    ]


def _place(mark: Mark, line: Timeline) -> str:
    left = 100 * mark.start_s / line.duration_s
    width = 100 * (mark.end_s - mark.start_s) / line.duration_s
    return f"left:{left:.3f}%;width:{width:.3f}%"


def _axis(duration_s: float) -> Safe:
    step = next((one for one in _STEPS_S if duration_s / one <= 8), _STEPS_S[-1])
    labels = [
        el("span", clock(at), style=f"left:{100 * at / duration_s:.3f}%")
        for at in range(0, int(duration_s) + 1, step)
        if at <= duration_s * 0.94
    ]
    return el(
        "div", el("span", class_="row-name"), el("div", labels, class_="lane"), class_="row axis"
    )


_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)


def _headline(text: str) -> str:
    line = text.strip().splitlines()[0] if text.strip() else ""
    for opening in ("Seen:", "Caption:", "Read:", "Said:"):
        line = line.removeprefix(opening)
    return _clip(line.strip(), 60)


def _clip(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"

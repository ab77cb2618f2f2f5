"""What a video's memory holds now, told plainly: its elements, their sizes, what is given up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from memqa.findings import parts_of
from memqa.held import memory_of, sticky_of, timeline_of
from memqa.store.schema import Memory
from memqa.values import Media
from models.errors import InputError
from models.values import TimeSpan

if TYPE_CHECKING:
    from memqa.store.read import Reader
    from vidmem.memory.contract import Bank, VideoMemory


@dataclass(frozen=True, slots=True)
class HeldElement:
    """Frames merged into one element: when they were shown, how many, its bytes, what it shows.

    ``usage`` is how much of its life a prototype was read (XMem), None for other methods.
    """

    start_s: float
    end_s: float
    count: int
    bytes: int
    shows: str = ""
    usage: float | None = None


@dataclass(frozen=True, slots=True)
class MemoryAccount:
    """What the memory of a video holds as of its last commit, and by which rule.

    ``horizon_s`` is after how long the unattended is blurred (∞-Video only); ``timeline`` are the
    figures of the small ∞-Video memory that every video keeps for its time line. ``captions``
    counts the events' captions by the model that wrote them. ``sticky`` are the stretches that the
    time line holds much more finely than the rest, because later frames attended to them.
    """

    media_id: str
    method: str
    keeps: str
    budget_bytes: int
    nbytes: int
    elements: tuple[HeldElement, ...]
    figures: Mapping[str, float] = field(default_factory=dict)
    horizon_s: float | None = None
    timeline: Mapping[str, float] = field(default_factory=dict)
    captions: Mapping[str, int] = field(default_factory=dict)
    banks: tuple[Bank, ...] = ()
    sticky: tuple[TimeSpan, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Give it for ``memqa show --memory --json``."""
        return asdict(self)


def account_of(reader: Reader, media: Media) -> MemoryAccount:
    """Take stock of a video's memory.

    Raises:
        InputError: it is no video, or nothing of it is remembered yet.
    """
    held = memory_of(reader, media.id)
    line = timeline_of(reader, media.id)
    if held is None or line is None or media.kind != "video":
        later = " yet; it begins in a few seconds" if media.status == "indexing" else " to show"
        raise InputError(f"{media.name} has no picture memory{later}")
    making, memory = held
    figures, events = memory.stats(), reader.memories(media.id, levels=("event",))
    return MemoryAccount(
        media_id=media.id,
        method=making.method,
        keeps=memory.keeps,
        budget_bytes=making.budget_bytes,
        nbytes=memory.nbytes,
        elements=_elements(memory, events, making.held),
        figures=figures,
        horizon_s=_horizon_s(figures, media),
        timeline=line.stats() | {"horizon_s": _horizon_s(line.stats(), media) or 0.0},
        captions=Counter(event.method for event in events if event.method),
        banks=memory.banks(),
        sticky=sticky_of(line),
    )


def _elements(memory: VideoMemory, events: Sequence[Memory], held: str) -> tuple[HeldElement, ...]:
    usage = getattr(memory, "usage", None)
    elements = memory.elements()
    used = usage() if usage is not None else [None] * len(elements)
    return tuple(
        HeldElement(
            start_s=round(element.span.start_s, 3),
            end_s=round(element.span.end_s, 3),
            count=element.count,
            bytes=element.feature.size * np.dtype(held).itemsize,
            shows=_shown_at(element.span, events),
            usage=share,
        )
        for element, share in zip(elements, used, strict=True)
    )


def _shown_at(span: TimeSpan, events: Sequence[Memory]) -> str:
    """Name what the event in the middle of a span shows; no model is asked."""
    for event in events:
        assert isinstance(event.locator, TimeSpan)
        if span.centre_s < event.locator.end_s:
            return parts_of(event.text).get("seen", "")
    return ""


def _horizon_s(figures: Mapping[str, float], media: Media) -> float | None:
    frames, horizon = figures.get("frames_seen", 0.0), figures.get("horizon_frames")
    if horizon is None or not frames:
        return None
    return horizon * (media.remembered_s or media.duration_s or 0.0) / frames

"""What a video holds of its pictures: the memory of its method, and a small one for its time line.

Both take every frame, are stored as states with each segment, and stay when the video is settled:
they resume a stream, and answer with the method's own read.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING

from memqa.store.schema import MEMORY, TIMELINE
from models.values import TimeSpan

if TYPE_CHECKING:
    from memqa.store.read import Reader
    from models.values import Features
    from vidmem.memory.contract import VideoMemory
    from vidmem.memory.infinite import InfiniteVideo
    from vidmem.memory.methods import Making

TIMELINE_BYTES = 2**19  # about 200 bins of the embedded encoder's width
_STICKY = 3.0  # times the mean; what is newest alone comes to 2.8 after three hours
_KEPT = 16  # memories that stay loaded, some megabytes each


class Memories:
    """The memories of a video that is being watched, or goes on where the states left them."""

    def __init__(
        self,
        method: str,
        budget_bytes: int,
        shape: tuple[int, int],
        states: Mapping[str, bytes],
    ) -> None:
        """``shape`` is that of a frame's tokens [N, D]."""
        from vidmem.memory.methods import Making, unpack

        tokens, dim = shape
        makings = {
            MEMORY: Making(method, budget_bytes, tokens, dim),
            TIMELINE: Making("infinite", TIMELINE_BYTES, 1, dim),
        }
        self._held = {
            name: unpack(states[name]) if name in states else (making, making.make())
            for name, making in makings.items()
        }

    @property
    def chosen(self) -> VideoMemory:
        """The memory of the method that was chosen for the video."""
        return self._held[MEMORY][1]

    def observe(self, frame: Features, at_s: float) -> None:
        """Take the next frame [N, D]; the time line takes its whole picture, the first token."""
        self.chosen.observe(frame, at_s)
        self._held[TIMELINE][1].observe(frame[:1], at_s)

    def dump(self) -> dict[str, bytes]:
        """Give both as states."""
        return {name: making.pack(memory) for name, (making, memory) in self._held.items()}


def memory_of(reader: Reader, media_id: str) -> tuple[Making, VideoMemory] | None:
    """Give the memory of a video's method as of its last commit, to be read only."""
    return _unpacked(reader, media_id, MEMORY)


def timeline_of(reader: Reader, media_id: str) -> InfiniteVideo | None:
    """Give the small continuous memory of a video as of its last commit, to be read only."""
    from vidmem.memory.infinite import InfiniteVideo

    held = _unpacked(reader, media_id, TIMELINE)
    if held is None:
        return None
    assert isinstance(held[1], InfiniteVideo)
    return held[1]


def sticky_of(line: InfiniteVideo) -> tuple[TimeSpan, ...]:
    """Give the stretches that a time line holds at least `_STICKY` times as finely as on average.

    ∞-Video's sticky memory re-samples the past where new frames attend to it, so these are what
    later frames resembled. A video in its first chunks has none.
    """
    detail = line.detail()
    length_s = sum(span.duration_s for span, _ in detail)
    mean = sum(span.duration_s * bins for span, bins in detail) / length_s if length_s else 0.0
    joined: list[TimeSpan] = []
    for span in (span for span, bins in detail if bins >= _STICKY * mean):
        if joined and joined[-1].end_s == span.start_s:
            joined[-1] = TimeSpan(joined[-1].start_s, span.end_s)
        else:
            joined.append(span)
    return tuple(joined)


def _unpacked(reader: Reader, media_id: str, name: str) -> tuple[Making, VideoMemory] | None:
    return _loaded(reader, media_id, name, reader.mark(media_id))


@functools.lru_cache(maxsize=_KEPT)
def _loaded(
    reader: Reader, media_id: str, name: str, mark: str
) -> tuple[Making, VideoMemory] | None:
    """Load a memory once for each ``mark`` that its media had."""
    from vidmem.memory.methods import unpack

    del mark
    blob = reader.state(media_id, name)
    return None if blob is None else unpack(blob)

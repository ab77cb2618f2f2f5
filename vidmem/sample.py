"""Knows which of a video's frames to keep: one a second, one at each shot cut, no near-duplicates.

Every frame is looked at as a tiny picture, so a cut is placed to the frame; what is kept is far
less. Pure arithmetic on small arrays: nothing here opens a file.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidmem.frame import TINY_PX, Decoded

_HISTORY = 8  # looks that say how much movement is usual just now
_BASE = 1.0  # grey levels of noise that count as movement even in a still picture


@dataclass(frozen=True, slots=True)
class SampleParams:
    """When a frame is kept; levels are mean absolute differences of tiny pictures, 0 to 255.

    A frame is a cut when it differs from the one before by more than ``cut_level`` and by more
    than ``cut_ratio`` times what is usual just before (cf. PySceneDetect's adaptive detector).
    """

    every_s: float = 1.0
    cut_level: float = 18.0
    cut_ratio: float = 3.0
    same_level: float = 0.8
    longest_gap_s: float = 5.0

    def __post_init__(self) -> None:
        if not (self.every_s > 0 and self.longest_gap_s >= self.every_s):
            raise ValueError(f"not a sampling: {self}")


@dataclass(frozen=True, slots=True)
class Sampled:
    """A frame worth perceiving; ``motion`` is how much the picture changes just after it.

    ``index`` counts the frames looked at since the stream's start. ``change`` is the difference to
    the frame kept before, within the same shot.
    """

    index: int
    frame: Decoded
    is_cut: bool
    motion: float
    change: float


@dataclass(slots=True)
class Sampler:
    """Decides frame by frame, one frame behind, so that a flash is not taken for a cut.

    ``state_dict`` describes it as of before the frame that waits (``waiting_s``): a resumed reader
    feeds frames from there on and gets the same answers.
    """

    params: SampleParams = field(default_factory=SampleParams)
    _index: int = 0
    _due_s: float = 0.0
    _usual: list[float] = field(default_factory=list)
    _before: NDArray[np.int16] | None = None
    _kept: NDArray[np.int16] | None = None
    _kept_s: float = -1.0
    _waiting: Decoded | None = None

    @property
    def waiting_s(self) -> float | None:
        """When the frame that waits for its successor is shown, None if there is none."""
        return None if self._waiting is None else self._waiting.pts_s

    def push(self, frame: Decoded) -> Iterator[Sampled]:
        """Take the next frame and yield the one before it, if it is worth keeping."""
        waiting, self._waiting = self._waiting, frame
        if waiting is not None:
            yield from self._decide(waiting, frame.tiny.astype(np.int16))

    def finish(self) -> Iterator[Sampled]:
        """Yield the last frame, if it is worth keeping."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            yield from self._decide(waiting, None)

    def state_dict(self) -> dict[str, Any]:
        """Give everything but the waiting frame, as plain JSON values."""
        return {
            "index": self._index,
            "due_s": self._due_s,
            "usual": list(self._usual),
            "before": _pack(self._before),
            "kept": _pack(self._kept),
            "kept_s": self._kept_s,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a ``state_dict``."""
        self._index, self._due_s = int(state["index"]), float(state["due_s"])
        self._usual = [float(d) for d in state["usual"]]
        self._before, self._kept = _unpack(state["before"]), _unpack(state["kept"])
        self._kept_s, self._waiting = float(state["kept_s"]), None

    def _decide(self, frame: Decoded, after: NDArray[np.int16] | None) -> Iterator[Sampled]:
        now, index = frame.tiny.astype(np.int16), self._index
        self._index += 1
        moved = 0.0 if self._before is None else difference(now, self._before)
        jumped = self._jumped(moved)
        if jumped and after is not None and self._before is not None:
            returned = difference(after, self._before)
            if returned < 0.5 * moved and returned < difference(after, now):
                return  # a flash: the picture is back at once
        self._remember(now, moved, jumped)
        is_cut = self._kept is None or jumped
        change = 0.0 if self._kept is None or is_cut else difference(now, self._kept)
        late = frame.pts_s - self._kept_s >= self.params.longest_gap_s
        due = frame.pts_s >= self._due_s - 1e-6
        if is_cut or (due and (late or change > self.params.same_level)):
            self._kept, self._kept_s = now, frame.pts_s
            self._due_s = frame.pts_s + self.params.every_s
            yield Sampled(index, frame, is_cut, 0.0 if after is None else difference(after, now),
                          change)  # fmt: skip

    def _jumped(self, moved: float) -> bool:
        usual = float(np.quantile(self._usual, 0.75)) if self._usual else 0.0
        return moved > self.params.cut_level and moved > self.params.cut_ratio * (usual + _BASE)

    def _remember(self, now: NDArray[np.int16], moved: float, jumped: bool) -> None:
        self._usual = [] if jumped else [*self._usual, moved][-_HISTORY:]
        self._before = now


def difference(a: NDArray[np.int16], b: NDArray[np.int16]) -> float:
    """Give the mean absolute difference of two tiny pictures."""
    return float(np.abs(a - b).mean())


def _pack(tiny: NDArray[np.int16] | None) -> str | None:
    return None if tiny is None else base64.b64encode(tiny.astype(np.uint8).tobytes()).decode()


def _unpack(packed: str | None) -> NDArray[np.int16] | None:
    if packed is None:
        return None
    width, height = TINY_PX
    flat = np.frombuffer(base64.b64decode(packed), np.uint8)
    return flat.reshape(height, width, 3).astype(np.int16)

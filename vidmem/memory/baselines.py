"""Knows the memories that a published one must beat: frames kept whole, chosen without looking.

`Fifo` keeps the newest frames, `Uniform` every n-th, `Random` a fair sample (random prototypes),
`Everything` all of them, as the ceiling. None looks at what a frame shows.
"""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.values import TimeSpan
from vidmem.memory.contract import (
    Bank,
    Element,
    Held,
    MemoryRead,
    State,
    Tokens,
    checked,
    held_bytes,
    read_elements,
)

_PER_FRAME = 16  # bytes of a frame's time and count


class _Frames:
    """Frames as they came, each standing for itself and those left out after it."""

    name: ClassVar[str]
    keeps: ClassVar[str]

    def __init__(self, capacity: int, *, held: Held = "float32", seed: int = 0) -> None:
        if capacity < 2:
            raise ValueError(f"a memory of frames holds at least two, not {capacity}")
        self.capacity, self.held, self.seed = capacity, held, seed
        self.reset()

    @classmethod
    def within(cls, budget_bytes: int, shape: tuple[int, int], *, held: Held = "float32") -> Self:
        """Make the largest memory for frames [N, D] whose ``nbytes`` stay within a budget.

        Raises:
            ValueError: the budget holds fewer than two frames.
        """
        return cls(budget_bytes // (held_bytes(shape, held) + _PER_FRAME), held=held)

    def reset(self) -> None:
        """Forget everything."""
        self._features: NDArray[np.floating] = np.zeros((0, 0, 0), self.held)
        self._times = np.zeros(0, np.float64)
        self._counts = np.zeros(0, np.int64)
        self._shape: tuple[int, ...] | None = None
        self._size, self._seen, self._last_s = 0, 0, -np.inf

    @property
    def nbytes(self) -> int:
        """Bytes held; constant from the first frame on, but for `Everything`."""
        return self._features.nbytes + self._times.nbytes + self._counts.nbytes

    def observe(self, x: ArrayLike, t_s: float) -> None:
        """Take the frame [N, D] shown from ``t_s`` on.

        Raises:
            ValueError: not finite, of another shape than before, or not later than the last one.
        """
        frame = checked(x, t_s, shape=self._shape, last_s=self._last_s)
        if self._shape is None:
            self._allocate(frame.shape, self.capacity)
        self._seen, self._last_s = self._seen + 1, t_s
        if self._makes_room():
            self._append(frame, t_s)
        elif self._size:
            self._counts[self._size - 1] += 1

    def elements(self) -> list[Element]:
        """Give the frames held, oldest first; each lasts until the next one held."""
        ends = [*self._times[1 : self._size], self._last_s]
        rows = zip(self._features, self._times, ends, self._counts, strict=False)
        return [
            Element(TimeSpan(float(start_s), float(end_s)), int(count), feature.astype(np.float32))
            for feature, start_s, end_s, count in list(rows)[: self._size]
        ]

    def read(self, query: ArrayLike | None = None, *, at_s: float | None = None) -> MemoryRead:
        """Give what is held, all of it or what was shown by ``at_s``, weighted for a query [D]."""
        return read_elements(self.elements(), query, at_s)

    def banks(self) -> tuple[Bank, ...]:
        """Give the one store, without end where everything is kept."""
        return (Bank("frames", self._size, self._room),)

    @property
    def _room(self) -> int | None:
        return self.capacity

    def stats(self) -> dict[str, float]:
        """Give frames seen and held, and bytes."""
        return {
            "frames_seen": float(self._seen),
            "elements": float(self._size),
            "nbytes": float(self.nbytes),
        }

    def state_dict(self) -> State:
        """Give everything as arrays."""
        return {
            "now": np.asarray([self._seen, self._last_s], np.float64),
            "features": self._features[: self._size].copy(),
            "times": self._times[: self._size].copy(),
            "counts": self._counts[: self._size].copy(),
        }

    def load_state_dict(self, state: State) -> None:
        """Go on from a ``state_dict`` of a memory made the same way."""
        self.reset()
        seen, last_s = (float(value) for value in state["now"])
        if seen:
            kept = len(state["times"])
            self._allocate(state["features"].shape[1:], max(self.capacity, kept))
            self._features[:kept] = state["features"]
            self._times[:kept], self._counts[:kept] = state["times"], state["counts"]
            self._size = kept
        self._seen, self._last_s = int(seen), last_s

    def _makes_room(self) -> bool:
        """Say whether the frame just counted is kept, with a slot free for it."""
        raise NotImplementedError

    def _full(self) -> bool:
        return self._size == len(self._times)

    def _allocate(self, shape: tuple[int, ...], capacity: int) -> None:
        self._shape = shape
        self._features = np.zeros((capacity, *shape), self.held)
        self._times, self._counts = np.zeros(capacity), np.zeros(capacity, np.int64)

    def _append(self, frame: Tokens, t_s: float) -> None:
        at, self._size = self._size, self._size + 1
        self._features[at], self._times[at], self._counts[at] = frame, t_s, 1

    def _keep(self, which: NDArray[np.int64]) -> None:
        """Keep these slots only; each takes over the counts of those left out behind it."""
        total = np.concatenate([[0], np.cumsum(self._counts[: self._size])])
        until = np.append(which[1:], self._size)
        size = len(which)
        self._features[:size] = self._features[which]
        self._times[:size] = self._times[which]
        self._counts[:size] = total[until] - total[which]
        self._size = size


class Fifo(_Frames):
    """Keeps the newest frames."""

    name: ClassVar[str] = "fifo"
    keeps: ClassVar[str] = "The newest frames."

    def _makes_room(self) -> bool:
        if self._full():
            self._keep(np.arange(1, self._size))
        return True


class Uniform(_Frames):
    """Keeps every n-th frame; when full, every other one is dropped and n doubles."""

    name: ClassVar[str] = "uniform"
    keeps: ClassVar[str] = "Every n-th frame; n doubles when room is short."

    def _makes_room(self) -> bool:
        # n is the least power of two whose multiples among the frames seen fit.
        step = 1
        while (self._seen - 1) // step >= self.capacity:
            step *= 2
        if (self._seen - 1) % step:
            return False
        if self._full():
            self._keep(np.arange(0, self._size, 2))
        return True


class Random(_Frames):
    """Keeps a fair sample of all frames seen so far (reservoir sampling, Vitter's algorithm R).

    The draw for a frame depends on the seed and the frame's number alone.
    """

    name: ClassVar[str] = "random"
    keeps: ClassVar[str] = "A fair sample of all frames."

    def _makes_room(self) -> bool:
        if not self._full():
            return True
        slot = int(np.random.default_rng((self.seed, self._seen)).integers(self._seen))
        if slot >= self._size:
            return False
        self._keep(np.delete(np.arange(self._size), slot))
        return True


class Everything(_Frames):
    """Keeps every frame, whatever the budget: the ceiling for the others, not for hours."""

    name: ClassVar[str] = "all"
    keeps: ClassVar[str] = "Every frame."

    @property
    def _room(self) -> int | None:
        return None

    def _makes_room(self) -> bool:
        if self._full():
            kept, shape = self.state_dict(), self._features.shape[1:]
            self._allocate(shape, 2 * self._size)
            self._features[: self._size] = kept["features"]
            self._times[: self._size], self._counts[: self._size] = kept["times"], kept["counts"]
        return True

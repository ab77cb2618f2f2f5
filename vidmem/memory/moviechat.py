"""Knows MovieChat's memory (Song et al., CVPR 2024, arXiv 2307.16449): a FIFO and a merged list.

The free functions are the paper's mathematics (§3.3) and, where named so, the public release's;
`MovieChat` feeds them a plain stream of features. ``fixed`` mode, the default, mends what the
release leaves open: cosine similarity per token, count-weighted merges, nothing dropped, and a long
memory that merges into itself when full, so neither bytes nor the video's length are unbounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.values import TimeSpan
from vidmem.memory.contract import (
    Bank,
    Element,
    Held,
    MemoryRead,
    Mode,
    Numbers,
    State,
    Tokens,
    checked,
    held_bytes,
    read_elements,
)

_TINY = 1e-12
_BESIDE_BYTES = 32  # of a frame's count, span and similarity


@dataclass(frozen=True, slots=True)
class MovieChatParams:
    """Sizes in frames, with the paper's values.

    ``short`` is the FIFO's length K, ``target`` R the frames that a consolidation leaves, ``long``
    the cap of the long memory. ``window`` frames make a fragment in ``released`` mode, of which
    the first ``n_frame`` are used; ``fixed`` mode consolidates whenever the FIFO is full.
    """

    short: int = 18
    target: int = 2
    long: int = 256
    window: int = 8
    n_frame: int = 16

    def __post_init__(self) -> None:
        if not (self.target >= 1 and self.short > 2 * self.target and self.long >= self.target):
            raise ValueError(f"not sizes of a MovieChat memory: {self}")
        if self.window < 1 or self.n_frame < 1:
            raise ValueError(f"not sizes of a fragment: {self}")


def cosine_per_token(left: Tokens, right: Tokens) -> Numbers:
    """Give s_i = (1/N) sum_j cos(left_i[j], right_i[j]) of T pairs [T, N, D] (§3.3, eq. 1).

    A token of zero length is similar to nothing.
    """
    a, b = left.astype(np.float64), right.astype(np.float64)
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    dots = (a * b).sum(axis=-1)
    cosines = np.divide(dots, norms, out=np.zeros_like(dots), where=norms > _TINY)
    return np.asarray(cosines.mean(axis=-1))


def raw_inner_product(left: Tokens, right: Tokens) -> Numbers:
    """Give the release's similarity of T pairs: the mean inner product over all N*N token pairs.

    That mean is the inner product of the frames' mean tokens, which is what is computed.
    """
    a, b = left.astype(np.float64).mean(axis=1), right.astype(np.float64).mean(axis=1)
    return np.asarray((a * b).sum(axis=-1))


def merge_pair(a: Tokens, b: Tokens, count_a: int, count_b: int) -> Tokens:
    """Give (c_a a + c_b b) / (c_a + c_b), the mean of all frames merged into a and b [N, D]."""
    total = count_a * a.astype(np.float64) + count_b * b.astype(np.float64)
    return np.asarray(total / (count_a + count_b), np.float32)


def consolidate(
    frames: Tokens, target: int, *, mode: Mode = "fixed", weighted: bool | None = None
) -> tuple[Tokens, NDArray[np.int64], list[int]]:
    """Merge the most similar adjacent frames until ``target`` are left (§3.3, algorithm 1).

    Gives the merged frames [R, N, D], how many frames each stands for, and the left index of each
    merge. The first of equally similar pairs is merged. ``weighted`` says whether a merge counts
    what was merged before; unless given, it does in ``fixed`` mode.
    """
    counted = mode == "fixed" if weighted is None else weighted
    bank = _Bank(len(frames), frames.shape[1:], mode, counted)
    for at, frame in enumerate(frames):
        bank.append(frame, float(at), float(at), 1)
    order = []
    while len(bank) > target:
        order.append(bank.merge_most_similar())
    return bank.features.copy(), bank.counts.copy(), order


class _Bank:
    """Frames in order of time in arrays of fixed size, with cached similarities of neighbours."""

    def __init__(
        self,
        capacity: int,
        shape: tuple[int, ...],
        mode: Mode,
        weighted: bool,
        held: Held = "float32",
    ) -> None:
        self._pair = cosine_per_token if mode == "fixed" else raw_inner_product
        self._weighted = weighted
        self._features: NDArray[np.floating[Any]] = np.zeros((capacity, *shape), held)
        self._counts = np.zeros(capacity, np.int64)
        self._spans = np.zeros((capacity, 2), np.float64)
        self._similar = np.zeros(max(capacity - 1, 0), np.float64)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def features(self) -> Tokens:
        return np.asarray(self._features[: self._size], np.float32)

    @property
    def counts(self) -> NDArray[np.int64]:
        return self._counts[: self._size]

    @property
    def spans(self) -> Numbers:
        return self._spans[: self._size]

    @property
    def nbytes(self) -> int:
        parts = (self._features, self._counts, self._spans, self._similar)
        return sum(part.nbytes for part in parts)

    def append(self, frame: Tokens, start_s: float, end_s: float, count: int) -> None:
        at, self._size = self._size, self._size + 1
        self._features[at], self._counts[at], self._spans[at] = frame, count, (start_s, end_s)
        if at:
            self._refresh(at - 1)

    def last_until(self, end_s: float) -> None:
        """The newest frame was on until now."""
        if self._size:
            self._spans[self._size - 1, 1] = end_s

    def merge_most_similar(self) -> int:
        """Merge the most similar neighbours, the first of equals; give the left one's index."""
        left = int(np.argmax(self._similar[: self._size - 1]))
        counts = (int(self._counts[left]), int(self._counts[left + 1]))
        a, b = self._features[left], self._features[left + 1]
        self._features[left] = merge_pair(a, b, *(counts if self._weighted else (1, 1)))
        self._counts[left] = sum(counts)
        self._spans[left, 1] = self._spans[left + 1, 1]
        self._drop(left + 1)
        for pair in (left - 1, left):
            self._refresh(pair)
        return left

    def pop_first(self) -> tuple[Tokens, float, float, int]:
        """Take the oldest frame out."""
        frame, count = self._features[0].astype(np.float32), int(self._counts[0])
        start_s, end_s = (float(t) for t in self._spans[0])
        self._drop(0)
        return frame, start_s, end_s, count

    def arrays(self, name: str) -> dict[str, NDArray[Any]]:
        return {
            f"{name}_features": self.features.copy(),
            f"{name}_counts": self.counts.copy(),
            f"{name}_spans": self.spans.copy(),
        }

    def _drop(self, at: int) -> None:
        end = self._size
        for part in (self._features, self._counts, self._spans):
            part[at : end - 1] = part[at + 1 : end]
        self._similar[at : max(end - 2, at)] = self._similar[at + 1 : max(end - 1, at + 1)]
        self._size -= 1

    def _refresh(self, left: int) -> None:
        if 0 <= left < self._size - 1:
            pair = self._features[left : left + 2]
            self._similar[left] = self._pair(pair[:1], pair[1:])[0]


class MovieChat:
    """A stream of features in constant memory: the newest frames as they are, the rest merged.

    ``fixed``: when the FIFO holds K frames it is consolidated to 2R, of which the older R move to
    the long memory and the newer R stay as the start of the next FIFO, as the paper's figure 3 has
    it (16 new + 2 carried = 18), yet each frame counts once. ``released``: fragments, raw inner
    products, unweighted halves, an emptied FIFO and an endless long memory, as in the public code.
    """

    name: ClassVar[str] = "moviechat"
    keeps: ClassVar[str] = (
        "The newest frames as they are; of older ones the most similar neighbours in time are "
        "merged, each weighed by the frames it stands for."
    )

    def __init__(
        self,
        params: MovieChatParams | None = None,
        *,
        mode: Mode = "fixed",
        held: Held = "float32",
    ) -> None:
        if mode not in ("fixed", "released"):
            raise ValueError(f"mode is fixed or released, not {mode!r}")
        self.params, self.mode, self.held = params or MovieChatParams(), mode, held
        self.reset()

    @classmethod
    def within(cls, budget_bytes: int, shape: tuple[int, int], *, held: Held = "float32") -> Self:
        """Make the largest memory for frames [N, D] whose ``nbytes`` stay within a budget.

        A consolidation leaves sixteen frames and hands on eight, where the paper's two would blend
        neighbouring shots; the long memory's own merging bounds it all the same.

        Raises:
            ValueError: the budget holds no such memory.
        """
        sizes = MovieChatParams(target=8)
        frames = budget_bytes // (held_bytes(shape, held) + _BESIDE_BYTES)
        long = frames - sizes.short - 1
        if long < sizes.target:
            raise ValueError(f"{budget_bytes} bytes hold {frames} frames; MovieChat needs more")
        return cls(replace(sizes, long=long), held=held)

    def reset(self) -> None:
        """Forget everything."""
        self._short: _Bank | None = None
        self._long: _Bank | None = None
        self._released: list[_Bank] = []
        self._shape: tuple[int, ...] | None = None
        self._in_window, self._frames, self._last_s = 0, 0, -np.inf
        self._before: Tokens = np.zeros((0, 0, 0), np.float32)

    @property
    def temp_short(self) -> Tokens:
        """The FIFO as it was before the last consolidation of ``released`` mode [t, N, D]."""
        return self._before

    @property
    def nbytes(self) -> int:
        """Bytes held; constant from the first frame on in ``fixed`` mode."""
        return sum(bank.nbytes for bank in self._banks())

    def observe(self, x: ArrayLike, t_s: float) -> None:
        """Take the frame [N, D] shown from ``t_s`` on.

        Raises:
            ValueError: not finite, of another shape than before, or not later than the last one.
        """
        frame = checked(x, t_s, shape=self._shape, last_s=self._last_s)
        if self._shape is None:
            self._allocate(frame.shape)
        newest = next((bank for bank in reversed(self._banks()) if len(bank)), None)
        if newest is not None:
            newest.last_until(t_s)
        self._frames, self._last_s = self._frames + 1, t_s
        if self.mode == "fixed":
            self._observe_fixed(frame, t_s)
        else:
            self._observe_released(frame, t_s)

    def elements(self) -> list[Element]:
        """Give all that is held, oldest first: the long memory, then the FIFO."""
        return [
            Element(TimeSpan(float(start_s), float(end_s)), int(count), feature.copy())
            for bank in self._banks()
            for feature, count, (start_s, end_s) in zip(
                bank.features, bank.counts, bank.spans, strict=True
            )
        ]

    def read(self, query: ArrayLike | None = None, *, at_s: float | None = None) -> MemoryRead:
        """Give what is held, all of it or (breakpoint mode) what was shown by ``at_s``.

        Without a query an element weighs as many frames as it stands for; with one [D], softmax of
        the inner products with the elements' mean tokens. Reading changes nothing.
        """
        return read_elements(self.elements(), query, at_s)

    def banks(self) -> tuple[Bank, ...]:
        """Give the short-term FIFO and the long-term memory."""
        short = 0 if self._short is None else len(self._short)
        long = sum(map(len, self._banks())) - short
        return (
            Bank("short-term memory", short, self.params.short),
            Bank("long-term memory", long, self.params.long),
        )

    def stats(self) -> dict[str, float]:
        """Give frames seen and held, bytes, and how many frames an element stands for at most."""
        held = self.elements()
        return {
            "frames_seen": float(self._frames),
            "elements": float(len(held)),
            "nbytes": float(self.nbytes),
            "largest_count": float(max((element.count for element in held), default=0)),
        }

    def state_dict(self) -> State:
        """Give everything as arrays."""
        now = np.asarray([self._frames, self._in_window, self._last_s], np.float64)
        if self._short is None:
            return {"now": now}
        parts = [bank.arrays("long") for bank in [self._bank(0), *self._banks()[:-1]]]
        long = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
        return {"now": now, "before": self._before.copy(), **long, **self._short.arrays("short")}

    def load_state_dict(self, state: State) -> None:
        """Go on from a ``state_dict`` of a memory with the same parameters and mode."""
        self.reset()
        frames, in_window, last_s = (float(v) for v in state["now"])
        if "short_features" in state:
            self._allocate(state["short_features"].shape[1:])
            _fill(self._require(self._short), state, "short")
            if self.mode == "fixed":
                _fill(self._require(self._long), state, "long")
            elif len(state["long_counts"]):
                self._released = [self._bank(len(state["long_counts"]))]
                _fill(self._released[0], state, "long")
            self._before = state["before"].copy()
        self._frames, self._in_window, self._last_s = int(frames), int(in_window), last_s

    def _observe_fixed(self, frame: Tokens, t_s: float) -> None:
        short, long = self._require(self._short), self._require(self._long)
        short.append(frame, t_s, t_s, 1)
        if len(short) < self.params.short:
            return
        while len(short) > 2 * self.params.target:
            short.merge_most_similar()
        for _ in range(self.params.target):
            long.append(*short.pop_first())
            if len(long) > self.params.long:
                long.merge_most_similar()

    def _observe_released(self, frame: Tokens, t_s: float) -> None:
        short = self._require(self._short)
        self._in_window += 1
        if self._in_window <= self.params.n_frame:
            if len(short) == self.params.short:
                short.pop_first()
            short.append(frame, t_s, t_s, 1)
        if self._in_window < self.params.window:
            return
        self._before = short.features.copy()
        while len(short) > self.params.target:
            short.merge_most_similar()
        self._released.append(short)
        self._short, self._in_window = self._bank(self.params.short), 0

    def _allocate(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self._short = self._bank(self.params.short)
        if self.mode == "fixed":
            self._long = self._bank(self.params.long + 1)

    def _bank(self, capacity: int) -> _Bank:
        weighted = self.mode == "fixed"
        return _Bank(capacity, self._shape or (), self.mode, weighted, self.held)

    def _banks(self) -> Sequence[_Bank]:
        banks = [*self._released, self._long, self._short]
        return [bank for bank in banks if bank is not None]

    def _require(self, bank: _Bank | None) -> _Bank:
        assert bank is not None
        return bank


def _fill(bank: _Bank, state: State, name: str) -> None:
    rows = zip(
        state[f"{name}_features"], state[f"{name}_spans"], state[f"{name}_counts"], strict=True
    )
    for feature, (start_s, end_s), count in rows:
        bank.append(feature, float(start_s), float(end_s), int(count))

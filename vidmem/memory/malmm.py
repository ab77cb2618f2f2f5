"""Knows MA-LMM's memory bank (He et al., CVPR 2024, arXiv 2404.05726): merging token by token.

`compress` is the paper's memory bank compression (§3.2, eq. 4-5); `MALMM` feeds it a stream. The
similarities of neighbours are kept: a step adds one a token and renews two. A merge is weighted by
counts, as the release does it and unlike the paper's plain mean: the exact mean of all it stands
for. After the first merge the tokens of one slot come from different frames, so times are kept by
slot and token.
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
    Numbers,
    State,
    Tokens,
    checked,
    held_bytes,
    read_elements,
)

_LEAST_NORMS = 1e-8  # the release's clamp: a zero token is similar to nothing
_BESIDE_BYTES = 32  # of a token's count, span and similarity


def cosines(left: NDArray[np.floating], right: NDArray[np.floating]) -> Numbers:
    """Give cos(left, right) over the last axis, 0 where either is zero (eq. 4)."""
    a, b = left.astype(np.float64), right.astype(np.float64)
    norms = np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
    return np.asarray((a * b).sum(-1) / np.maximum(norms, _LEAST_NORMS))


def compress(bank: Tokens, sizes: Numbers) -> tuple[Tokens, Numbers, NDArray[np.int64]]:
    """Shorten a bank [m, P, C] with sizes [m, P] by one, token by token (eq. 5).

    Gives the bank [m-1, P, C], its sizes, and for each token the left one of the pair merged: the
    most similar neighbours, the first of equals.
    """
    slots = _Slots(len(bank), bank.shape[1:], "float32")
    for frame, size in zip(bank, sizes, strict=True):
        slots.append(frame, size, np.zeros((bank.shape[1], 2)))
    merged = slots.merge_most_similar()
    return slots.features.astype(np.float32), slots.sizes.copy(), merged


class _Slots:
    """Slots by token in arrays of fixed size, with the similarities of neighbours."""

    def __init__(self, capacity: int, shape: tuple[int, ...], held: Held) -> None:
        tokens = shape[0]
        self._features: NDArray[np.floating] = np.zeros((capacity, *shape), held)
        self._sizes = np.zeros((capacity, tokens))
        self._spans = np.zeros((capacity, tokens, 2))
        self._similar = np.full((capacity, tokens), -np.inf)  # with the next slot
        self._tokens = np.arange(tokens)
        self.length = 0

    @property
    def features(self) -> NDArray[np.floating]:
        return self._features[: self.length]

    @property
    def sizes(self) -> Numbers:
        return self._sizes[: self.length]

    @property
    def spans(self) -> Numbers:
        return self._spans[: self.length]

    @property
    def nbytes(self) -> int:
        parts = (self._features, self._sizes, self._spans, self._similar)
        return sum(part.nbytes for part in parts)

    def append(self, frame: Tokens, size: Numbers, span: Numbers) -> None:
        at, self.length = self.length, self.length + 1
        self._features[at], self._sizes[at], self._spans[at] = frame, size, span
        self._similar[at] = -np.inf
        if at:
            self._similar[at - 1] = cosines(self._features[at - 1], self._features[at])

    def last_until(self, end_s: float) -> None:
        """The newest frame was on until now."""
        if self.length:
            self._spans[self.length - 1, :, 1] = end_s

    def merge_most_similar(self) -> NDArray[np.int64]:
        """Merge each token's most similar neighbours; give the left ones' slots [P]."""
        left = np.asarray(np.argmax(self._similar[: self.length - 1], axis=0), np.int64)
        token, right = self._tokens, left + 1
        n, m = self._sizes[left, token], self._sizes[right, token]
        a, b = (self._features[at, token].astype(np.float64) for at in (left, right))
        total = (n[:, None] * a + m[:, None] * b) / (n + m)[:, None]
        self._features[left, token], self._sizes[left, token] = total, n + m
        self._spans[left, token, 1] = self._spans[right, token, 1]
        self._close_gaps(right)
        self.length -= 1
        self._similar[self.length - 1] = -np.inf
        for pair in (left - 1, left):
            self._renew(pair)
        return left

    def _close_gaps(self, gone: NDArray[np.int64]) -> None:
        """Move what comes after each token's gone slot up by one."""
        for token, at in enumerate(gone):
            for part in (self._features, self._sizes, self._spans, self._similar):
                part[at : self.length - 1, token] = part[at + 1 : self.length, token]

    def _renew(self, left: NDArray[np.int64]) -> None:
        there = (left >= 0) & (left < self.length - 1)
        at, token = left[there], self._tokens[there]
        self._similar[at, token] = cosines(self._features[at, token], self._features[at + 1, token])


class MALMM:
    """A bank of M slots for a stream of frames [N, D]; each token's track merges by itself."""

    name: ClassVar[str] = "malmm"
    keeps: ClassVar[str] = (
        "A fixed number of slots; the two most similar neighbours in time are merged, weighed by "
        "the frames they stand for."
    )

    def __init__(self, slots: int = 20, *, held: Held = "float32") -> None:
        """``slots`` is the bank's length M; the paper has 20 for 100 frames."""
        if slots < 1:
            raise ValueError(f"a bank has at least one slot, not {slots}")
        self.slots, self.held = slots, held
        self.reset()

    @classmethod
    def within(cls, budget_bytes: int, shape: tuple[int, int], *, held: Held = "float32") -> Self:
        """Make the largest bank for frames [N, D] whose ``nbytes`` stay within a budget.

        Raises:
            ValueError: the budget holds no slot.
        """
        slot = held_bytes(shape, held) + shape[0] * _BESIDE_BYTES
        return cls(budget_bytes // slot - 1, held=held)  # one more is held before a merge

    def reset(self) -> None:
        """Forget everything."""
        self._bank: _Slots | None = None
        self._shape: tuple[int, ...] | None = None
        self._seen, self._last_s = 0, -np.inf

    @property
    def bank(self) -> Tokens:
        """What is held [M, N, D], oldest first."""
        if self._bank is None:
            return np.zeros((0, 0, 0), np.float32)
        return self._bank.features.astype(np.float32)

    @property
    def sizes(self) -> Numbers:
        """How many frames each slot's tokens stand for [M, N]."""
        return np.zeros((0, 0)) if self._bank is None else self._bank.sizes.copy()

    @property
    def nbytes(self) -> int:
        """Bytes held; constant from the first frame on."""
        return 0 if self._bank is None else self._bank.nbytes

    def observe(self, x: ArrayLike, t_s: float) -> None:
        """Take the frame [N, D] shown from ``t_s`` on.

        Raises:
            ValueError: not finite, of another shape than before, or not later than the last one.
        """
        frame = checked(x, t_s, shape=self._shape, last_s=self._last_s)
        bank = self._allocated(frame.shape)
        bank.last_until(t_s)
        bank.append(frame, np.ones(len(frame)), np.full((len(frame), 2), t_s))
        self._seen, self._last_s = self._seen + 1, t_s
        if bank.length > self.slots:
            bank.merge_most_similar()

    def elements(self) -> list[Element]:
        """Give every slot's every token as a feature [1, D], by start and then by token."""
        if self._bank is None:
            return []
        held = self._bank
        slots = [(at, token) for at in range(held.length) for token in range(held.sizes.shape[1])]
        found = [
            Element(
                TimeSpan(float(held.spans[at, token, 0]), float(held.spans[at, token, 1])),
                int(held.sizes[at, token]),
                held.features[at, token : token + 1].astype(np.float32),
            )
            for at, token in slots
        ]
        return sorted(found, key=lambda element: element.span.start_s)

    def read(self, query: ArrayLike | None = None, *, at_s: float | None = None) -> MemoryRead:
        """Give what is held, all of it or what was shown by ``at_s``, weighted for a query [D]."""
        return read_elements(self.elements(), query, at_s)

    def banks(self) -> tuple[Bank, ...]:
        """Give the bank of slots."""
        held = 0 if self._bank is None else self._bank.length
        return (Bank("slots", held, self.slots),)

    def stats(self) -> dict[str, float]:
        """Give frames seen, slots, bytes, and how many frames a token stands for at most."""
        return {
            "frames_seen": float(self._seen),
            "elements": float(self.sizes.size),
            "slots": float(len(self.sizes)),
            "nbytes": float(self.nbytes),
            "largest_count": float(self.sizes.max(initial=0)),
        }

    def state_dict(self) -> State:
        """Give everything as arrays."""
        now = np.asarray([self._seen, self._last_s], np.float64)
        if self._bank is None:
            return {"now": now}
        held = self._bank
        return {
            "now": now,
            "features": held.features.copy(),
            "sizes": held.sizes.copy(),
            "spans": held.spans.copy(),
        }

    def load_state_dict(self, state: State) -> None:
        """Go on from a ``state_dict`` of a memory made the same way."""
        self.reset()
        seen, last_s = (float(value) for value in state["now"])
        if seen:
            bank = self._allocated(state["features"].shape[1:])
            for row in zip(state["features"], state["sizes"], state["spans"], strict=True):
                bank.append(*row)
        self._seen, self._last_s = int(seen), last_s

    def _allocated(self, shape: tuple[int, ...]) -> _Slots:
        if self._bank is None:
            self._shape = shape
            self._bank = _Slots(self.slots + 1, shape, self.held)
        return self._bank

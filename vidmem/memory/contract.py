"""Knows what every video memory promises: elements with their time range and count, and reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.values import Features, TimeSpan

Mode: TypeAlias = Literal["fixed", "released"]
Tokens: TypeAlias = NDArray[np.float32]  # [T, N, D], or [N, D] for one frame
Numbers: TypeAlias = NDArray[np.float64]
Held: TypeAlias = Literal["float32", "float16"]  # how features lie in memory; arithmetic is wider
State: TypeAlias = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Element:
    """Frames merged into one feature [N, D]: when they were shown, and how many they are."""

    span: TimeSpan
    count: int
    feature: Features

    def __repr__(self) -> str:
        return f"Element({self.span}, count {self.count}, feature {self.feature.shape})"


@dataclass(frozen=True, slots=True)
class Bank:
    """One store of a memory: how many elements it holds, and how many at most, None without end."""

    name: str
    held: int
    room: int | None


@dataclass(frozen=True, slots=True)
class MemoryRead:
    """What a memory answers: tokens [M, N, D], weights [M] that sum to one, M spans of time."""

    tokens: Features
    weights: Features
    spans: tuple[TimeSpan, ...]

    def __post_init__(self) -> None:
        if not len(self.tokens) == len(self.weights) == len(self.spans):
            raise ValueError(
                f"{len(self.tokens)} tokens, {len(self.weights)} weights, {len(self.spans)} spans"
            )

    def __repr__(self) -> str:
        return f"MemoryRead(tokens {self.tokens.shape}, {len(self.spans)} spans)"


class VideoMemory(Protocol):
    """A stream of frame features [N, D] in bounded memory, which can be read after any frame.

    A frame is shown from its own time until the next frame's. Feeding a stream one way or another,
    with or without a save and load in between, gives the same state.
    """

    name: ClassVar[str]
    keeps: ClassVar[str]  # told to people who ask what it holds

    @classmethod
    def within(cls, budget_bytes: int, shape: tuple[int, int], *, held: Held = "float32") -> Self:
        """Make the largest memory for frames [N, D] whose ``nbytes`` stay within a budget.

        Raises:
            ValueError: the budget holds no memory of this kind.
        """

    def observe(self, x: ArrayLike, t_s: float) -> None:
        """Take the frame [N, D] shown from ``t_s`` on.

        Raises:
            ValueError: not finite, of another shape than before, or not later than the last one.
        """

    def read(self, query: ArrayLike | None = None, *, at_s: float | None = None) -> MemoryRead:
        """Give what is held, all of it or what was shown by ``at_s``, weighted for a query [D]."""

    def elements(self) -> list[Element]:
        """Give all that is held, in order of time."""

    def reset(self) -> None:
        """Forget everything."""

    def state_dict(self) -> State:
        """Give everything as arrays."""

    def load_state_dict(self, state: State) -> None:
        """Go on from a ``state_dict`` of a memory made the same way."""

    @property
    def nbytes(self) -> int:
        """Bytes held; bounded by a constant known at construction."""

    def banks(self) -> tuple[Bank, ...]:
        """Give its stores as its paper names them, each with what it holds and its room."""

    def stats(self) -> dict[str, float]:
        """Give plain numbers of what is held and what was given up."""


def checked(x: ArrayLike, t_s: float, *, shape: tuple[int, ...] | None, last_s: float) -> Tokens:
    """Give a frame [N, D] as float32, refusing what no memory may absorb.

    Raises:
        ValueError: not finite, of another shape than before, or not later than ``last_s``.
    """
    frame = np.asarray(x, np.float32)
    if frame.ndim != 2 or 0 in frame.shape or (shape is not None and frame.shape != shape):
        raise ValueError(f"a frame is [N, D] {shape or ''}, not {frame.shape}")
    if not (np.isfinite(frame).all() and np.isfinite(t_s)):
        raise ValueError(f"the frame at {t_s} s holds values that are not finite")
    if not t_s > last_s:
        raise ValueError(f"the frame at {t_s} s is not later than the one at {last_s} s")
    return frame


def held_bytes(shape: tuple[int, ...], held: Held) -> int:
    """Give the bytes that one frame [N, D] takes as it is held."""
    return int(np.prod(shape)) * np.dtype(held).itemsize


def softmax(scores: ArrayLike) -> Numbers:
    """Give exp(s) / sum exp(s) over the last axis, in float64 and whatever the size of s."""
    raw = np.asarray(scores, np.float64)
    raised = np.exp(raw - raw.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def read_elements(
    elements: Sequence[Element], query: ArrayLike | None, at_s: float | None
) -> MemoryRead:
    """Read elements as they lie: the plain way, for methods whose paper gives no other.

    Without a query an element weighs as many frames as it stands for; with one [D], softmax of
    the inner products with the elements' mean tokens. ``at_s`` leaves out what began later.
    """
    kept = [element for element in elements if at_s is None or element.span.start_s <= at_s]
    if not kept:
        shape = elements[0].feature.shape if elements else (0, 0)
        return MemoryRead(np.zeros((0, *shape), np.float32), np.zeros(0, np.float32), ())
    tokens = np.stack([element.feature for element in kept])
    if query is None:
        counts = np.asarray([element.count for element in kept], np.float64)
        weights = counts / counts.sum()
    else:
        weights = softmax(tokens.mean(axis=1).astype(np.float64) @ np.asarray(query, np.float64))
    spans = tuple(element.span for element in kept)
    return MemoryRead(tokens, np.asarray(weights, np.float32), spans)

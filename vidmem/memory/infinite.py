"""Knows ∞-Video's continuous memory (Santos et al., ICML 2025, arXiv 2501.19098): a past in [0, 1].

The past is a signal x(t) = B^T psi(t) over N rectangles; each chunk of frames contracts it into
(0, tau] and is appended behind (§3.1). Ridge regression on rectangles is diagonal, so an update is
one sparse product. A question attends by the Gibbs density p(t) ~ exp(sharpness q·x(t)), whose
integral over rectangles is a softmax (§3.2). Sticky sampling lets what was attended to keep more
room.

``released`` has the public code's positions, its shrinking ridge and its empty bins. ``fixed``, the
default, samples midpoints, takes plain means, fills gaps between neighbours, and draws sticky
positions by a stratified inverse of the density mixed with a little uniform, in order of time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.halves import widened
from models.values import Features, TimeSpan
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
    softmax,
)

Rows: TypeAlias = NDArray[np.floating]  # in either precision, which is kept

_BESIDE_BYTES = 24  # of a bin's span and count
# Of the sticky density: with two samples a bin, from half on no bin is left out of an update.
_UNIFORM_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class InfiniteParams:
    """Sizes: N ``bins``, L frames a ``chunk``; ``tau`` is the share that the past is left at most.

    In ``fixed`` mode the c-th chunk after the first leaves it c/(c+1) while that is less, so that
    the first chunk gets no more room than its followers.
    ``ridge`` counts in ``released`` mode only. ``sharpness`` scales the inner products of a query
    with what is held, ``stickiness`` those of new frames: the paper's 1/sqrt(d) fits learnt
    projections, the product's features have inner products between 0 and 1 and need more. A higher
    stickiness loses what is shown once.
    """

    bins: int = 256
    chunk: int = 64
    tau: float = 0.75
    ridge: float = 0.5
    sharpness: float = 20.0
    stickiness: float = 5.0

    def __post_init__(self) -> None:
        if self.bins < 2 or self.chunk < 1 or not 0 < self.tau < 1 or self.ridge < 0:
            raise ValueError(f"not sizes of a continuous memory: {self}")

    @property
    def samples(self) -> int:
        """How many values of the past are taken into an update: two a bin.

        The evenly sampled share of them is one a bin and more, so none is missed.
        """
        return 2 * self.bins


def bins_of(positions: Numbers, bins: int, *, mode: Mode = "fixed") -> NDArray[np.int64]:
    """Give the bin of each position in [0, 1]; in ``released`` mode -1 for t = 1, in no bin."""
    found = np.floor(positions * bins).astype(np.int64)
    if mode == "fixed":
        return np.asarray(np.clip(found, 0, bins - 1), np.int64)
    return np.where((positions < 0) | (found >= bins), -1, found)


def past_positions(samples: int, *, mode: Mode = "fixed") -> Numbers:
    """Give where a past sampled evenly is looked at: midpoints, or the release's right edges."""
    return (np.arange(1, samples + 1) - (0.5 if mode == "fixed" else 0.0)) / samples


def chunk_positions(
    length: int, samples: int, tau: float, *, mode: Mode = "fixed"
) -> tuple[Numbers, Numbers]:
    """Give where S past values and L new frames come to lie: in (0, tau] and (tau, 1].

    With no past, the frames lie at the midpoints of [0, 1].
    """
    if not samples:
        return np.zeros(0), (np.arange(length) + 0.5) / length
    new = (np.arange(1, length + 1) - (0.5 if mode == "fixed" else 0.0)) / length
    return tau * past_positions(samples, mode=mode), tau + (1 - tau) * new


def regress(
    where: NDArray[np.int64],
    source: NDArray[np.int64],
    values: Rows,
    bins: int,
    ridge: float,
) -> Rows:
    """Give B_j = sum of the samples in bin j / (how many they are + ridge): eq. 5's solution.

    Samples come in order of their bins ``where``; each is the row ``source`` of values, or zero
    for -1. That is one sparse product.
    """
    from scipy.sparse import csr_array  # type: ignore[import-untyped]

    inside = int((where >= 0).sum())  # only what lies behind the last bin is outside
    firsts = np.searchsorted(where[:inside], np.arange(bins + 1))
    sizes = np.diff(firsts)
    weights = np.repeat(1 / np.maximum(sizes + ridge, 1e-9), sizes)
    weights[source[:inside] < 0] = 0
    taken = (weights.astype(values.dtype), np.maximum(source[:inside], 0), firsts)
    return np.asarray(csr_array(taken, shape=(bins, len(values))) @ values)


def value_at(coefficients: Numbers, where: NDArray[np.int64]) -> Numbers:
    """Give x(t) in these bins [S, e]; zero in none."""
    return np.where(where[:, None] >= 0, coefficients[where], 0.0)


def gibbs(queries: Rows, coefficients: Rows, sharpness: float) -> Numbers:
    """Give the share of attention that each bin gets from each query [q, N] (eq. 7, exactly)."""
    return softmax(sharpness * (queries @ coefficients.T))


def sticky_positions(masses: Numbers, samples: int) -> Numbers:
    """Give S positions in [0, 1], ascending, dense where the masses [N] of the bins are large.

    Stratified: the i-th lies at the (i - 1/2)/S quantile of 0.4 p + 0.6 uniform, so that a bin
    that no one attends to keeps a sample.
    """
    bins = len(masses)
    density = (1 - _UNIFORM_SHARE) * masses / masses.sum() + _UNIFORM_SHARE / bins
    edges = np.concatenate([[0.0], np.cumsum(density)])
    return np.interp(past_positions(samples), edges / edges[-1], np.linspace(0, 1, bins + 1))


def fill_gaps(values: Rows, filled: NDArray[np.bool_]) -> Rows:
    """Interpolate the rows [N, e] that are not filled between the nearest that are."""
    known, missing = np.flatnonzero(filled), np.flatnonzero(~filled)
    after = np.searchsorted(known, missing)
    low, high = known[np.maximum(after - 1, 0)], known[np.minimum(after, len(known) - 1)]
    gap = np.where(high > low, high - low, 1)
    share = np.clip((missing - low) / gap, 0, 1)[:, None]
    values[missing] = (1 - share) * values[low] + share * values[high]
    return values


class InfiniteVideo:
    """A stream of features as one continuous signal, whatever its length, plus the open chunk."""

    name: ClassVar[str] = "infinite"
    keeps: ClassVar[str] = (
        "One continuous signal, squeezed together by each chunk of new frames; what new frames "
        "attend to keeps more room. Beyond the horizon what nothing attends to is blurred."
    )

    def __init__(
        self,
        params: InfiniteParams | None = None,
        *,
        mode: Mode = "fixed",
        held: Held = "float32",
    ) -> None:
        self.params, self.mode, self.held = params or InfiniteParams(), mode, held
        self.reset()

    @classmethod
    def within(cls, budget_bytes: int, shape: tuple[int, int], *, held: Held = "float32") -> Self:
        """Make the largest memory for frames [N, D] whose ``nbytes`` stay within a budget.

        Tokens are averaged, so a frame takes D numbers. A quarter at most is for the open chunk.
        The paper's tau is for eight chunks a video; here it is 1 - e/N, which moves the horizon as
        far away as N bins allow: to N/e chunks.

        Raises:
            ValueError: the budget holds no such memory.
        """
        frames = budget_bytes // (held_bytes(shape[1:], held) + _BESIDE_BYTES)
        chunk = min(InfiniteParams().chunk, max(1, frames // 4))
        bins = frames - chunk
        if bins <= math.e:
            raise ValueError(f"{budget_bytes} bytes hold no continuous memory for frames {shape}")
        return cls(InfiniteParams(bins=bins, chunk=chunk, tau=1 - math.e / bins), held=held)

    def reset(self) -> None:
        """Forget everything."""
        self._shape: tuple[int, ...] | None = None
        self._seen, self._last_s, self._is_empty, self._open = 0, -np.inf, True, 0
        self._bins: NDArray[np.floating] = np.zeros((0, 0), self.held)
        self._spans, self._counts = np.zeros((0, 2)), np.zeros(0)
        self._frames: NDArray[np.floating] = np.zeros((0, 0), self.held)
        self._times = np.zeros((0, 2))

    @property
    def coefficients(self) -> Features:
        """B: what is remembered in each bin [N, D]; empty before the first chunk is full."""
        return self._bins[: 0 if self._is_empty else None].astype(np.float32)

    @property
    def nbytes(self) -> int:
        """Bytes held; constant from the first frame on."""
        parts = (self._bins, self._spans, self._counts, self._frames, self._times)
        return sum(part.nbytes for part in parts)

    def observe(self, x: ArrayLike, t_s: float) -> None:
        """Take the frame [N, D] shown from ``t_s`` on; its tokens are averaged.

        Raises:
            ValueError: not finite, of another shape than before, or not later than the last one.
        """
        frame = checked(x, t_s, shape=self._shape, last_s=self._last_s)
        if self._shape is None:
            self._allocate(frame.shape)
        if self._open:
            self._times[self._open - 1, 1] = t_s
        elif not self._is_empty:
            self._spans[-1, 1] = t_s
        self._frames[self._open] = frame.mean(axis=0, dtype=np.float64)
        self._times[self._open] = t_s
        self._open, self._seen, self._last_s = self._open + 1, self._seen + 1, t_s
        if self._open == self.params.chunk:
            self._take_in(self._frames.astype(np.float32))
            self._open = 0

    def elements(self) -> list[Element]:
        """Give the bins in order of time, then the frames of the open chunk, all as [1, D].

        A bin filled between others shares their time range and counts no frame.
        """
        bins = 0 if self._is_empty else len(self._bins)
        rows = [
            *zip(self._bins[:bins], self._spans[:bins], self._counts[:bins], strict=True),
            *zip(self._frames[: self._open], self._times, np.ones(self._open), strict=False),
        ]
        return [
            Element(
                TimeSpan(float(span[0]), float(span[1])),
                round(float(count)),
                feature.astype(np.float32)[None, :],
            )
            for feature, span, count in rows
        ]

    def read(self, query: ArrayLike | None = None, *, at_s: float | None = None) -> MemoryRead:
        """Give what is held, weighted by the Gibbs density of a query [D] over the time line.

        Without a query every bin weighs the same. ``at_s`` leaves out what began later.
        """
        held = [e for e in self.elements() if at_s is None or e.span.start_s <= at_s]
        if not held:
            return MemoryRead(np.zeros((0, 1, 0), np.float32), np.zeros(0, np.float32), ())
        tokens = np.stack([element.feature for element in held])
        if query is None:
            weights = np.full(len(held), 1 / len(held))
        else:
            asked = np.asarray(query, np.float64)[None, :]
            weights = gibbs(asked, tokens[:, 0].astype(np.float64), self.params.sharpness)[0]
        spans = tuple(element.span for element in held)
        return MemoryRead(tokens, np.asarray(weights, np.float32), spans)

    def density(self, query: ArrayLike) -> list[tuple[TimeSpan, float]]:
        """Give the density of a question [D] over the time line: spans, and attention a second.

        Bins of the same span are taken together, the newest frame, which has no length yet, with
        what comes before it; the densities integrate to one.
        """
        read = self.read(query)
        gathered: dict[TimeSpan, float] = {}
        for span, weight in zip(read.spans, read.weights, strict=True):
            if span.duration_s <= 0 and gathered:
                span = next(reversed(gathered))
            gathered[span] = gathered.get(span, 0.0) + float(weight)
        return [(span, weight / (span.duration_s or 1.0)) for span, weight in gathered.items()]

    def detail(self) -> list[tuple[TimeSpan, float]]:
        """Give how finely the past is held, in bins a second; nothing before the first chunk.

        Evenly fine where nothing was sticky; more where later frames attended to, less elsewhere.
        """
        spans = self._spans[: 0 if self._is_empty else None]
        spans = spans[spans[:, 1] > spans[:, 0]]
        edges, rises = np.unique(spans), 1 / np.diff(spans, axis=1)[:, 0]
        steps = np.zeros(len(edges))
        np.add.at(steps, np.searchsorted(edges, spans[:, 0]), rises)
        np.add.at(steps, np.searchsorted(edges, spans[:, 1]), -rises)
        fine = np.cumsum(steps)[:-1]
        return [
            (TimeSpan(float(start_s), float(end_s)), float(bins))
            for start_s, end_s, bins in zip(edges[:-1], edges[1:], fine, strict=True)
        ]

    @property
    def horizon_frames(self) -> float:
        """After how many more frames a chunk that no one attends to has less than one bin.

        A chunk's width after c updates is (1 - tau) tau^c of N bins.
        """
        width = self.params.bins * (1 - self.params.tau)
        updates = max(0.0, math.log(width) / math.log(1 / self.params.tau))
        return updates * self.params.chunk

    def banks(self) -> tuple[Bank, ...]:
        """Give the open chunk and the basis functions, of which all are used once one is."""
        bins = 0 if self._is_empty else self.params.bins
        return (
            Bank("open chunk", self._open, self.params.chunk),
            Bank("basis functions", bins, self.params.bins),
        )

    def stats(self) -> dict[str, float]:
        """Give frames seen, bins, bytes, and the horizon beyond which the unattended blurs."""
        return {
            "frames_seen": float(self._seen),
            "elements": float(len(self.elements())),
            "nbytes": float(self.nbytes),
            "horizon_frames": self.horizon_frames,
        }

    def state_dict(self) -> State:
        """Give everything as arrays."""
        now = np.asarray([self._seen, self._last_s, self._is_empty, self._open], np.float64)
        return {
            "now": now,
            "shape": np.asarray(self._shape or (), np.int64),
            "bins": self._bins.copy(),
            "spans": self._spans.copy(),
            "counts": self._counts.copy(),
            "frames": self._frames.copy(),
            "times": self._times.copy(),
        }

    def load_state_dict(self, state: State) -> None:
        """Go on from a ``state_dict`` of a memory made the same way."""
        self.reset()
        seen, last_s, is_empty, still_open = (float(value) for value in state["now"])
        self._seen, self._last_s = int(seen), last_s
        self._is_empty, self._open = bool(is_empty), int(still_open)
        self._shape = tuple(int(side) for side in state["shape"]) or None
        self._bins, self._frames = state["bins"].copy(), state["frames"].copy()
        self._spans, self._times = state["spans"].copy(), state["times"].copy()
        self._counts = state["counts"].copy()

    def _allocate(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        bins, chunk = self.params.bins, self.params.chunk
        self._bins = np.zeros((bins, shape[1]), self.held)
        self._spans, self._counts = np.zeros((bins, 2)), np.zeros(bins)
        self._frames = np.zeros((chunk, shape[1]), self.held)
        self._times = np.zeros((chunk, 2))

    def _take_in(self, chunk: Features) -> None:
        """Contract the past and put the chunk behind it (§3.1, eq. 3-5)."""
        sizes, mode = self.params, self.mode
        bins = widened(self._bins)
        past = np.zeros(0) if self._is_empty else self._looked_at(chunk, bins)
        source = bins_of(past, sizes.bins, mode=mode)
        updates = self._seen // sizes.chunk - 1
        tau = min(sizes.tau, updates / (updates + 1)) if mode == "fixed" else sizes.tau
        positions = np.concatenate(chunk_positions(len(chunk), len(past), tau, mode=mode))
        where = bins_of(positions, sizes.bins, mode=mode)
        rows = np.concatenate([source, sizes.bins + np.arange(len(chunk))])
        held = np.concatenate([bins, chunk])
        ridge = sizes.ridge if mode == "released" else 0.0
        values = regress(where, rows, held, sizes.bins, ridge)
        filled = np.bincount(where[where >= 0], minlength=sizes.bins) > 0
        self._date(source, where, filled)
        self._bins[:] = fill_gaps(values, filled) if mode == "fixed" else values
        self._is_empty = False

    def _looked_at(self, chunk: Features, bins: Features) -> Numbers:
        """Say where the past is sampled: where the new frames themselves attend to."""
        if self.mode == "released":
            return past_positions(self.params.samples, mode="released")
        density = gibbs(chunk, bins, self.params.stickiness)
        return sticky_positions(density.mean(axis=0), self.params.samples)

    def _date(
        self, source: NDArray[np.int64], where: NDArray[np.int64], filled: NDArray[np.bool_]
    ) -> None:
        """Carry time ranges and counts along with the samples; an unfilled bin takes the next's.

        A bin's count is shared among its samples.
        """
        bins = self.params.bins
        drawn = np.bincount(source[source >= 0], minlength=bins)
        shares = np.where(source >= 0, self._counts[source] / np.maximum(drawn[source], 1), 0.0)
        spans = np.concatenate([self._spans[source], self._times])
        inside = (where >= 0) & np.concatenate([source >= 0, np.ones(len(self._times), bool)])
        starts, ends, counts = np.full(bins, np.inf), np.full(bins, -np.inf), np.zeros(bins)
        np.minimum.at(starts, where[inside], spans[inside, 0])
        np.maximum.at(ends, where[inside], spans[inside, 1])
        np.add.at(
            counts, where[inside], np.concatenate([shares, np.ones(len(self._times))])[inside]
        )
        known = np.flatnonzero(np.isfinite(starts) & filled)
        following = known[np.clip(np.searchsorted(known, np.arange(bins)), 0, len(known) - 1)]
        self._spans = np.stack([starts[following], ends[following]], axis=1)
        self._counts = counts


def frames_pooled(frames: Tokens) -> Numbers:
    """Average the tokens of frames [L, N, D] into a chunk [L, D], as the memory takes it."""
    return np.asarray(frames.astype(np.float64).mean(axis=1))

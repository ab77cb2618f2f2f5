"""Knows XMem's three memories (Cheng & Schwing, ECCV 2022, arXiv 2207.07115).

Sensory memory is a running mean of what was seen; working memory holds the last frames as they
were; long-term memory holds prototypes. A read is an anisotropic L2 affinity over the top-k
elements (§3.2, eq. 2-4), and counts how much each element is used. When working memory is full,
its most used elements become prototypes, each re-read from all of its neighbours ("potentiation",
§3.3, eq. 5-7); when long-term memory is full, the least used of its life is given up.

`similarity`, `affinity`, `consolidate`, `obsolete` are the paper's steps, `Stores` is its memory
manager, `XMem` feeds it a stream with keys = values = features, no shrinkage and no selection.
``released`` keeps what the public code does: without a selection it leaves |q|^2 out, and eviction
drops all that tie with the last one to go.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

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
    State,
    checked,
    held_bytes,
    softmax,
)

_YOUNG = 1e-7  # the life that a new element starts with
_QUERIES_AT_ONCE = 256
_BESIDE_BYTES = 4 * 4 + 2 * 8 + 2 * 8  # shrinkage, norm, use, life; span; count and track


@dataclass(frozen=True, slots=True)
class XMemParams:
    """Sizes: ``every`` r-th frame is written; T_min, T_max in frames; P, LT_max in elements.

    ``sharpness`` scales the distances; the paper's 1/sqrt(Ck) fits learnt keys, the product's
    features lie within a distance of 2 and need more.
    """

    every: int = 1
    t_min: int = 5
    t_max: int = 10
    prototypes: int = 128
    lt_max: int = 10_000
    top_k: int = 30
    sharpness: float = 20.0
    inertia: float = 0.8

    def __post_init__(self) -> None:
        counts = (self.every, self.prototypes, self.lt_max, self.top_k)
        if min(counts) < 1 or not 1 < self.t_min < self.t_max or not 0 <= self.inertia < 1:
            raise ValueError(f"not sizes of sensory, working and long-term memory: {self}")


def similarity(
    keys: Features,
    shrinkage: Features | None,
    queries: Features,
    selection: Features | None,
    *,
    sharpness: float | None = None,
    mode: Mode = "fixed",
) -> Features:
    """Give S [N, Q] = -s sum_c e_c (k_c - q_c)^2 / sqrt(Ck), keys [N, Ck], queries [Q, Ck] (eq. 3).

    Without a selection e is one; the release then drops |q|^2, which counts where s varies.
    """
    scale = keys.shape[1] ** -0.5 if sharpness is None else sharpness
    if selection is None:
        own = (queries * queries).sum(axis=1) if mode == "fixed" else 0.0
        distances = (keys * keys).sum(axis=1)[:, None] - 2 * keys @ queries.T + own
    else:
        own = (selection * queries * queries).sum(axis=1)
        distances = (keys * keys) @ selection.T - 2 * keys @ (queries * selection).T + own
    if shrinkage is not None:
        distances = distances * shrinkage[:, None]
    return np.asarray(-scale * distances)


def affinity(scores: Features, top_k: int | None = None) -> Features:
    """Give W [N, Q]: each column's softmax over its top-k entries, zero elsewhere (eq. 2)."""
    if top_k is None or top_k >= len(scores):
        return np.asarray(softmax(scores.T).T, scores.dtype)
    best = np.argpartition(-scores, top_k - 1, axis=0)[:top_k]
    weights = np.zeros_like(scores)
    shares = softmax(np.take_along_axis(scores, best, axis=0).T).T
    np.put_along_axis(weights, best, shares.astype(scores.dtype), axis=0)
    return weights


@dataclass(frozen=True, slots=True)
class Prototypes:
    """Which candidates became prototypes, and what each reads from all candidates."""

    indices: NDArray[np.int64]
    values: Features
    shrinkage: Features


def consolidate(
    keys: Features,
    shrinkage: Features,
    selection: Features | None,
    values: Features,
    usage: Features,
    count: int,
    *,
    sharpness: float | None = None,
) -> Prototypes:
    """Take the most used candidates as prototypes and read each from all (eq. 5-7).

    Candidates are keys [N, Ck], s [N], e [N, Ck], values [N, Cv], usage [N]; the first of equals
    comes first.
    """
    chosen = np.argsort(-usage, kind="stable")[:count]
    picked = None if selection is None else selection[chosen]
    scores = similarity(keys, shrinkage, keys[chosen], picked, sharpness=sharpness)
    weights = affinity(scores)
    return Prototypes(chosen, weights.T @ values, weights.T @ shrinkage)


def obsolete(
    usage: Features, life: Features, kept: int, *, grace: float = 1.0, mode: Mode = "fixed"
) -> NDArray[np.int64]:
    """Say which elements go until ``kept`` are left: the least used of their life (§3.3).

    The oldest of equals goes first; one that was read less than ``grace`` times goes last. The
    release has no grace, and drops all that tie with the last one to go.
    """
    surplus = len(usage) - kept
    if surplus <= 0:
        return np.zeros(0, np.int64)
    if mode == "released":
        threshold = np.partition(usage, surplus - 1)[surplus - 1]
        return np.flatnonzero(usage <= threshold)
    order = np.lexsort((usage, life < grace))
    return np.sort(order[:surplus])


class _Rows:
    """Elements in arrays of fixed size, oldest first."""

    def __init__(self, capacity: int, widths: dict[str, int], held: Held) -> None:
        self.parts: dict[str, NDArray[Any]] = {
            name: np.zeros((capacity, width), held) for name, width in widths.items()
        }
        for name in ("shrinkage", "use", "life"):
            self.parts[name] = np.zeros(capacity, np.float32)
        self.parts["span"] = np.zeros((capacity, 2))
        self.parts["count"] = np.zeros(capacity)
        self.parts["track"] = np.zeros(capacity, np.int64)
        self.size = 0

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.parts[name][: self.size]

    def append(self, **rows: ArrayLike) -> None:
        count = len(np.atleast_1d(np.asarray(rows["track"])))
        new = slice(self.size, self.size + count)
        for name, value in rows.items():
            self.parts[name][new] = value
        self.parts["use"][new], self.parts["life"][new] = 0.0, _YOUNG
        self.size += count

    def drop(self, gone: NDArray[np.int64]) -> None:
        kept = np.setdiff1d(np.arange(self.size), gone, assume_unique=True)
        for part in self.parts.values():
            part[: len(kept)] = part[kept]
        self.size = len(kept)

    def usage(self) -> Features:
        return np.asarray(self["use"] / self["life"])

    @property
    def nbytes(self) -> int:
        return sum(part.nbytes for part in self.parts.values())

    def state_dict(self, prefix: str) -> State:
        return {f"{prefix}.{name}": self[name].copy() for name in self.parts}

    def load(self, state: State, prefix: str) -> None:
        self.size = len(state[f"{prefix}.track"])
        for name, part in self.parts.items():
            part[: self.size] = state[f"{prefix}.{name}"]


class Stores:
    """Working and long-term memory for frames of HW elements: the paper's memory manager."""

    def __init__(
        self,
        params: XMemParams,
        elements: int,
        widths: tuple[int, int],
        *,
        selects: bool,
        held: Held = "float32",
        mode: Mode = "fixed",
    ) -> None:
        """``elements`` are the HW of a frame, ``widths`` Ck and Cv."""
        self.params, self.mode, self._frame = params, mode, elements
        self._sharpness = None if mode == "released" else params.sharpness
        long = {"key": widths[0], "value": widths[1]}
        work = long | ({"selection": widths[0]} if selects else {})
        self.work = _Rows(params.t_max * elements, work, held)
        self.long = _Rows(params.lt_max, long, held)
        self.given_up = 0.0  # frames that evicted elements stood for, by element

    @property
    def nbytes(self) -> int:
        """Bytes held, full or not."""
        return self.work.nbytes + self.long.nbytes

    def read(
        self, queries: Features, selection: Features | None = None, *, count: bool = False
    ) -> Features:
        """Read values [Q, Cv] for queries [Q, Ck], long-term first; ``count`` counts usage."""
        values = widened(np.concatenate([self.long["value"], self.work["value"]]))
        read, use = [], np.zeros(len(values), np.float32)
        for weights in self._weights(queries, selection):
            read.append(weights.T @ values)
            use += weights.sum(axis=1)
        if count:
            self._counted(use)
        return np.concatenate(read)

    def weights(
        self,
        queries: Features,
        selection: Features | None = None,
        *,
        until_s: float = np.inf,
    ) -> Features:
        """Give the affinity [N, Q] of what is held, long-term first, to queries [Q, Ck].

        What was shown only after ``until_s`` counts for nothing.
        """
        return np.concatenate(list(self._weights(queries, selection, until_s)), axis=1)

    def count(self, queries: Features) -> None:
        """Count what queries [Q, Ck] use, without reading it."""
        uses = [weights.sum(axis=1) for weights in self._weights(queries, None)]
        self._counted(np.sum(uses, axis=0))

    def write(
        self,
        key: Features,
        value: Features,
        *,
        shrinkage: ArrayLike = 1.0,
        selection: Features | None = None,
        at_s: float = 0.0,
    ) -> None:
        """Append a frame's elements; consolidate working memory when it is full (§3.3)."""
        more = {} if selection is None else {"selection": selection}
        tracks, times = np.arange(self._frame), (at_s, at_s)
        self.work.append(
            key=key, value=value, shrinkage=shrinkage, span=times, count=1, track=tracks, **more
        )
        if self.work.size >= self.params.t_max * self._frame:
            self._compress()

    def _compress(self) -> None:
        frame, sizes = self._frame, self.params
        gone = np.arange(frame, self.work.size - (sizes.t_min - 1) * frame)
        prototypes = sizes.prototypes
        if self.mode == "fixed":
            prototypes = max(1, min(prototypes, len(gone) // 4))
        if self.long.size >= sizes.lt_max - prototypes:
            self._evict(sizes.lt_max - prototypes)
        work = {name: self.work[name][gone] for name in self.work.parts}
        keys, values = (work[name].astype(np.float32) for name in ("key", "value"))
        made = consolidate(
            *(keys, work["shrinkage"], work.get("selection"), values),
            *(self.work.usage()[gone], prototypes),
            sharpness=self._sharpness,
        )
        spans, counts = _shared_out(made.indices, work)
        self.given_up += work["count"].sum() - counts.sum()
        self.long.append(
            key=work["key"][made.indices],
            value=made.values,
            shrinkage=made.shrinkage,
            span=spans,
            count=counts,
            track=work["track"][made.indices],
        )
        self.work.drop(gone)

    def _evict(self, kept: int) -> None:
        gone = obsolete(self.long.usage(), self.long["life"], kept, mode=self.mode)
        self.given_up += float(self.long["count"][gone].sum())
        self.long.drop(gone)

    def _weights(
        self, queries: Features, selection: Features | None, until_s: float = np.inf
    ) -> Iterator[Features]:
        keys = widened(np.concatenate([self.long["key"], self.work["key"]]))
        shrinkage = np.concatenate([self.long["shrinkage"], self.work["shrinkage"]])
        starts = np.concatenate([self.long["span"], self.work["span"]])[:, 0]
        for start in range(0, len(queries), _QUERIES_AT_ONCE):
            part = slice(start, start + _QUERIES_AT_ONCE)
            chosen = None if selection is None else selection[part]
            scores = similarity(
                *(keys, shrinkage, queries[part], chosen),
                sharpness=self._sharpness,
                mode=self.mode,
            )
            scores[starts > until_s] = -np.inf
            yield affinity(scores, self.params.top_k)

    def _counted(self, use: Features) -> None:
        for rows, part in (
            (self.long, use[: self.long.size]),
            (self.work, use[self.long.size :]),
        ):
            rows["use"][:] += part
            rows["life"][:] += 1


def _shared_out(
    prototypes: NDArray[np.int64], candidates: dict[str, NDArray[Any]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give each prototype the times and counts of the candidates of its track nearest to it."""
    spans, counts = np.zeros((len(prototypes), 2)), np.zeros(len(prototypes))
    for track in np.unique(candidates["track"][prototypes]):
        rows = np.flatnonzero(candidates["track"] == track)
        mine = np.flatnonzero(candidates["track"][prototypes] == track)
        mine = mine[np.argsort(prototypes[mine])]
        at = np.searchsorted(rows, prototypes[mine])
        borders = np.concatenate([[0], (at[1:] + at[:-1]) // 2 + 1, [len(rows)]])
        for one, first, last in zip(mine, borders[:-1], borders[1:], strict=True):
            part = rows[first:last]
            spans[one] = candidates["span"][part[0], 0], candidates["span"][part[-1], 1]
            counts[one] = candidates["count"][part].sum()
    return spans, counts


class XMem:
    """Sensory, working and long-term memory of a stream of frames [N, D]."""

    name: ClassVar[str] = "xmem"
    keeps: ClassVar[str] = (
        "A running mean (sensory), the newest frames (working) and prototypes of older ones "
        "(long-term). When long-term memory is full, the prototypes least used for their age go."
    )

    def __init__(
        self,
        params: XMemParams = XMemParams(),
        *,
        held: Held = "float32",
        mode: Mode = "fixed",
    ) -> None:
        self.params, self.held, self.mode = params, held, mode
        self.reset()

    @classmethod
    def within(cls, budget_bytes: int, shape: tuple[int, int], *, held: Held = "float32") -> Self:
        """Make the largest memory for frames [N, D] whose ``nbytes`` stay within a budget.

        Raises:
            ValueError: the budget does not hold working memory and as much again.
        """
        sizes = XMemParams()
        element = 2 * held_bytes((shape[1],), held) + _BESIDE_BYTES
        sensory = held_bytes(shape, "float32")
        long = (budget_bytes - sensory) // element - sizes.t_max * shape[0]
        if long < sizes.t_max * shape[0]:
            raise ValueError(f"{budget_bytes} bytes hold no XMem memory for frames {shape}")
        return cls(XMemParams(lt_max=long), held=held)

    def reset(self) -> None:
        """Forget everything."""
        self._stores: Stores | None = None
        self._sensory = np.zeros((0, 0), np.float32)
        self._shape: tuple[int, ...] | None = None
        self._seen, self._last_s = 0, -np.inf

    @property
    def sensory(self) -> Features:
        """The running mean h' = (1 - b) h + b x of what was seen [N, D], the newest most."""
        return self._sensory.copy()

    @property
    def nbytes(self) -> int:
        """Bytes held; constant from the first frame on."""
        return self._sensory.nbytes + (self._stores.nbytes if self._stores else 0)

    def observe(self, x: ArrayLike, t_s: float) -> None:
        """Take the frame [N, D] shown from ``t_s`` on; what it finds in memory counts as used.

        Raises:
            ValueError: not finite, of another shape than before, or not later than the last one.
        """
        frame = checked(x, t_s, shape=self._shape, last_s=self._last_s)
        stores, due = self._allocated(frame), self._seen % self.params.every == 0
        keep = self.params.inertia if self._seen else 0.0
        self._sensory = np.asarray(keep * self._sensory + (1 - keep) * frame, np.float32)
        if self._seen:
            stores.work["span"][-len(frame) :, 1] = t_s
            stores.work["count"][-len(frame) :] += not due
            stores.count(frame)
        if due:
            stores.write(frame, frame, at_s=t_s)
        self._seen, self._last_s = self._seen + 1, t_s

    def elements(self) -> list[Element]:
        """Give every element's value [1, D], by start and then by token."""
        return [element for _, element in self._in_order()]

    def usage(self) -> list[float]:
        """Give how much of its life each of the ``elements`` was read, in their order."""
        if self._stores is None:
            return []
        used = np.concatenate([self._stores.long.usage(), self._stores.work.usage()])
        return [float(used[at]) for at, _ in self._in_order()]

    def read(self, query: ArrayLike | None = None, *, at_s: float | None = None) -> MemoryRead:
        """Give what is held, all of it or what was shown by ``at_s``.

        Without a query an element weighs as many frames as it stands for; with one [D], its share
        of the top-k affinity of keys with the query (eq. 2-4).
        """
        rows = [row for row in self._in_order() if at_s is None or row[1].span.start_s <= at_s]
        if not rows or self._stores is None:
            shape = (0, 1, self._shape[1] if self._shape else 0)
            return MemoryRead(np.zeros(shape, np.float32), np.zeros(0, np.float32), ())
        weights = np.asarray([element.count for _, element in rows], np.float64)
        if query is not None:
            asked = np.asarray(query, np.float32)[None]
            until_s = np.inf if at_s is None else at_s
            found = self._stores.weights(asked, until_s=until_s)[:, 0].astype(np.float64)
            weights = found[[at for at, _ in rows]] + 1e-12
        return MemoryRead(
            np.stack([element.feature for _, element in rows]),
            np.asarray(weights / weights.sum(), np.float32),
            tuple(element.span for _, element in rows),
        )

    def banks(self) -> tuple[Bank, ...]:
        """Give sensory, working and long-term memory."""
        tokens = self._shape[0] if self._shape else 1
        work = self._stores.work.size if self._stores else 0
        long = self._stores.long.size if self._stores else 0
        return (
            Bank("sensory memory", min(self._seen, 1), 1),
            Bank("working memory", work, self.params.t_max * tokens),
            Bank("long-term memory", long, self.params.lt_max),
        )

    def stats(self) -> dict[str, float]:
        """Give frames seen, elements by store, bytes, and what eviction gave up, in frames."""
        work = self._stores.work.size if self._stores else 0
        long = self._stores.long.size if self._stores else 0
        given_up = self._stores.given_up if self._stores else 0.0
        tokens = self._shape[0] if self._shape else 1
        return {
            "frames_seen": float(self._seen),
            "elements": float(work + long),
            "working": float(work),
            "long_term": float(long),
            "nbytes": float(self.nbytes),
            "frames_given_up": given_up / tokens,
        }

    def state_dict(self) -> State:
        """Give everything as arrays."""
        now = np.asarray([self._seen, self._last_s], np.float64)
        if self._stores is None:
            return {"now": now}
        given_up = np.asarray(self._stores.given_up)
        state: State = {"now": now, "sensory": self.sensory, "given_up": given_up}
        state.update(self._stores.work.state_dict("work"))
        state.update(self._stores.long.state_dict("long"))
        return state

    def load_state_dict(self, state: State) -> None:
        """Go on from a ``state_dict`` of a memory made the same way."""
        self.reset()
        seen, last_s = (float(value) for value in state["now"])
        if seen:
            stores = self._allocated(state["sensory"])
            self._sensory = state["sensory"].copy()
            stores.given_up = float(state["given_up"])
            stores.work.load(state, "work")
            stores.long.load(state, "long")
        self._seen, self._last_s = int(seen), last_s

    def _in_order(self) -> list[tuple[int, Element]]:
        """Give each element with its place in the stores, long-term first, by start and track."""
        if self._stores is None:
            return []
        found, place = [], 0
        for rows in (self._stores.long, self._stores.work):
            for at in range(rows.size):
                start_s, end_s = (float(edge) for edge in rows["span"][at])
                feature = rows["value"][at : at + 1].astype(np.float32)
                element = Element(TimeSpan(start_s, end_s), int(rows["count"][at]), feature)
                found.append(((start_s, int(rows["track"][at])), place, element))
                place += 1
        return [(place, element) for _, place, element in sorted(found, key=lambda row: row[:2])]

    def _allocated(self, frame: Features) -> Stores:
        if self._stores is None:
            self._shape = frame.shape
            self._sensory = np.zeros(frame.shape, np.float32)
            widths = (frame.shape[1], frame.shape[1])
            self._stores = Stores(
                *(self.params, frame.shape[0], widths),
                selects=False,
                held=self.held,
                mode=self.mode,
            )
        return self._stores

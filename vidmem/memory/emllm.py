"""Knows EM-LLM's events (Fountas et al., ICLR 2025, arXiv 2407.09450): surprise, refining, recall.

An event begins where a frame is more surprising than mean + gamma deviations of the last ones
(§3.2, eq. 1-2); its beginning moves to the best split of the graph A = K K^T by modularity or
conductance (§3.3, eq. 3-4). A question recalls the events whose representatives are most similar
to it, then their neighbours in time, which linger (§3.4). As A is a product, every metric follows
from sums of keys: refining takes O(n d) and not O(n^3).

``released`` keeps what the public code does: a split never stays where it was, its window reaches
back into the event before, close events are filtered by their unfiltered neighbours, and recalled
neighbours may be there twice. `EMLLM` keeps a stream's events in a bounded store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
    read_elements,
)

Metric: TypeAlias = Literal["modularity", "conductance"]

_NEAR_ZERO = 1e-15
_LEAST_HISTORY = 8  # surprises before any of them can stand out
_LEAST_VARIANCE = 1e-6
_FORGETTING = 0.1  # of the predictor's mean and variance, a frame
_REPRESENTING = 4  # frames nearest to an event's mean
_ROW_PARTS = ("row_features", "spans", "counts", "event", "recalled", "born")
_BESIDE_BYTES = 8 * 3 + 8 * 3  # a row's span and count; its event, recalls and birth


@dataclass(frozen=True, slots=True)
class EMLLMParams:
    """Sizes in frames: events of ``least`` to ``most``, kept as means of up to ``part`` frames.

    ``gamma`` deviations make a boundary; ``recalled`` frames are read at once, of which the share
    ``contiguity`` is kept for the neighbours in time of what is similar.
    """

    least: int = 4
    most: int = 64
    part: int = 8
    gamma: float = 1.0
    history: int = 128
    recalled: int = 512
    contiguity: float = 0.3
    sharpness: float = 20.0
    metric: Metric = "modularity"

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.most or min(self.part, self.history, self.recalled) < 1:
            raise ValueError(f"not sizes of events: {self}")


def stands_out(surprise: float, past: ArrayLike, gamma: float) -> bool:
    """Say whether a surprise exceeds mean + gamma deviations (n - 1) of past ones (eq. 2).

    Without a deviation nothing stands out.
    """
    values = np.asarray(past, np.float64)
    if len(values) < 2 or not (deviation := values.std(ddof=1)) > 0:
        return False
    return bool(surprise > values.mean() + gamma * deviation)


def communities(keys: Features, labels: NDArray[np.integer]) -> tuple[float, Numbers]:
    """Give the modularity of a labelling of keys [n, d], and each community's conductance.

    With S_c the sum of c's keys and S of all: inside = |S_c|^2, degree = S_c S, total = |S|^2
    (eq. 3-4, halved as in the release).
    """
    wide = keys.astype(np.float64)
    sums = np.stack([wide[labels == label].sum(axis=0) for label in np.unique(labels)])
    whole = sums.sum(axis=0)
    inside, degree, total = (sums * sums).sum(axis=1), sums @ whole, whole @ whole
    modularity = float((inside - degree**2 / total).sum() / (2 * total))
    return modularity, _conductance(inside, degree - inside, total)


def splits(keys: Features, metric: Metric) -> Numbers:
    """Score every split [0, t) | [t, n) of keys [n, d] for t = 1 .. n-1, by prefix sums.

    Modularity as it is; conductance as the lower of the two sides', the lower the better.
    """
    sums = np.cumsum(keys.astype(np.float64), axis=0)
    whole, left = sums[-1], sums[:-1]
    right = whole - left
    inside = np.stack([np.einsum("td,td->t", side, side) for side in (left, right)])
    total = whole @ whole
    if metric == "conductance":
        cut = np.einsum("td,td->t", left, right)
        return np.asarray(_conductance(inside, cut, total).min(axis=0))
    degree = np.stack([left @ whole, right @ whole])
    return np.asarray((inside - degree**2 / total).sum(axis=0) / (2 * total))


def refine(
    keys: Features,
    events: Sequence[int],
    *,
    least: int,
    offset: int = 0,
    metric: Metric = "modularity",
    mode: Mode = "fixed",
) -> list[int]:
    """Move the beginnings of events to the best splits of keys [offset + n, d] (§3.3, algorithm 1).

    Events and the answer count from ``offset`` on.

    Raises:
        ValueError: in ``released`` mode, an event comes too soon after a refined one.
    """
    kept = _apart([event + offset for event in events], least, offset, mode)
    refined: list[int] = []
    for at, event in enumerate(kept):
        before = refined[-1] if refined else 0
        if mode == "released":
            refined.append(_moved_as_released(keys, before, event, least, offset, metric))
            continue
        after = kept[at + 1] if at + 1 < len(kept) else len(keys)
        if event - before >= least and after - event >= least:
            own = event - before  # a split is at most where the event was
            refined.append(before + _split(keys[before:after], least, own, own, metric))
    return [event - offset for event in refined]


def _apart(events: Sequence[int], least: int, offset: int, mode: Mode) -> list[int]:
    """Leave out events too close to the one before: the last kept one, or the release's any."""
    kept: list[int] = []
    before = 0
    for event in events:
        too_early = offset > 0 and not kept and event - offset < least and before == 0
        if event - before >= least and not too_early:
            kept.append(event)
            before = event
        elif mode == "released":
            before = event
    return kept


def _split(keys: Features, first: int, last: int, otherwise: int, metric: Metric) -> int:
    """Give the best split of keys [n, d] among first .. last, both included."""
    whole = keys.sum(axis=0, dtype=np.float64)
    if not whole @ whole > 0:
        return otherwise
    return first + _best(splits(keys, metric)[first - 1 : last], metric)


def _moved_as_released(
    keys: Features, before: int, event: int, least: int, offset: int, metric: Metric
) -> int:
    if event - before < least and offset > 0:
        raise ValueError(f"the event at {event} lies less than {least} after {before}")
    if event - before <= least or event - offset <= least:
        return event
    half = (event - before) // 2
    start, end = max(0, before - half), min(len(keys), event + half)
    first = max(offset - start, before - start) + least
    scores = splits(keys[start:end], metric)
    return start + first + _best(scores[first - 1 : event - start - 1], metric)


def _best(scores: Numbers, metric: Metric) -> int:
    return int(np.argmin(scores) if metric == "conductance" else np.argmax(scores))


def _conductance(inside: Numbers, cut: Numbers, total: float) -> Numbers:
    smaller = np.minimum(inside, total - inside)
    return np.asarray(cut / np.where(smaller == 0, _NEAR_ZERO, smaller))


class _Filling:
    """Blocks up to a budget; the one that crosses it stays only if that ends closer to it."""

    def __init__(self, budget: float) -> None:
        self.budget, self.size, self.full = budget, 0, budget <= 0
        self.blocks: list[int] = []

    def offer(self, block: int, size: int) -> None:
        over = self.size + size - self.budget
        self.full = over >= 0
        if over <= 0 or over < self.budget - self.size:
            self.blocks.append(block)
            self.size += size


def most_similar(
    scores: Numbers, sizes: NDArray[np.integer], budget: float, *, mode: Mode = "fixed"
) -> list[int]:
    """Recall blocks by their scores, best first, up to a budget of frames (stage 1 of §3.4).

    The first of equals comes first; at least one is recalled, unless as released.
    """
    order = [int(block) for block in np.argsort(-scores, kind="stable")]
    filling = _Filling(budget)
    for block in order:
        if filling.full:
            break
        filling.offer(block, int(sizes[block]))
    if mode == "fixed" and not filling.blocks:
        return order[:1]
    return filling.blocks


def neighbours(
    similar: Sequence[int],
    queue: Sequence[int],
    sizes: NDArray[np.integer],
    budget: float,
    *,
    mode: Mode = "fixed",
) -> list[int]:
    """Recall the neighbours in time of similar blocks, in front of a queue (stage 2 of §3.4).

    The best comes last; what was there before leaves where room is short.
    """
    new = _Filling(budget)
    for block in similar:
        for beside in (block + 1, block - 1):
            known = beside in similar or beside in new.blocks
            if not new.full and not known and 0 <= beside < len(sizes):
                new.offer(beside, int(sizes[beside]))
    if mode == "fixed":
        queue = [block for block in queue if block not in similar and block not in new.blocks]
    if not queue or new.full:
        return new.blocks[::-1]
    if sum(int(sizes[block]) for block in queue) + new.size < budget:
        return [*queue, *new.blocks[::-1]]
    recalled = new.blocks[::-1]
    for block in reversed(queue):
        if block in recalled or new.full:
            continue
        held = len(new.blocks)
        new.offer(block, int(sizes[block]))
        if len(new.blocks) > held:
            recalled.insert(0, block)
    return recalled


def budgets(total: int, contiguity: float) -> tuple[float, float]:
    """Share a budget of frames between what is similar and its neighbours in time."""
    beside = contiguity if contiguity >= 1 else np.floor(contiguity * total + 1)
    beside = float(beside) if contiguity else 0.0
    return total - beside, beside


class _Rows:
    """Preallocated rows, some to an event, in order of time: the first stands for the event.

    That first one is what questions meet and has count 0; the others are means of its frames.
    """

    def __init__(self, capacity: int, shape: tuple[int, ...], held: Held) -> None:
        self.size = 0
        self.features = np.zeros((capacity, *shape), held)
        self.spans, self.counts = np.zeros((capacity, 2)), np.zeros(capacity)
        self.event = np.zeros(capacity, np.int64)
        self.recalled, self.born = np.zeros(capacity), np.zeros(capacity)

    @property
    def _all(self) -> tuple[NDArray[np.generic], ...]:
        return self.features, self.spans, self.counts, self.event, self.recalled, self.born

    @property
    def room(self) -> int:
        return len(self.counts) - self.size

    @property
    def nbytes(self) -> int:
        return sum(part.nbytes for part in self._all)

    @property
    def firsts(self) -> NDArray[np.intp]:
        """Where each event's rows begin."""
        return np.flatnonzero(self.counts[: self.size] == 0)

    def sizes(self) -> NDArray[np.int64]:
        """How many frames each event has."""
        firsts = self.firsts
        if not len(firsts):
            return np.zeros(0, np.int64)
        return np.add.reduceat(self.counts[: self.size], firsts).astype(np.int64)

    def append(self, *row: ArrayLike) -> None:
        for part, value in zip(self._all, row, strict=True):
            part[self.size] = value
        self.size += 1

    def forget(self, event: int) -> None:
        kept = np.flatnonzero(self.event[: self.size] != event)
        for part in self._all:
            part[: len(kept)] = part[kept]
        self.size = len(kept)

    def copies(self) -> list[NDArray[np.generic]]:
        return [part[: self.size].copy() for part in self._all]


class EMLLM:
    """Events of a stream of frames [N, D]: cut by surprise, refined, recalled by likeness and time.

    As frames have no likelihood, surprise is the negative log-likelihood under a Gaussian whose
    mean and variance follow the stream. An event is held as means of its frames, part by part,
    and the mean of the four nearest to its own, which is compared. A new event recalls those like
    it; where room is short, the event recalled least for its age goes as a whole.
    """

    name: ClassVar[str] = "emllm"
    keeps: ClassVar[str] = (
        "Events, cut where the picture surprises. When room is short, the event recalled least "
        "for its age goes as a whole."
    )

    def __init__(
        self, rows: int, params: EMLLMParams = EMLLMParams(), *, held: Held = "float32"
    ) -> None:
        """``rows`` features are kept for closed events; the largest event must find room."""
        if rows < 1 + -(-params.most // params.part):
            raise ValueError(f"{rows} rows do not hold an event of {params.most} frames")
        self.rows, self.params, self.held = rows, params, held
        self.reset()

    @classmethod
    def within(cls, budget_bytes: int, shape: tuple[int, int], *, held: Held = "float32") -> Self:
        """Make the largest memory for frames [N, D] whose ``nbytes`` stay within a budget.

        At most a quarter goes to the frames of the two open events, which shortens long events.

        Raises:
            ValueError: the budget holds no events.
        """
        usual, frame = EMLLMParams(), held_bytes(shape, held)
        most = min(usual.most, budget_bytes // 4 // (2 * (frame + 8)))
        if most < usual.least:
            raise ValueError(f"{budget_bytes} bytes hold no events of frames {shape}")
        params = EMLLMParams(most=most, history=min(usual.history, budget_bytes // 64))
        beside = 2 * most * (frame + 8) + 2 * held_bytes(shape, "float32") + 8 * params.history
        return cls((budget_bytes - beside) // (frame + _BESIDE_BYTES), params, held=held)

    def reset(self) -> None:
        """Forget everything."""
        self._shape: tuple[int, ...] | None = None
        self._seen, self._last_s = 0, -np.inf
        self._open, self._boundary, self._surprises = 0, 0, 0
        self._events, self._given_up = 0, 0.0

    def _allocate(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self._stored = _Rows(self.rows, shape, self.held)
        self._frames = np.zeros((2 * self.params.most, *shape), self.held)
        self._times = np.zeros(2 * self.params.most)
        self._mean, self._variance = (np.zeros(shape, np.float32) for _ in range(2))
        self._past = np.zeros(self.params.history)

    @property
    def nbytes(self) -> int:
        """Bytes held; constant from the first frame on."""
        if self._shape is None:
            return 0
        beside = (self._frames, self._times, self._mean, self._variance, self._past)
        return self._stored.nbytes + sum(part.nbytes for part in beside)

    def observe(self, x: ArrayLike, t_s: float) -> None:
        """Take the frame [N, D] shown from ``t_s`` on.

        Raises:
            ValueError: not finite, of another shape than before, or not later than the last one.
        """
        frame = checked(x, t_s, shape=self._shape, last_s=self._last_s)
        if self._shape is None:
            self._allocate(frame.shape)
        if self._begins_event(frame):
            if self._boundary:
                self._close(self._refined(), t_s)
            self._boundary = self._open
        self._frames[self._open], self._times[self._open] = frame, t_s
        self._open, self._seen, self._last_s = self._open + 1, self._seen + 1, t_s

    def _begins_event(self, frame: Tokens) -> bool:
        """Say whether an event begins here (eq. 1-2), none being shorter or longer than allowed."""
        surprise = self._learn(frame)
        length = self._open - self._boundary
        known = min(self._surprises, len(self._past))
        sudden = known >= _LEAST_HISTORY and stands_out(
            surprise, self._past[:known], self.params.gamma
        )
        if self._seen > 1:
            self._past[self._surprises % len(self._past)] = surprise
            self._surprises += 1
        return length == self.params.most or (sudden and length >= self.params.least)

    def _learn(self, frame: Tokens) -> float:
        """Give a frame's mean negative log-likelihood, then let the prediction follow it."""
        if not self._seen:
            self._mean[:] = frame
            return 0.0
        apart = frame - self._mean
        if self._seen == 1:
            self._variance[:] = np.mean(apart * apart)
        spread = np.maximum(self._variance, _LEAST_VARIANCE)
        surprise = float(np.mean(apart * apart / spread + np.log(spread)) / 2)
        self._mean += _FORGETTING * apart
        self._variance += _FORGETTING * (apart * apart - self._variance)
        return surprise

    def _refined(self) -> int:
        """Give the best beginning of the second open event, at most where surprise put it."""
        keys = self._frames[: self._open].astype(np.float32).reshape(self._open, -1)
        lengths = np.linalg.norm(keys, axis=1, keepdims=True)
        first = max(self.params.least, self._open - self.params.most)
        return _split(
            np.divide(keys, lengths, out=np.zeros_like(keys), where=lengths > 0),
            *(first, self._boundary, self._boundary, self.params.metric),
        )

    def _close(self, end: int, now_s: float) -> None:
        """Store the open frames [0, end) as an event; what is like it counts as recalled."""
        frames = self._frames[:end].astype(np.float32)
        edges = [*self._times[: self._open], now_s]
        flat = frames.reshape(end, -1).astype(np.float64)
        apart = np.linalg.norm(flat - flat.mean(axis=0), axis=1)
        nearest = np.argsort(apart, kind="stable")[:_REPRESENTING]
        standing = flat[nearest].mean(axis=0).reshape(frames.shape[1:])
        self._count_recalled(standing.mean(axis=0), end)
        parts = np.array_split(np.arange(end), -(-end // self.params.part))
        while self._stored.room < 1 + len(parts):
            self._forget_least_recalled()
        beside = (self._events, 0.0, float(self._events))
        self._stored.append(standing, (edges[0], edges[end]), 0, *beside)
        for part in parts:
            span = edges[part[0]], edges[part[-1] + 1]
            self._stored.append(frames[part].mean(axis=0), span, len(part), *beside)
        self._events += 1
        left = self._open - end
        for ring in (self._frames, self._times):
            ring[:left] = ring[end : self._open].copy()
        self._open = left

    def _count_recalled(self, query: Numbers, frames: int) -> None:
        firsts, chosen = self._stored.firsts, self._recall(query, 2 * frames)
        self._stored.recalled[firsts[chosen]] += 1

    def _forget_least_recalled(self) -> None:
        """Evict the event recalled least for its age, the older of equals."""
        firsts = self._stored.firsts
        age = self._events - self._stored.born[firsts]
        worth = (self._stored.recalled[firsts] + 1) / (age + 1)
        event = int(np.argmin(worth))
        self._given_up += float(self._stored.sizes()[event])
        self._stored.forget(int(self._stored.event[firsts[event]]))

    def _recall(self, query: Numbers, frames: int, until_s: float = np.inf) -> list[int]:
        """Recall events in two stages: like the query [D], then beside those in time (§3.4).

        Only events that began by ``until_s``, which are the first of all.
        """
        firsts = self._stored.firsts
        firsts = firsts[self._stored.spans[firsts, 0] <= until_s]
        sizes = self._stored.sizes()[: len(firsts)]
        if not len(sizes):
            return []
        similar, beside = budgets(frames, self.params.contiguity)
        means = self._stored.features[firsts].astype(np.float64).mean(axis=1)
        best = most_similar(means @ query, sizes, similar)
        return sorted({*best, *neighbours(best, [], sizes, beside)})

    def elements(self) -> list[Element]:
        """Give the parts of closed events, then the frames of the open ones, in order of time."""
        return [element for _, element in self._with_events()]

    def _with_events(self) -> list[tuple[int, Element]]:
        if self._shape is None:
            return []
        rows, found = self._stored, []
        for at in (int(row) for row in np.flatnonzero(rows.counts[: rows.size])):
            span = TimeSpan(*(float(edge) for edge in rows.spans[at]))
            feature = rows.features[at].astype(np.float32)
            found.append((int(rows.event[at]), Element(span, int(rows.counts[at]), feature)))
        times = self._times[: self._open]
        for at, (start_s, end_s) in enumerate(zip(times, [*times[1:], self._last_s], strict=True)):
            span = TimeSpan(float(start_s), float(end_s))
            found.append((-1, Element(span, 1, self._frames[at].astype(np.float32))))
        return found

    def read(self, query: ArrayLike | None = None, *, at_s: float | None = None) -> MemoryRead:
        """Give what is held, all of it or what was shown by ``at_s``.

        With a query [D], only the events it recalls and the open ones, weighted by the softmax of
        their inner products with it.
        """
        rows = self._with_events()
        if query is None or self._shape is None:
            return read_elements([element for _, element in rows], None, at_s)
        wanted = np.asarray(query, np.float64)
        until_s = np.inf if at_s is None else at_s
        chosen = self._stored.firsts[self._recall(wanted, self.params.recalled, until_s)]
        events = {-1, *(int(event) for event in self._stored.event[chosen])}
        recalled = [element for event, element in rows if event in events]
        return read_elements(recalled, self.params.sharpness * wanted, at_s)

    def banks(self) -> tuple[Bank, ...]:
        """Give the stored events' rows and the frames of the open event."""
        stored = 0 if self._shape is None else self._stored.size
        return (
            Bank("open events", self._open, 2 * self.params.most),
            Bank("stored events", stored, self.rows),
        )

    def stats(self) -> dict[str, float]:
        """Give frames seen, elements, events, bytes, and what eviction gave up, in frames."""
        stored = self._stored if self._shape is not None else None
        return {
            "frames_seen": float(self._seen),
            "elements": float(len(self.elements())),
            "events": float(len(stored.firsts) if stored else 0),
            "open_frames": float(self._open),
            "nbytes": float(self.nbytes),
            "frames_given_up": self._given_up,
        }

    def state_dict(self) -> State:
        """Give everything as arrays."""
        counts = (self._open, self._boundary, self._surprises, self._events)
        now = np.asarray([self._seen, self._last_s, *counts, self._given_up], np.float64)
        if self._shape is None:
            return {"now": now}
        state: State = {"now": now, "past": self._past.copy()}
        state.update(mean=self._mean.copy(), variance=self._variance.copy())
        state.update(
            frames=self._frames[: self._open].copy(), times=self._times[: self._open].copy()
        )
        state.update(zip(_ROW_PARTS, self._stored.copies(), strict=True))
        return state

    def load_state_dict(self, state: State) -> None:
        """Go on from a ``state_dict`` of a memory made the same way."""
        self.reset()
        self._seen, self._last_s = int(state["now"][0]), float(state["now"][1])
        counts = (int(value) for value in state["now"][2:6])
        self._open, self._boundary, self._surprises, self._events = counts
        self._given_up = float(state["now"][6])
        if not self._seen:
            return
        self._allocate(state["mean"].shape)
        self._mean[:], self._variance[:] = state["mean"], state["variance"]
        self._past[:] = state["past"]
        self._frames[: self._open], self._times[: self._open] = state["frames"], state["times"]
        for row in zip(*(state[name] for name in _ROW_PARTS), strict=True):
            self._stored.append(*row)

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
    Element,
    Held,
    MemoryRead,
    Mode,
    Numbers,
    State,
    checked,
    held_bytes,
    softmax,
)

Metric: TypeAlias = Literal["modularity", "conductance"]

_NEAR_ZERO = 1e-15
_LEAST_HISTORY = 8  # surprises before any of them can stand out
_LEAST_VARIANCE = 1e-6
_FORGETTING = 0.1  # of the predictor's mean and variance, a frame
_REPRESENTING = 4  # frames nearest to an event's mean
_BESIDE_BYTES = 8 * 3 + 8 * 3  # a row's span and count; its event, retrievals and age


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
            refined.append(_moved(keys, before, event, after, least, metric))
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


def _moved(
    keys: Features, before: int, event: int, after: int, least: int, metric: Metric
) -> int:
    """Split [before, after) best, at most at the event itself."""
    window = keys[before:after]
    whole = window.sum(axis=0, dtype=np.float64)
    if not whole @ whole > 0:
        return event
    scores = splits(window, metric)
    first, last = least, min(event - before, len(window) - least)
    return before + first + _best(scores[first - 1 : last], metric)


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

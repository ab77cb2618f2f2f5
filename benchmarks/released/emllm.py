"""EM-LLM's context manager as released, and the check of its files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.released.verdict import Arrays, Verdict, compare
from vidmem.memory.contract import Numbers, softmax
from vidmem.memory.emllm import (
    Metric,
    budgets,
    communities,
    most_similar,
    neighbours,
    refine,
    splits,
    stands_out,
)


def check(case: str, arrays: Arrays) -> Verdict:
    """Hold one file against ours; a boundary that was right must stay in ``fixed`` mode."""
    if "quirk_refine" in case:
        refined = _refined(arrays, released=False)
        return compare({"refined": (refined, arrays["events"])}, quirk=True)
    for kind, checked in _KINDS.items():
        if case.startswith(kind):
            return checked(arrays)
    raise ValueError(f"no function of EM-LLM's gives {case}")


def _metrics(arrays: Arrays) -> Verdict:
    keys, labels = arrays["K"], arrays["labels"]
    modularity, conductance = communities(keys, labels)
    inside, beside = _means(arrays["A"].astype(np.float64), labels)
    curves = {metric: splits(keys, metric) for metric in _METRICS}
    return compare(
        {
            "modularity": (modularity, arrays["modularity"]),
            "conductance_all": (conductance, arrays["conductance_all"]),
            "conductance_min": (conductance.min(), arrays["conductance_min"]),
            "conductance_max": (conductance.max(), arrays["conductance_max"]),
            "conductance_mean": (conductance.mean(), arrays["conductance_mean"]),
            "intra": (inside.mean(), arrays["intra"]),
            "inter": (beside.mean(), arrays["inter"]),
            "intra_inter": ((inside / beside).mean(), arrays["intra_inter"]),
            **{
                metric: (curve, arrays[f"curve_{metric}_t1_to_n"])
                for metric, curve in curves.items()
            },
        }
    )


_METRICS: tuple[Metric, ...] = ("modularity", "conductance")


def _means(graph: Numbers, labels: NDArray[np.integer]) -> tuple[Numbers, Numbers]:
    """Give each community's mean weight among its own, and to all the others."""
    masks = [labels == label for label in np.unique(labels)]
    inside = [graph[np.ix_(mask, mask)].mean() for mask in masks]
    beside = [graph[np.ix_(mask, ~mask)].mean() for mask in masks]
    return np.asarray(inside), np.asarray(beside)


def _refine(arrays: Arrays) -> Verdict:
    return compare({"refined": (_refined(arrays, released=True), arrays["refined"])})


def _refined(arrays: Arrays, *, released: bool) -> list[int]:
    return refine(
        arrays["K"],
        arrays["events"].tolist(),
        least=int(arrays["min_size"]),
        offset=int(arrays["offset"]),
        metric="conductance" if str(arrays["metric"]) == "conductance" else "modularity",
        mode="released" if released else "fixed",
    )


def _retrieval(arrays: Arrays) -> Verdict:
    recall = _Recall(float(arrays["contiguity_size"]))
    cap = int(arrays["context_cap"])
    recalled = [
        recall(arrays["block_repr_k"], arrays["block_sizes"], query, cap)
        for query in arrays["queries"]
    ]
    return compare(_as_lists(recalled, arrays))


def _as_lists(
    recalled: list[tuple[list[int], list[int]]], arrays: Arrays
) -> dict[str, tuple[ArrayLike, ArrayLike]]:
    return {
        name: (_padded([row[at] for row in recalled], arrays[name].shape), arrays[name])
        for at, name in enumerate(("similarity_blocks", "contiguity_blocks"))
    }


def _padded(lists: list[list[int]], shape: tuple[int, ...]) -> NDArray[np.int64]:
    table = np.full((len(lists), max(shape[1], *map(len, lists))), -1)
    for row, values in zip(table, lists, strict=True):
        row[: len(values)] = values
    return table


class _Recall:
    """The two stages query after query: the neighbours linger in a queue."""

    def __init__(self, contiguity: float) -> None:
        self.contiguity, self.queue = contiguity, list[int]()

    def __call__(
        self, representatives: Numbers, sizes: NDArray[np.integer], query: Numbers, cap: float
    ) -> tuple[list[int], list[int]]:
        similar, beside = budgets(int(cap), self.contiguity)
        if sizes.sum() <= similar:
            best = list(range(len(sizes)))
        else:
            scores = representatives.astype(np.float64) @ query
            best = most_similar(scores, sizes, similar, mode="released")
        if beside:
            self.queue = neighbours(best, self.queue, sizes, beside, mode="released")
        return best, list(self.queue)


@dataclass(frozen=True, slots=True)
class _Sizes:
    chunk: int
    local: int
    initial: int
    recalled: int
    least: int
    most: int
    representing: int


class _Context:
    """The context manager over positions of one stream (spec. §5.2-5.5).

    Tokens [0, ``initial``) stay for ever, [``start``, ``end``) are buffered, what lies between
    are blocks.
    """

    def __init__(self, arrays: Arrays) -> None:
        names = (
            *("exc_block_size", "n_local", "n_init", "n_mem"),
            *("min_block_size", "max_block_size", "repr_topk"),
        )
        self.sizes = _Sizes(*(int(arrays[name]) for name in names))
        heads = len(arrays["Q"])
        self.queries = arrays["Q"].astype(np.float64)
        self.keys, self.values = (
            np.repeat(arrays[name].astype(np.float64), heads // len(arrays[name]), axis=0)
            for name in ("K", "V")
        )
        self.surprise, self.gamma = arrays["surprise"], float(arrays["gamma"])
        self.divide = np.zeros(len(self.surprise), bool)
        self.attended = np.zeros(self.keys.shape[:2])
        self.initial = self.start = self.end = 0
        self.blocks: list[tuple[int, int]] = []
        self.representatives: list[Numbers] = []
        contiguity = float(arrays["contiguity_size"]) if arrays["use_contiguity"] else 0.0
        self.recall = _Recall(contiguity)

    def append(self) -> tuple[Numbers, tuple[list[int], list[int]]]:
        """Take the next chunk: attend, then find its events and store what left the window."""
        sizes = self.sizes
        chunk = np.arange(self.end, min(self.end + sizes.chunk, len(self.surprise)))
        beyond = max(0, self.end + len(chunk) - self.start - sizes.local)
        if beyond and not self.initial:
            self.initial = self.start = min(sizes.initial, beyond)
            beyond -= self.initial
        remainder = np.arange(self.start, self.start + beyond)
        recalled = self._recalled(chunk, beyond)
        output = self._attend(chunk, remainder, recalled)
        self._mark(chunk)
        self.end = int(chunk[-1]) + 1
        self._store()
        return output, recalled

    def _recalled(self, chunk: NDArray[np.int64], beyond: int) -> tuple[list[int], list[int]]:
        if not self.blocks:
            return [], []
        sizes = self.sizes
        cap = sizes.initial + sizes.chunk + sizes.recalled - beyond - self.initial
        query = self.queries[:, chunk].mean(axis=1).ravel()
        lengths = np.asarray([end - start for start, end in self.blocks])
        return self.recall(np.stack(self.representatives), lengths, query, cap)

    def _attend(
        self,
        chunk: NDArray[np.int64],
        remainder: NDArray[np.int64],
        recalled: tuple[list[int], list[int]],
    ) -> Numbers:
        """Attend jointly; up to a chunk of tokens are both in the window and in the remainder."""
        sizes = self.sizes
        window = np.arange(max(0, self.end - sizes.local), chunk[-1] + 1)
        blocks = [np.arange(*self.blocks[at]) for at in sorted([*recalled[0], *recalled[1]])]
        fixed = np.concatenate([*blocks, np.arange(self.initial)]).astype(np.int64)
        apart = chunk[:, None] - window[None]
        shifted = chunk[:, None] + len(chunk) - remainder[None]
        seen = np.concatenate(
            [
                np.ones((len(chunk), len(fixed)), bool),
                shifted >= sizes.local,
                (apart >= 0) & (apart < sizes.local),
            ],
            axis=1,
        )
        tokens = np.concatenate([fixed, remainder, window])
        scores = np.einsum("hqd,hkd->hqk", self.queries[:, chunk], self.keys[:, tokens])
        scores = np.where(seen, scores / np.sqrt(self.keys.shape[2]), -np.inf)
        weights = softmax(scores)
        self.attended[:, window] += weights[:, :, -len(window) :].sum(axis=1)
        return np.asarray(weights @ self.values[:, tokens])

    def _mark(self, chunk: NDArray[np.int64]) -> None:
        """Find the surprising tokens of a chunk by what was buffered before it."""
        sizes = self.sizes
        first = max(self.start, chunk[-1] + 1 - sizes.local)
        past = self.surprise[first : self.end] if self.end else self.surprise[: sizes.initial]
        for at in chunk:
            self.divide[at] = stands_out(float(self.surprise[at]), past, self.gamma)

    def _store(self) -> None:
        sizes = self.sizes
        if self.end - self.start < sizes.local + sizes.least:
            return
        old = self.end - sizes.local
        borders = [int(at) for at in np.flatnonzero(self.divide[:old]) if at > self.start]
        longest = sizes.most if borders else sizes.most + 1  # what may not wait any longer
        for end in (*borders, old):
            while end - self.start >= longest:
                self._add(self.start + sizes.most)
            if end != old and end - self.start >= sizes.least:
                self._add(end)

    def _add(self, end: int) -> None:
        tokens = np.arange(self.start, end)
        count = min(self.sizes.representing, len(tokens))
        best = np.argsort(-self.attended[:, tokens], axis=1, kind="stable")[:, :count]
        chosen = np.take_along_axis(self.keys[:, tokens], best[..., None], axis=1)
        self.representatives.append(chosen.mean(axis=1).ravel())
        self.blocks.append((self.start, end))
        self.start = end


def _context(arrays: Arrays) -> Verdict:
    context = _Context(arrays)
    outputs, recalled, blocks, remainders = [], [], [], []
    while context.end < len(context.surprise):
        output, lists = context.append()
        outputs.append(output)
        recalled.append(lists)
        blocks.append(len(context.blocks))
        remainders.append(context.end - context.start)
    sizes = [end - start for start, end in context.blocks]
    return compare(
        {
            "divide": (context.divide, arrays["divide"]),
            "num_blocks_after_chunk": (blocks, arrays["num_blocks_after_chunk"]),
            "remainder_len_after_chunk": (remainders, arrays["remainder_len_after_chunk"]),
            "block_sizes": (sizes, arrays["block_sizes"]),
            "init_k": (_per_kept_head(context, arrays), arrays["init_k"]),
            "block_repr_k": (np.stack(context.representatives), arrays["block_repr_k"]),
            **_as_lists(recalled, arrays),
            "output": (np.concatenate(outputs, axis=1), arrays["output"]),
        }
    )


def _per_kept_head(context: _Context, arrays: Arrays) -> Numbers:
    repeated = len(arrays["Q"]) // len(arrays["K"])
    return np.asarray(context.keys[::repeated, : context.initial])


_KINDS = {
    "metrics": _metrics,
    "refine": _refine,
    "retrieval": _retrieval,
    "context": _context,
}

"""∞-Video's quadrature and draws of sticky samples as released, and the check of its files."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.released.verdict import Arrays, Verdict, compare
from vidmem.memory.contract import Numbers
from vidmem.memory.infinite import (
    bins_of,
    chunk_positions,
    frames_pooled,
    gibbs,
    past_positions,
    regress,
    value_at,
)

_STICKY_POINTS = 129
_OUTSIDE = 1e-6  # the first and last of those points lie this far outside [0, 1]


def psi(positions: Numbers, bins: int) -> Numbers:
    """Give the rectangles at some positions [points, N]."""
    where = bins_of(positions, bins, mode="released")
    return np.asarray((where[:, None] == np.arange(bins)) * 1.0)


def regression(positions: Numbers, bins: int, ridge: float) -> Numbers:
    """Give the release's matrix G [points, N] with B = G^T X."""
    table = psi(positions, bins)
    return np.asarray(table / (table.sum(axis=0) + ridge))


def densities(scores: Numbers, points: Numbers) -> Numbers:
    """Give exp(s(t)) / integral at some points, for scores [..., N]; s = 0 outside of all bins."""
    where = bins_of(points, scores.shape[-1], mode="released")
    raised = np.exp(np.where(where >= 0, scores[..., where], 0.0))
    return np.asarray(raised / np.trapezoid(raised, points, axis=-1)[..., None])


def sticky_masses(density: Numbers) -> Numbers:
    """Give the release's 127 masses of densities [h, q, 129]: intervals one beyond their edge."""
    steps = (density[..., 1:] + density[..., :-1]) / 2 / (_STICKY_POINTS - 1)
    masses = steps[..., 1:].sum(axis=(0, 1))
    return np.asarray(masses / masses.sum())


def check(case: str, arrays: Arrays) -> Verdict:
    """Replay the chunks of one file; the draws of sticky sampling are taken from its uniforms."""
    del case  # all files have the same form
    return compare(_replayed(arrays))


def _replayed(arrays: Arrays) -> dict[str, tuple[ArrayLike, ArrayLike]]:
    bins, samples = int(arrays["num_basis"]), int(arrays["nb_samples"])
    tau, ridge = float(arrays["tau"]), float(arrays["ridge"])
    memory, out = np.zeros((0, 0)), _Out()
    for at, frames in enumerate(arrays["chunks"]):
        chunk = frames_pooled(frames)
        past = np.zeros(0)
        if at:
            past = past_positions(samples, mode="released")
            if int(arrays["sticky"]):
                past = out.drawn(arrays["sticky_u"][at - 1])
        placed = chunk_positions(len(chunk), len(past), tau, mode="released")
        where = bins_of(np.concatenate(placed), bins, mode="released")
        source = bins_of(past, bins, mode="released")
        rows = np.concatenate([source, len(memory) + np.arange(len(chunk))])
        held = np.concatenate([memory, chunk]) if at else chunk
        memory = np.asarray(regress(where, rows, held, bins, ridge), np.float64)
        out.attend(memory, arrays, at)
    pairs: dict[str, tuple[ArrayLike, ArrayLike]] = {
        "B": (np.stack(out.memories), arrays["B"]),
        "context": (np.stack(out.contexts), arrays["context"]),
        "density_at_bins": (np.stack(out.densities), arrays["density_at_bins"]),
        "context_exact_last": (out.exact, arrays["context_exact_last"]),
    }
    length = arrays["chunks"].shape[1]
    first = chunk_positions(length, 0, tau, mode="released")[1]
    update = np.concatenate(chunk_positions(length, samples, tau, mode="released"))
    pairs["G_first"] = (regression(first, bins, ridge), arrays["G_first"])
    pairs["G_update"] = (regression(update, bins, ridge), arrays["G_update"])
    even = past_positions(samples, mode="released")
    pairs["uniform_samples_psi"] = (psi(even, bins), arrays["uniform_samples_psi"])
    if int(arrays["sticky"]):
        pairs["sticky_p"] = (np.stack(out.masses), arrays["sticky_p"])
        pairs["sticky_b"] = (np.stack(out.bins), arrays["sticky_b"])
        pairs["sticky_t"] = (np.stack(out.bins) / (_STICKY_POINTS - 1), arrays["sticky_t"])
    return pairs


class _Out:
    """What a replay hands out, chunk by chunk."""

    def __init__(self) -> None:
        self.memories: list[Numbers] = []
        self.contexts: list[Numbers] = []
        self.densities: list[Numbers] = []
        self.masses: list[Numbers] = []
        self.bins: list[NDArray[np.int64]] = []
        self.exact: Numbers = np.zeros(0)

    def drawn(self, uniforms: Numbers) -> Numbers:
        """Draw bins from the last density by the inverse of its cumulated masses."""
        masses = sticky_masses(self.densities[-1])
        cumulated = np.cumsum(masses.astype(np.float32).astype(np.float64))
        found = np.searchsorted(cumulated / cumulated[-1], uniforms, side="right")
        self.masses.append(masses)
        self.bins.append(np.minimum(found, len(masses) - 1).astype(np.int64))
        return self.bins[-1] / (_STICKY_POINTS - 1)

    def attend(self, memory: Numbers, arrays: Arrays, at: int) -> None:
        """Read the memory by every head, as the release does (quadrature) and exactly."""
        heads, dim = int(arrays["n_heads"]), int(arrays["head_dim"])
        keys = memory @ arrays["W_key"].T.astype(np.float64) + arrays["b_key"]
        values = memory @ arrays["W_value"].T.astype(np.float64) + arrays["b_value"]
        queries = arrays["queries"][at].astype(np.float64)
        line = np.linspace(0, 1, int(arrays["num_points"]))
        edges = np.linspace(0, 1, _STICKY_POINTS)
        edges[0], edges[-1] = -_OUTSIDE, 1 + _OUTSIDE
        where = bins_of(line, len(memory), mode="released")
        contexts, exact, found = [], [], []
        for head in range(heads):
            part = slice(head * dim, (head + 1) * dim)
            scores = queries[:, part] @ keys[:, part].T / np.sqrt(dim)
            density = densities(scores, line)
            shown = value_at(values[:, part], where)
            contexts.append(np.trapezoid(density[..., None] * shown, line, axis=1))
            exact.append(gibbs(queries[:, part], keys[:, part], dim**-0.5) @ values[:, part])
            found.append(densities(scores, edges))
        self.memories.append(memory)
        self.contexts.append(np.concatenate(contexts, axis=-1))
        self.exact = np.concatenate(exact, axis=-1)
        self.densities.append(np.stack(found))

"""∞-Video's update as the release does it: a dense ridge regression on rectangles, every chunk."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def basis(positions: Numbers, bins: int) -> Numbers:
    """Give psi [bins, points]: bin j covers [j/bins, (j+1)/bins)."""
    table = np.zeros((bins, len(positions)))
    for point, at in enumerate(positions):
        for j in range(bins):
            if j / bins <= at < (j + 1) / bins:
                table[j, point] = 1
    return table


def regression(positions: Numbers, bins: int, ridge: float) -> Numbers:
    """Give the matrix (F F^T + ridge I)^-1 F [bins, points] that turns samples into bins."""
    f = basis(positions, bins)
    return np.asarray(np.linalg.inv(f @ f.T + ridge * np.eye(bins)) @ f)


def update(
    coefficients: Numbers, chunk: Numbers, tau: float, samples: int, ridge: float
) -> Numbers:
    """Contract the memory B [N, e] and add a chunk [L, e] behind it (§3.2, uniform sampling)."""
    bins, length = len(coefficients), len(chunk)
    past = np.zeros((samples, chunk.shape[1]))
    for i in range(samples):
        past[i] = basis(np.asarray([(i + 1) / samples]), bins)[:, 0] @ coefficients
    positions = np.concatenate(
        [
            np.arange(1, samples + 1) * tau / samples,
            tau + (1 - tau) * np.arange(1, length + 1) / length,
        ]
    )
    return np.asarray(regression(positions, bins, ridge) @ np.concatenate([past, chunk]))

"""MovieChat's consolidation as the release does it: all token pairs anew at every merge."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def consolidate(frames: Numbers, target: int) -> Numbers:
    """Merge the most similar neighbours of frames [T, N, D] until ``target`` are left (§3.3)."""
    kept = [frame.astype(np.float64) for frame in frames]
    while len(kept) > target:
        similar = []
        for left, right in pairwise(kept):
            pairs = [float(a @ b) for a in left for b in right]
            similar.append(sum(pairs) / len(pairs))
        best = int(np.argmax(similar))
        kept[best : best + 2] = [(kept[best] + kept[best + 1]) / 2]
    return np.stack(kept)

"""Knows how an output is held against the authors' own, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

RTOL, ATOL = 1e-4, 1e-5

Arrays: TypeAlias = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a file passes (None: nothing is required of it), its largest error, and why."""

    passed: bool | None
    max_error: float
    quirk: bool = False
    note: str = ""


def compare(pairs: Mapping[str, tuple[ArrayLike, ArrayLike]], *, quirk: bool = False) -> Verdict:
    """Hold each output of ours against theirs: name -> (ours, theirs), rtol 1e-4, atol 1e-5."""
    wrong, largest = [], 0.0
    for name, (ours, theirs) in pairs.items():
        a, b = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
        if a.shape != b.shape:
            wrong.append(f"{name} is {a.shape}, not {b.shape}")
            continue
        if a.size:
            largest = max(largest, float(np.abs(a - b).max()))
        if not np.allclose(a, b, rtol=RTOL, atol=ATOL):
            wrong.append(f"{name} differs by up to {np.abs(a - b).max():.2g}")
    return Verdict(not wrong, largest, quirk, "; ".join(wrong))

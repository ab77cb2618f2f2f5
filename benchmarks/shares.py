"""Shares with their 95 % intervals (Wilson score), the form in which every benchmark reports."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

_Z = 1.959964  # 97.5 % quantile of the normal distribution


def share(name: str, hits: Sequence[bool | float]) -> dict[str, Any]:
    """Give the mean of hits under ``name``, with ``NAME_n`` and ``NAME_ci95`` beside it."""
    n = len(hits)
    if not n:
        return {name: None, f"{name}_n": 0, f"{name}_ci95": None}
    mean = sum(map(float, hits)) / n
    spread = _Z * math.sqrt(mean * (1 - mean) / n + _Z**2 / (4 * n * n))
    low, high = ((mean + _Z**2 / (2 * n) + sign * spread) / (1 + _Z**2 / n) for sign in (-1.0, 1.0))
    interval = [round(low, 4), round(high, 4)]
    return {name: round(mean, 4), f"{name}_n": n, f"{name}_ci95": interval}

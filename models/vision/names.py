"""Knows how the vectors of class names are kept on disk, for they take long to compute."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from models.values import Features

_log = logging.getLogger(__name__)


def vectors_of(
    names: Sequence[str],
    signature: str,
    encode: Callable[[Sequence[str]], Features],
    *,
    dim: int,
    cache: Path,
) -> Features:
    """Give the names' vectors [C, D], kept in ``cache`` between processes by ``signature``."""
    key = hashlib.sha256("\n".join([signature, *names]).encode()).hexdigest()[:32]
    path = cache / f"{key}.npy"
    try:
        kept: Features = np.load(path)
        if kept.shape == (len(names), dim) and np.isfinite(kept).all():
            return kept
    except (OSError, ValueError, EOFError) as exc:
        _log.debug("class names are encoded anew: %s", exc)
    vectors = encode(names)
    draft = path.with_suffix(f".{os.getpid()}")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            np.save(file, vectors)
        draft.replace(path)
    except OSError as exc:
        _log.debug("class names' vectors not kept: %s", exc)
    return vectors

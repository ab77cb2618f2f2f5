"""Knows how a text becomes a vector: any model that sentence-transformers loads from a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.errors import BackendError, ModelNotFound
from models.threads import limit_torch_threads, torch_device
from models.values import Features
from models.weights import print_of

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# On a CPU few texts of like length at once: little padding, and it fits the caches.
_BATCH = {"cpu": 8, "cuda": 64}
_MOST_PIECES = 512  # of a text: no passage is longer, and memory grows with its square
_FILES = ("*.safetensors", "*.bin", "*.json")  # weights, and how they are used


class SentenceEncoder:
    """A TextEncoder: pooled token states, L2-normalised (Sentence-BERT, Reimers & Gurevych 2019).

    arXiv 1908.10084. Texts beyond the model's own limit, at most 512 word pieces, are cut. Models
    that were trained to read questions and passages after different words carry these words in
    ``config_sentence_transformers.json`` ("prompts"); a folder without them is asked without.
    """

    def __init__(self, folder: Path, *, signature: str | None = None) -> None:
        """Load the model; a GPU is used where there is one, and nothing is ever downloaded.

        Raises:
            ModelNotFound: there is no such model in the folder, or it runs code of its own.
        """
        self._device = torch_device()
        self._model = _load(folder, self._device)
        self._model.max_seq_length = min(self._model.max_seq_length or _MOST_PIECES, _MOST_PIECES)
        self.dim = len(self.encode_query(""))
        self.signature = signature or signature_of(folder)

    def encode(self, texts: Sequence[str]) -> Features:
        """Give the vectors [N, D] of N texts.

        Raises:
            BackendError: the model failed on these texts.
        """
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        return self._encode(texts, self._model.encode_document)

    def encode_query(self, text: str) -> Features:
        """Give the vector [D] of a question.

        Raises:
            BackendError: the model failed on this text.
        """
        return np.asarray(self._encode([text], self._model.encode_query)[0])

    def _encode(self, texts: Sequence[str], encode: Callable[..., Any]) -> Features:
        try:
            rows = encode(
                list(texts),
                batch_size=_BATCH[self._device],
                show_progress_bar=False,
                normalize_embeddings=True,
            )
        except RuntimeError as exc:
            raise BackendError(
                f"The text encoder failed on {len(texts)} texts: {exc}. Try fewer at once."
            ) from exc
        return np.asarray(rows, np.float32)


def signature_of(folder: Path) -> str:
    """Tell a folder's model by its weights and settings, without loading it.

    Files of other formats in it do not count.
    """
    files = sorted(path for kind in _FILES for path in folder.glob(kind))
    return f"{folder.name}/{print_of(*files)}"


def _load(folder: Path, device: str) -> SentenceTransformer:
    limit_torch_threads()
    if not (folder / "modules.json").is_file():
        raise ModelNotFound(
            f"{folder} holds no text encoder: modules.json is missing. "
            "Name a folder that sentence-transformers has saved, or a copy of such a repository."
        )
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return SentenceTransformer(str(folder), device=device, local_files_only=True)
    except ImportError:
        raise
    except Exception as exc:  # what torch, safetensors, tokenizers and json raise shares no base
        raise ModelNotFound(
            f"The text encoder could not be loaded from {folder}: {exc}. "
            "Copy the folder anew, with all its files."
        ) from exc

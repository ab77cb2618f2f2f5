"""Vectors for the texts of memories, made in batches between which the work can stop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from memqa.kept import NOTHING_KEPT, Kept
from memqa.listening import Listener
from memqa.store.rows import searched_text
from memqa.store.schema import Memory, VectorBatch
from models.errors import IngestCancelled
from models.ports import TextEncoder
from models.values import Features

_BATCH = 64


def text_batch(
    encoder: TextEncoder,
    memories: Sequence[Memory],
    listener: Listener,
    *,
    kept: Kept = NOTHING_KEPT,
) -> VectorBatch:
    """Give the text vectors [N, D] of the memories that have a text, kept ones as they are."""
    telling = [memory for memory in memories if memory.text.strip()]
    texts = [searched_text(memory) for memory in telling]
    found = [kept.vector(text) for text in texts]
    new = [index for index, vector in enumerate(found) if vector is None]
    vectors = np.zeros((len(texts), encoder.dim), np.float32)
    if len(new) < len(texts):
        known = [index for index, vector in enumerate(found) if vector is not None]
        vectors[known] = [vector for vector in found if vector is not None]
    vectors[new] = encode_texts(encoder, [texts[index] for index in new], listener)
    return VectorBatch(encoder.signature, "cosine", tuple(memory.id for memory in telling), vectors)


def encode_texts(encoder: TextEncoder, texts: Sequence[str], listener: Listener) -> Features:
    """Encode texts as vectors [N, D].

    Raises:
        IngestCancelled: the listener wished it.
    """
    parts = [np.zeros((0, encoder.dim), np.float32)]
    for start in range(0, len(texts), _BATCH):
        if listener.stops():
            raise IngestCancelled("stopped while comparing texts")
        parts.append(encoder.encode(texts[start : start + _BATCH]))
    return np.concatenate(parts)

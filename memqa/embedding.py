"""Vectors for the texts of memories, made in batches between which the work can stop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from memqa.listening import Listener
from memqa.store.rows import searched_text
from memqa.store.schema import Memory, VectorBatch
from models.errors import IngestCancelled
from models.ports import TextEncoder
from models.values import Features

_BATCH = 64


def text_batch(encoder: TextEncoder, memories: Sequence[Memory], listener: Listener) -> VectorBatch:
    """Give the text vectors [N, D] of those memories that have a text."""
    telling = [memory for memory in memories if memory.text.strip()]
    vectors = encode_texts(encoder, [searched_text(memory) for memory in telling], listener)
    return VectorBatch(encoder.signature, "cosine", tuple(memory.id for memory in telling), vectors)


def encode_texts(
    encoder: TextEncoder, texts: Sequence[str], listener: Listener, *, stage: str = ""
) -> Features:
    """Encode texts as vectors [N, D]; with a ``stage``, tells how far it is.

    Raises:
        IngestCancelled: the listener wished it.
    """
    parts = [np.zeros((0, encoder.dim), np.float32)]
    for start in range(0, len(texts), _BATCH):
        if listener.stops():
            raise IngestCancelled("stopped while comparing texts")
        parts.append(encoder.encode(texts[start : start + _BATCH]))
        if stage:
            done = min(start + _BATCH, len(texts))
            listener.progress(stage, done, len(texts), "sentences")
    return np.concatenate(parts)

"""MA-LMM's memory bank as the paper writes it: every similarity anew at every step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def compress(bank: Numbers, sizes: Numbers) -> tuple[Numbers, Numbers]:
    """Merge, for each token, the most similar neighbours of a bank [m, P, C] with sizes [m, P]."""
    length, tokens, dim = bank.shape
    out, out_sizes = np.zeros((length - 1, tokens, dim)), np.zeros((length - 1, tokens))
    for token in range(tokens):
        similar = []
        for i in range(length - 1):
            a, b = bank[i, token], bank[i + 1, token]
            similar.append(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-8))
        left, to = int(np.argmax(similar)), 0
        for i in range(length):
            if i == left + 1:
                n, m = sizes[left, token], sizes[i, token]
                out[to - 1, token] = (n * bank[left, token] + m * bank[i, token]) / (n + m)
                out_sizes[to - 1, token] = n + m
            else:
                out[to, token], out_sizes[to, token] = bank[i, token], sizes[i, token]
                to += 1
    return out, out_sizes


def stream(frames: Numbers, slots: int) -> tuple[Numbers, Numbers]:
    """Feed frames [T, P, C] one by one into a bank of ``slots``; give bank and sizes."""
    bank, sizes = frames[:0].astype(np.float64), np.zeros((0, frames.shape[1]))
    for frame in frames:
        bank = np.concatenate([bank, frame[None].astype(np.float64)])
        sizes = np.concatenate([sizes, np.ones((1, frame.shape[0]))])
        if len(bank) > slots:
            bank, sizes = compress(bank, sizes)
    return bank, sizes

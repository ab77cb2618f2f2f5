"""MovieChat's position table and readout for its video Q-former, and the check of its files."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.released.verdict import Arrays, Verdict, compare
from models.values import Features
from vidmem.memory.contract import Tokens
from vidmem.memory.moviechat import MovieChat, MovieChatParams, consolidate


def extend_positions(p: Features, *, alpha: float = 0.01) -> Features:
    """Stretch n position vectors [n, D] to n*n: q[i*n+j] = alpha u_i + (1 - alpha) u_j.

    Here u_i = (p_i - alpha p_0) / (1 - alpha) (Su's hierarchical decomposition, cited in §3.4).
    """
    u = (p.astype(np.float64) - alpha * p[0]) / (1 - alpha)
    n = len(u)
    table = alpha * u[:, None, :] + (1 - alpha) * u[None, :, :]
    return np.asarray(table.reshape(n * n, -1), np.float32)


def readout(long: Tokens, short: Tokens, current: Tokens, p: Features) -> Tokens:
    """Give the frames handed to the video Q-former with their positions added [t, N, D] (§3.4).

    In global mode ``short`` and ``current`` are empty and V = L. In breakpoint mode V = [L; S; x],
    shortened to the n*n positions there are: the oldest of S go first, then the oldest of L.
    """
    positions = extend_positions(p)
    over = len(long) + len(short) + len(current) - len(positions)
    from_short = min(max(over, 0), len(short))
    from_long = max(over - from_short, 0)
    frames = np.concatenate([long[from_long:], short[from_short:], current])
    return np.asarray(frames + positions[: len(frames), None, :], np.float32)


def check(case: str, arrays: Arrays) -> Verdict:
    """Hold one file against ours; the training path's merging of the least similar is a defect."""
    if "trainpath" in case:
        return Verdict(None, 0.0, True, "merges the most dissimilar pair: never to be imitated")
    if "encoder_tokens" in arrays:
        tokens = readout(
            arrays["long_memory"],
            arrays["temp_short_memory"],
            arrays["cur_image"] if int(arrays["middle_video"]) else arrays["cur_image"][:0],
            arrays["p"],
        )
        return compare({"encoder_tokens": (tokens, arrays["encoder_tokens"])})
    if "frame_position_embeddings" in arrays:
        table = extend_positions(arrays["p"], alpha=float(arrays["alpha"]))
        return compare({"table": (table, arrays["frame_position_embeddings"])})
    return _oracle(arrays) if "merged_weighted" in arrays else _merge(arrays)


def _oracle(arrays: Arrays) -> Verdict:
    pairs: dict[str, tuple[ArrayLike, ArrayLike]] = {}
    for name, weighted in (("pairmean", False), ("weighted", True)):
        merged, counts, order = consolidate(
            arrays["frames"], int(arrays["target"]), weighted=weighted
        )
        pairs[f"merged_{name}"] = (merged, arrays[f"merged_{name}"])
        pairs[f"counts_{name}"] = (counts, arrays[f"counts_{name}"])
        pairs[f"order_{name}"] = (np.asarray(order), arrays[f"merge_order_{name}"])
    return compare(pairs)


def _merge(arrays: Arrays) -> Verdict:
    fragments = arrays["fragments"]
    params = MovieChatParams(
        short=int(arrays["short_memory_length"]),
        target=int(arrays["short_memory_merge"]),
        window=fragments.shape[1],
        n_frame=int(arrays["n_frame"]),
    )
    memory, sizes = MovieChat(params, mode="released"), []
    frames = fragments.reshape(-1, *fragments.shape[2:])
    for at, frame in enumerate(frames):
        memory.observe(frame, float(at))
        if (at + 1) % fragments.shape[1] == 0:
            sizes.append(len(memory.elements()))
    long = np.stack([element.feature for element in memory.elements()])
    return compare(
        {
            "long_memory": (long, arrays["long_memory"]),
            "sizes": (np.asarray(sizes), arrays["long_size_after_fragment"]),
            "temp_short": (memory.temp_short, arrays["temp_short_memory_last"]),
        }
    )

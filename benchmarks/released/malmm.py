"""The check of MA-LMM's files: its compression, alone and in a stream."""

from __future__ import annotations

import numpy as np

from benchmarks.released.verdict import Arrays, Verdict, compare
from vidmem.memory.contract import Numbers, Tokens
from vidmem.memory.malmm import MALMM, compress, cosines


def check(case: str, arrays: Arrays) -> Verdict:
    """Hold one file against ours; each batch item is a bank of its own."""
    del case  # the arrays say which function they come from
    return _stream(arrays) if "frames" in arrays else _compress(arrays)


def _compress(arrays: Arrays) -> Verdict:
    banks, sizes = arrays["memory_bank"], arrays["compression_size"]
    done = [compress(bank, size.astype(float)) for bank, size in zip(banks, sizes, strict=True)]
    return compare(
        {
            "similarity": (cosines(banks[:, :-1], banks[:, 1:]), arrays["similarity"]),
            "out_bank": (np.stack([bank for bank, _, _ in done]), arrays["out_bank"]),
            "out_size": (np.stack([size for _, size, _ in done]), arrays["out_size"]),
            "merge_index": (np.stack([left for _, _, left in done]), arrays["merge_index"]),
        }
    )


def _stream(arrays: Arrays) -> Verdict:
    frames, length = arrays["frames"], int(arrays["memory_bank_length"])
    memories = [MALMM(length) for _ in frames]
    after, seen = [], []
    middle: tuple[list[Tokens], list[Numbers]] = ([], [])
    for step in range(frames.shape[1]):
        seen.append(len(memories[0].bank) + 1)  # attention comes before compression
        for memory, item in zip(memories, frames, strict=True):
            memory.observe(item[step], float(step))
        after.append(len(memories[0].bank))
        if step == int(arrays["mid_step"]):
            middle = [m.bank for m in memories], [m.sizes for m in memories]
    return compare(
        {
            "final_bank": (np.stack([m.bank for m in memories]), arrays["final_bank"]),
            "final_size": (np.stack([m.sizes for m in memories]), arrays["final_size"]),
            "mid_bank": (np.stack(middle[0]), arrays["mid_bank"]),
            "mid_size": (np.stack(middle[1]), arrays["mid_size"]),
            "len_after_step": (np.asarray(after), arrays["len_after_step"]),
            "len_seen_by_attention": (np.asarray(seen), arrays["len_seen_by_attention"]),
        }
    )

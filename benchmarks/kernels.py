"""Knows how much faster the memories' inner steps are than the papers' formulas written plainly.

``python -m benchmarks.kernels [--quick]``: each pair runs in this one process on the same random
frames. Progress goes to stderr; the last thing on stdout is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks.plain import emllm as plain_emllm
from benchmarks.plain import infinite as plain_infinite
from benchmarks.plain import malmm as plain_malmm
from benchmarks.plain import moviechat as plain_moviechat
from models.values import Features
from vidmem.memory.contract import Mode
from vidmem.memory.emllm import splits
from vidmem.memory.infinite import InfiniteParams, InfiniteVideo
from vidmem.memory.malmm import MALMM
from vidmem.memory.moviechat import consolidate

Result: TypeAlias = NDArray[np.floating]

_REPEATS = 5
_DIM, _TOKENS = 768, 32


@dataclass(frozen=True, slots=True)
class Pair:
    """One step in both forms, its sizes, and the ratio that is wanted of it.

    ``same`` says that both give the same numbers; else the fast form does more than the plain one.
    """

    name: str
    sizes: str
    wanted: int
    fast: Callable[[], Result]
    plain: Callable[[], Result]
    same: bool = True

    def figures(self) -> dict[str, Any]:
        """Time both: the fast form by its median run after one to warm up, the plain form once."""
        fast = self.fast()
        fast_s = float(np.median([_seconds(self.fast)[0] for _ in range(_REPEATS)]))
        plain_s, slow = _seconds(self.plain)
        return {
            "sizes": self.sizes,
            "fast_ms": round(fast_s * 1e3, 3),
            "plain_ms": round(plain_s * 1e3, 1),
            "ratio": round(plain_s / fast_s, 1),
            "wanted": self.wanted,
            "largest_difference": float(np.abs(fast - slow).max()) if self.same else None,
        }


def pairs(*, quick: bool) -> Iterator[Pair]:
    """Yield the steps to compare; ``quick`` takes small sizes, to see that all of it runs."""
    part = 8 if quick else 1
    rng = np.random.default_rng(0)
    yield _moviechat(_frames(rng, 64 // part), target=2)
    yield _malmm(_frames(rng, 160 // part), slots=40 // part)
    yield _infinite(rng, bins=1024 // part, chunk=64 // part, mode="released")
    yield _infinite(rng, bins=1024 // part, chunk=64 // part, mode="fixed")
    yield _emllm(_frames(rng, 512 // part)[:, 0])


def _moviechat(frames: Features, target: int) -> Pair:
    return Pair(
        "moviechat merge",
        f"{frames.shape} frames to {target}",
        10,
        lambda: consolidate(frames, target, mode="released")[0],
        lambda: plain_moviechat.consolidate(frames.astype(np.float64), target),
    )


def _malmm(frames: Features, slots: int) -> Pair:
    def fast() -> Result:
        memory = MALMM(slots)
        for at, frame in enumerate(frames):
            memory.observe(frame, float(at))
        return memory.bank

    return Pair(
        "malmm stream",
        f"{frames.shape} frames into {slots} slots",
        5,
        fast,
        lambda: plain_malmm.stream(frames.astype(np.float64), slots)[0],
    )


def _infinite(rng: np.random.Generator, bins: int, chunk: int, mode: Mode) -> Pair:
    """One chunk more on a memory that has a past; only ``fixed`` mode samples it stickily."""
    frames = _frames(rng, 3 * chunk)[:, :1]
    sizes = InfiniteParams(bins=bins, chunk=chunk)
    memory = InfiniteVideo(sizes, mode=mode)
    for at, frame in enumerate(frames[: 2 * chunk]):
        memory.observe(frame, float(at))
    state, past = memory.state_dict(), memory.coefficients.astype(np.float64)

    def fast() -> Result:
        memory.load_state_dict(state)
        for at, frame in enumerate(frames[2 * chunk :], 2 * chunk):
            memory.observe(frame, float(at))
        return memory.coefficients

    def plain() -> Result:
        new = frames[2 * chunk :, 0].astype(np.float64)
        return plain_infinite.update(past, new, sizes.tau, sizes.samples, sizes.ridge)

    return Pair(
        f"infinite update, {mode}",
        f"N {bins}, L {chunk}, D {_DIM}",
        50,
        fast,
        plain,
        same=mode == "released",
    )


def _emllm(keys: Features) -> Pair:
    return Pair(
        "emllm refinement",
        f"{keys.shape} keys",
        20,
        lambda: splits(keys, "modularity"),
        lambda: plain_emllm.splits(keys.astype(np.float64), "modularity"),
    )


def _frames(rng: np.random.Generator, length: int) -> Features:
    """Unit tokens [T, N, D] that change slowly, as a video's do."""
    walk = np.cumsum(rng.normal(size=(length, _TOKENS, _DIM)), axis=0) + 4
    unit: Features = (walk / np.linalg.norm(walk, axis=-1, keepdims=True)).astype(np.float32)
    return unit


def _seconds(work: Callable[[], Result]) -> tuple[float, Result]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.kernels", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes")
    options = parser.parse_args()
    report = {}
    for pair in pairs(quick=options.quick):
        report[pair.name] = pair.figures()
        print(f"{pair.name}: {report[pair.name]['ratio']}x", file=sys.stderr, flush=True)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()

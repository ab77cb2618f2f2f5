"""The baselines keep what they say, within their bytes, however long the stream."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidmem.memory.baselines import Everything, Fifo, Random, Uniform

BOUNDED = [Fifo, Uniform, Random]
ALL = [*BOUNDED, Everything]


def fed(memory: Any, frames: int, *, first: int = 0) -> Any:
    for i in range(first, frames):
        memory.observe(np.full((2, 3), i, np.float32), float(i))
    return memory


def kept(memory: Any) -> list[int]:
    return [int(element.feature[0, 0]) for element in memory.elements()]


def same(a: Any, b: Any) -> bool:
    one, other = a.state_dict(), b.state_dict()
    return all(np.array_equal(one[key], other[key]) for key in one)


def test_fifo_keeps_the_newest() -> None:
    assert kept(fed(Fifo(4), 11)) == [7, 8, 9, 10]


@given(st.integers(1, 300), st.integers(2, 20))
@settings(deadline=None, max_examples=60)
def test_uniform_keeps_every_nth_and_counts_the_rest(frames: int, capacity: int) -> None:
    memory = fed(Uniform(capacity), frames)
    times = kept(memory)
    assert len(set(np.diff(times).tolist())) <= 1
    assert sum(element.count for element in memory.elements()) == frames
    assert len(times) > min(frames, capacity) / 2 - 1


def test_random_is_a_fair_sample() -> None:
    held = [i for seed in range(200) for i in kept(fed(Random(5, seed=seed), 50))]
    early = sum(i < 25 for i in held) / len(held)
    assert early == pytest.approx(0.5, abs=0.06)


def test_everything_keeps_everything() -> None:
    assert kept(fed(Everything(2), 100)) == list(range(100))


@pytest.mark.parametrize("kind", ALL)
@given(st.integers(0, 60), st.integers(0, 60))
@settings(deadline=None, max_examples=25)
def test_saved_and_loaded_equals_uninterrupted(kind: Any, first: int, more: int) -> None:
    half, again = fed(kind(7), first), kind(7)
    again.load_state_dict(half.state_dict())
    assert same(fed(again, first + more, first=first), fed(kind(7), first + more))


@pytest.mark.parametrize("kind", BOUNDED)
def test_bytes_stay_within_the_budget_forever(kind: Any) -> None:
    memory = kind.within(1000, (2, 3), held="float16")
    short = fed(memory, 10 * memory.capacity).nbytes
    assert fed(memory, 100 * memory.capacity, first=10 * memory.capacity).nbytes == short <= 1000


@pytest.mark.parametrize("kind", ALL)
def test_times_are_in_order_and_apart(kind: Any) -> None:
    spans = [element.span for element in fed(kind(6), 77).elements()]
    assert all(a.end_s <= b.start_s for a, b in pairwise(spans))
    assert spans[-1].end_s == 76


@pytest.mark.parametrize("kind", ALL)
def test_an_empty_memory_reads_as_empty_and_bad_frames_change_nothing(kind: Any) -> None:
    memory = kind(3)
    assert len(memory.read(np.ones(3)).tokens) == 0
    fed(memory, 2)
    with pytest.raises(ValueError, match="not finite"):
        memory.observe(np.full((2, 3), np.nan), 9.0)
    assert kept(memory) == [0, 1]

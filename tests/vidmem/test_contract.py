"""What every video memory promises (video-memory contract), whichever method it is."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidmem.memory.baselines import Fifo, Random, Uniform
from vidmem.memory.contract import VideoMemory
from vidmem.memory.emllm import EMLLM, EMLLMParams
from vidmem.memory.infinite import InfiniteParams, InfiniteVideo
from vidmem.memory.malmm import MALMM
from vidmem.memory.methods import METHODS, Making, unpack
from vidmem.memory.moviechat import MovieChat, MovieChatParams
from vidmem.memory.xmem import XMem, XMemParams

SHAPE = (2, 12)
BUDGET = 8_000  # small enough for every method to give something up
BOUNDED = sorted(set(METHODS) - {"all"})
every = pytest.mark.parametrize("name", sorted(METHODS))
bounded = pytest.mark.parametrize("name", BOUNDED)
few = settings(max_examples=15, deadline=None)
seeds = st.integers(0, 2**31)
precisions = st.sampled_from(["float32", "float16"])
SMALLEST: dict[str, Callable[[Any], VideoMemory]] = {
    "moviechat": lambda held: MovieChat(MovieChatParams(3, 1, 2), held=held),
    "xmem": lambda held: XMem(XMemParams(1, 2, 3, 1, 3), held=held),
    "infinite": lambda held: InfiniteVideo(InfiniteParams(3, 2), held=held),
    "malmm": lambda held: MALMM(2, held=held),
    "emllm": lambda held: EMLLM(4, EMLLMParams(1, 4, 2, history=8), held=held),
    "uniform": lambda held: Uniform(2, held=held),
    "fifo": lambda held: Fifo(2, held=held),
    "random": lambda held: Random(2, held=held),
}


def stream(seed: int, frames: int, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """Make scenes with a little noise, as a video has them."""
    rng = np.random.default_rng(seed)
    scenes = rng.random((frames // 5 + 1, *shape))
    frame = scenes[np.arange(frames) // 5] + 0.05 * rng.random((frames, *shape))
    return np.asarray(frame / np.linalg.norm(frame, axis=-1, keepdims=True), np.float32)


def made(
    name: str, budget: int = BUDGET, shape: tuple[int, ...] = SHAPE, held: Any = "float32"
) -> VideoMemory:
    tokens, dim = shape
    return Making(name, budget, tokens, dim, held).make()


def fed(name: str, frames: np.ndarray, budget: int = BUDGET, held: Any = "float32") -> VideoMemory:
    memory = made(name, budget, frames.shape[1:], held)
    for at, frame in enumerate(frames):
        memory.observe(frame, float(at))
    return memory


def same(left: VideoMemory, right: VideoMemory) -> None:
    ours, theirs = left.state_dict(), right.state_dict()
    assert ours.keys() == theirs.keys()
    for key, value in ours.items():
        np.testing.assert_array_equal(value, theirs[key])


@every
@few
@given(seeds, st.integers(0, 90), st.integers(0, 90))
def test_an_interruption_changes_nothing(name: str, seed: int, first: int, more: int) -> None:
    frames = stream(seed, first + more)
    before = fed(name, frames[:first])
    after = made(name)
    after.load_state_dict(before.state_dict())
    for at in range(first, first + more):
        after.observe(frames[at], float(at))
    same(after, fed(name, frames))


@every
@few
@given(seeds, st.integers(0, 150))
def test_the_same_stream_gives_the_same_state(name: str, seed: int, length: int) -> None:
    frames = stream(seed, length)
    same(fed(name, frames), fed(name, frames))


@every
@few
@given(seeds, st.lists(st.integers(0, 30), max_size=6))
def test_any_chunks_give_what_one_frame_at_a_time_gives(
    name: str, seed: int, lengths: list[int]
) -> None:
    frames, making = stream(seed, sum(lengths)), Making(name, BUDGET, *SHAPE, "float32")
    memory, start = making.make(), 0
    for length in lengths:
        for at in range(start, start + length):
            memory.observe(frames[at], float(at))
        memory.read(np.ones(SHAPE[1]))
        memory, start = unpack(making.pack(memory))[1], start + length
    same(memory, fed(name, frames))


@every
@few
@given(seeds, st.integers(0, 120))
def test_what_is_put_away_comes_back_as_it_was(name: str, seed: int, length: int) -> None:
    memory, making = fed(name, stream(seed, length)), Making(name, BUDGET, *SHAPE, "float32")
    known, back = unpack(making.pack(memory))
    assert known == making
    assert back.nbytes == memory.nbytes or name == "all"
    same(back, memory)


@every
@few
@given(seeds, st.integers(1, 250))
def test_what_is_read_is_finite_and_its_weights_sum_to_one(
    name: str, seed: int, length: int
) -> None:
    memory = fed(name, stream(seed, length))
    for query in (None, stream(seed, 1)[0, 0]):
        read = memory.read(query)
        assert np.isfinite(read.tokens).all()
        assert (read.weights >= 0).all()
        assert read.weights.sum() == pytest.approx(1.0, abs=1e-4)
        assert all(0 <= span.start_s <= span.end_s <= length for span in read.spans)


@every
@few
@given(seeds, st.integers(1, 250))
def test_times_of_one_token_a_frame_ascend_apart(name: str, seed: int, length: int) -> None:
    spans = [element.span for element in fed(name, stream(seed, length, (1, 12))).elements()]
    assert spans
    touching = name == "infinite"  # bins filled between neighbours share their times
    for left, right in pairwise(spans):
        assert left.start_s <= right.start_s
        assert touching or left.end_s <= right.start_s + 1e-9


@every
@few
@given(seeds, st.integers(1, 120))
def test_a_read_changes_nothing(name: str, seed: int, length: int) -> None:
    frames = stream(seed, length)
    memory, other = fed(name, frames), fed(name, frames)
    memory.read(frames[0, 0])
    memory.read(None, at_s=length / 2)
    memory.stats()
    same(memory, other)


@every
@few
@given(seeds, st.integers(2, 120))
def test_a_breakpoint_read_knows_nothing_that_began_later(
    name: str, seed: int, length: int
) -> None:
    frames = stream(seed, length)
    memory = fed(name, frames)
    assert bool(memory.read(frames[-1, 0], at_s=length / 2).spans)
    read = memory.read(None, at_s=length / 2)
    assert all(span.start_s <= length / 2 for span in read.spans)


@bounded
@few
@given(seeds, precisions)
def test_bytes_stay_between_ten_and_a_hundred_times_what_fits(
    name: str, seed: int, held: Any
) -> None:
    memory, frame = SMALLEST[name](held), stream(seed, 1, (1, 128))[0]
    memory.observe(frame, 0.0)
    fits = memory.nbytes // frame.astype(held).nbytes
    frames, sizes = stream(seed, 100 * fits, (1, 128)), set()
    for at in range(1, 100 * fits):
        memory.observe(frames[at], float(at))
        if at >= 10 * fits:
            sizes.add(memory.nbytes)
    assert len(sizes) == 1
    assert memory.elements()


@bounded
@few
@given(seeds, st.integers(5_000, 20_000), st.integers(1, 200), precisions)
def test_bytes_never_exceed_the_budget(
    name: str, seed: int, budget: int, length: int, held: Any
) -> None:
    memory = made(name, budget, (1, 12), held)
    for at, frame in enumerate(stream(seed, length, (1, 12))):
        memory.observe(frame, float(at))
        assert memory.nbytes <= budget


@every
@few
@given(seeds, precisions)
def test_one_frame_forever_stays_itself(name: str, seed: int, held: Any) -> None:
    frame = stream(seed, 1, (1, 12))[0]
    memory = fed(name, np.repeat(frame[None], 150, axis=0), held=held)
    for element in memory.elements():
        np.testing.assert_allclose(element.feature, frame, atol=2e-3)


@every
@few
@given(seeds, st.integers(0, 60))
def test_a_bad_frame_is_refused_and_not_absorbed(name: str, seed: int, length: int) -> None:
    frames = stream(seed, length + 1)
    memory, other = fed(name, frames[:length]), fed(name, frames[:length])
    broken = frames[-1].copy()
    broken[0, 0] = np.nan
    with pytest.raises(ValueError, match="finite"):
        memory.observe(broken, length + 1.0)
    if length:
        with pytest.raises(ValueError, match="later"):
            memory.observe(frames[-1], length - 1.0)
        with pytest.raises(ValueError, match="frame is"):
            memory.observe(frames[-1][:, :5], length + 1.0)
    same(memory, other)


@every
@few
@given(seeds, st.integers(0, 60), st.none() | st.floats(0, 100))
def test_an_empty_memory_reads_as_empty(
    name: str, seed: int, length: int, at_s: float | None
) -> None:
    memory = fed(name, stream(seed, length))
    memory.reset()
    assert memory.elements() == []
    for query in (None, stream(seed, 1)[0, 0]):
        assert len(memory.read(query, at_s=at_s).spans) == 0
    same(memory, made(name))
    assert memory.nbytes == made(name).nbytes


@bounded
def test_a_budget_too_small_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        made(name, 64, (32, 768))


@every
def test_banks_hold_what_the_memory_holds_and_no_more_than_their_room(name: str) -> None:
    memory = fed(name, stream(3, 200))
    banks = memory.banks()
    assert banks
    assert all(bank.room is None or 0 <= bank.held <= bank.room for bank in banks)
    assert sum(bank.held for bank in banks) >= len(memory.read().spans) / SHAPE[0]

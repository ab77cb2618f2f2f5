"""∞-Video's memory: fixed points, order of time, sticky draws, and that it is the plain ridge."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.plain.infinite import update as plain_update
from vidmem.memory.contract import Numbers, Tokens
from vidmem.memory.infinite import (
    InfiniteParams,
    InfiniteVideo,
    bins_of,
    chunk_positions,
    fill_gaps,
    gibbs,
    past_positions,
    regress,
    sticky_positions,
)

few = settings(deadline=None, max_examples=30)
seeds = st.integers(0, 999)


def small() -> InfiniteVideo:
    return InfiniteVideo(InfiniteParams(bins=12, chunk=5))


def frames(seed: int, length: int, tokens: int = 2, dim: int = 4) -> Tokens:
    shape = (length, tokens, dim)
    return np.random.default_rng(seed).random(size=shape).astype(np.float32)


def fed(x: Tokens, memory: InfiniteVideo, first: int = 0) -> InfiniteVideo:
    for at, frame in enumerate(x, first):
        memory.observe(frame, at * 0.5)
    return memory


@given(seeds, st.integers(4, 40), st.sampled_from([0.5, 0.75]), st.integers(2, 20))
@few
def test_the_sparse_product_is_the_dense_ridge(
    seed: int, bins: int, tau: float, length: int
) -> None:
    rng = np.random.default_rng(seed)
    memory, chunk = rng.normal(size=(bins, 3)), rng.normal(size=(length, 3))
    samples = 2 * bins
    past = past_positions(samples, mode="released")
    placed = np.concatenate(chunk_positions(length, samples, tau, mode="released"))
    where = bins_of(placed, bins, mode="released")
    rows = np.concatenate([bins_of(past, bins, mode="released"), bins + np.arange(length)])
    fast = regress(where, rows, np.concatenate([memory, chunk]), bins, 0.5)
    # Edges of bins that are no binary fraction fall to either side in the plain form's divisions.
    if bins in (4, 8, 16, 32) and length in (2, 4, 8, 16):
        np.testing.assert_allclose(fast, plain_update(memory, chunk, tau, samples, 0.5), atol=1e-9)
    assert np.isfinite(fast).all()


@given(seeds, st.integers(1, 300))
@few
def test_a_constant_signal_is_a_fixed_point(seed: int, length: int) -> None:
    same = np.repeat(frames(seed, 1), length, axis=0)
    memory = fed(same, small())
    for element in memory.elements():
        np.testing.assert_allclose(element.feature[0], same[0].mean(axis=0), rtol=1e-5)


@given(st.integers(5, 400))
@few
def test_the_order_of_time_is_kept(length: int) -> None:
    ramp = np.arange(length)[:, None, None] / length
    x: Tokens = np.repeat(ramp, 3, axis=2).astype(np.float32)
    memory = fed(x, small())
    held = [float(element.feature[0, 0]) for element in memory.elements()]
    assert all(b >= a - 1e-6 for a, b in pairwise(held))
    spans = [element.span for element in memory.elements()]
    assert all(a.start_s <= b.start_s and a.end_s <= b.end_s for a, b in pairwise(spans))
    assert sum(element.count for element in memory.elements()) <= length + len(spans)


@given(seeds, st.integers(0, 40), st.integers(0, 40))
@few
def test_saved_and_loaded_equals_uninterrupted(seed: int, first: int, more: int) -> None:
    x = frames(seed, first + more)
    again = small()
    again.load_state_dict(fed(x[:first], small()).state_dict())
    a, b = fed(x[first:], again, first).state_dict(), fed(x, small()).state_dict()
    assert all(np.array_equal(a[key], b[key]) for key in b)


@given(seeds, st.integers(2, 50), st.integers(1, 200))
@few
def test_sticky_positions_ascend_and_follow_the_masses(seed: int, bins: int, samples: int) -> None:
    masses = np.random.default_rng(seed).random(bins) + 1e-3
    at = sticky_positions(masses, samples)
    assert (np.diff(at) >= 0).all()
    assert at[0] >= 0
    assert at[-1] <= 1
    np.testing.assert_allclose(
        sticky_positions(np.ones(bins), samples), past_positions(samples), atol=1e-9
    )


def test_all_attention_on_one_bin_draws_mostly_there() -> None:
    masses = np.eye(10)[3]
    drawn = bins_of(sticky_positions(masses, 100), 10)
    assert 88 <= (drawn == 3).sum() <= 94
    assert set(drawn) == set(range(10))  # what no one attends to can still come back


@given(seeds, st.floats(0.1, 500))
@few
def test_attention_sums_to_one_whatever_its_sharpness(seed: int, sharpness: float) -> None:
    rng = np.random.default_rng(seed)
    density = gibbs(rng.normal(size=(3, 4)) * 100, rng.normal(size=(9, 4)), sharpness)
    np.testing.assert_allclose(density.sum(axis=1), 1)


def test_what_is_asked_for_stands_out_in_the_density() -> None:
    x = np.full((60, 1, 3), 0.05, np.float32)
    x[30:34, 0] = (0.9, 0.05, 0.05)
    memory = fed(x, InfiniteVideo(InfiniteParams(bins=64, chunk=10)))
    density = memory.density(np.asarray([1.0, 0, 0]))
    span, _ = max(density, key=lambda pair: pair[1])
    assert 14.5 <= (span.start_s + span.end_s) / 2 <= 17.5
    total = sum(weight * (span.end_s - span.start_s) for span, weight in density)
    assert total == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("mode", ["fixed", "released"])
@pytest.mark.parametrize("held", ["float32", "float16"])
def test_bytes_stay_within_the_budget(mode: Any, held: Any) -> None:
    memory = InfiniteVideo.within(2000, (2, 4), held=held)
    memory = InfiniteVideo(memory.params, mode=mode, held=held)
    early = fed(frames(4, 600), memory).nbytes
    assert early == fed(frames(5, 3000), memory, first=600).nbytes <= 2000
    assert np.isfinite(memory.coefficients).all()


def test_the_release_lets_the_past_shrink_and_the_fixed_form_does_not() -> None:
    x = np.ones((400, 1, 2), np.float32)
    sizes = InfiniteParams(bins=16, chunk=16)
    shrunk = fed(x, InfiniteVideo(sizes, mode="released")).coefficients
    assert shrunk[0].max() < 0.5
    np.testing.assert_allclose(fed(x, InfiniteVideo(sizes)).coefficients, 1, rtol=1e-6)


def test_gaps_are_filled_between_neighbours() -> None:
    values: Numbers = np.asarray([[0.0], [2.0], [0.0], [0.0], [8.0]])
    filled = np.asarray([False, True, False, False, True])
    np.testing.assert_allclose(fill_gaps(values, filled)[:, 0], [2, 2, 4, 6, 8])


def test_empty_reads_as_empty_and_a_bad_frame_changes_nothing() -> None:
    memory = small()
    assert len(memory.read(np.ones(4)).tokens) == 0
    fed(frames(7, 2), memory)
    with pytest.raises(ValueError, match="not finite"):
        memory.observe(np.full((2, 4), np.nan), 9.0)
    assert len(memory.elements()) == 2


def test_early_chunks_get_no_more_room_than_late_ones() -> None:
    sizes = InfiniteParams(bins=40, chunk=10, tau=0.98, stickiness=0.0)
    memory = fed(np.full((100, 1, 2), 0.5, np.float32), InfiniteVideo(sizes))
    bins = memory.elements()
    first = sum(element.span.end_s <= 6.0 for element in bins)
    last = sum(element.span.start_s >= 44.0 for element in bins)
    assert 3 <= first <= 8
    assert 3 <= last <= 8


def test_the_horizon_of_a_budget_is_as_far_as_its_bins_allow() -> None:
    sizes = InfiniteVideo.within(100_000, (1, 32)).params
    ahead = [
        InfiniteVideo(InfiniteParams(sizes.bins, sizes.chunk, tau)).horizon_frames
        for tau in (sizes.tau - 1e-3, sizes.tau, sizes.tau + 1e-3)
    ]
    assert ahead[1] == max(ahead)
    assert ahead[1] == pytest.approx(sizes.bins / np.e * sizes.chunk, rel=0.01)

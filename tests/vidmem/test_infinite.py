"""∞-Video's memory: fixed points, order of time, sticky draws, and that it is the plain ridge."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.plain.infinite import update as plain_update
from vidmem.memory import infinite
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
    value_at,
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


def looked_at(length: int, bins: int, tau: float) -> tuple[Numbers, np.ndarray]:
    """Give the positions of an update, and the rows of [memory; chunk] that come to lie there."""
    samples = 2 * bins
    placed = np.concatenate(chunk_positions(length, samples, tau, mode="released"))
    past = bins_of(past_positions(samples, mode="released"), bins, mode="released")
    return placed, np.concatenate([past, bins + np.arange(length)])


@given(seeds, st.integers(2, 40), st.floats(0.1, 0.9), st.integers(1, 20), st.floats(0.01, 2))
@few
def test_the_sparse_product_is_the_dense_ridge(
    seed: int, bins: int, tau: float, length: int, ridge: float
) -> None:
    values = np.random.default_rng(seed).normal(size=(bins + length, 3))
    placed, rows = looked_at(length, bins, tau)
    where = bins_of(placed, bins, mode="released")
    samples = np.where(rows[:, None] >= 0, values[rows], 0)
    basis = (where == np.arange(bins)[:, None]).astype(np.float64)
    dense = np.linalg.solve(basis @ basis.T + ridge * np.eye(bins), basis @ samples)
    np.testing.assert_allclose(regress(where, rows, values, bins, ridge), dense, atol=1e-9)


# Edges of bins that are no binary fraction fall to either side in the plain form's divisions.
@given(
    *(seeds, st.sampled_from([4, 8, 16, 32]), st.sampled_from([0.5, 0.75])),
    st.sampled_from([2, 4, 8, 16]),
)
@few
def test_an_update_is_the_plain_one(seed: int, bins: int, tau: float, length: int) -> None:
    rng = np.random.default_rng(seed)
    memory, chunk = rng.normal(size=(bins, 3)), rng.normal(size=(length, 3))
    placed, rows = looked_at(length, bins, tau)
    where = bins_of(placed, bins, mode="released")
    fast = regress(where, rows, np.concatenate([memory, chunk]), bins, 0.5)
    np.testing.assert_allclose(fast, plain_update(memory, chunk, tau, 2 * bins, 0.5), atol=1e-9)


@given(seeds, st.integers(2, 40), st.lists(st.floats(1, 3), min_size=1, max_size=20))
@few
def test_padding_behind_the_end_changes_nothing(seed: int, bins: int, padding: list[float]) -> None:
    values = np.random.default_rng(seed).normal(size=(bins + 7, 3))
    placed, rows = looked_at(7, bins, 0.75)
    padded = np.concatenate([placed, sorted(padding)])
    ours, theirs = (
        regress(bins_of(at, bins, mode="released"), np.resize(rows, len(at)), values, bins, 0.5)
        for at in (placed, padded)
    )
    np.testing.assert_array_equal(ours, theirs)


@given(st.integers(1, 60), st.integers(1, 120), st.floats(0.01, 0.99))
@few
def test_positions_ascend_with_the_past_before_the_chunk(
    length: int, samples: int, tau: float
) -> None:
    past, new = chunk_positions(length, samples, tau)
    assert (np.diff(np.concatenate([[0.0], past, new, [1.0]])) > 0).all()
    assert past[-1] <= tau < new[0]


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
    chunks = length // memory.params.chunk * memory.params.chunk
    assert memory.state_dict()["counts"].sum() == pytest.approx(chunks)


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


@given(st.integers(2, 50), st.integers(1, 200), st.floats(1e-3, 1e3))
@few
def test_sticky_with_a_uniform_density_samples_evenly(bins: int, samples: int, mass: float) -> None:
    drawn = sticky_positions(np.full(bins, mass), samples)
    np.testing.assert_allclose(drawn, past_positions(samples), atol=1e-9)


@given(st.integers(2, 40), st.integers(0, 39), st.integers(1, 300))
@few
def test_all_attention_on_one_bin_draws_mostly_there(bins: int, which: int, samples: int) -> None:
    masses = np.eye(bins)[which % bins]
    drawn = bins_of(sticky_positions(masses, samples), bins)
    assert abs((drawn == which % bins).sum() - (0.4 + 0.6 / bins) * samples) <= 1 + 1e-9


@given(st.integers(2, 40), st.integers(1, 10))
@few
def test_what_no_one_attends_to_can_still_come_back(bins: int, more: int) -> None:
    drawn = bins_of(sticky_positions(np.eye(bins)[0], 10 * bins * more), bins)
    assert set(drawn) == set(range(bins))


@given(seeds, st.integers(2, 40), st.integers(0, 39), st.floats(0.1, 0.9))
@few
def test_all_attention_on_one_bin_unmixed_repeats_its_value(
    seed: int, bins: int, which: int, tau: float
) -> None:
    held, samples = np.random.default_rng(seed).normal(size=(bins, 3)), 2 * bins
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(infinite, "_UNIFORM_SHARE", 0.0)
        drawn = sticky_positions(np.eye(bins)[which % bins], samples)
    values = value_at(held, bins_of(drawn, bins))
    where = bins_of(tau * past_positions(samples), bins)
    past = regress(where, np.arange(samples), values, bins, 0.0)[np.unique(where)]
    np.testing.assert_allclose(past, np.resize(held[which % bins], past.shape), rtol=1e-12)


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


@given(
    *(seeds, st.integers(1000, 4000), st.integers(1, 400)),
    st.sampled_from(["fixed", "released"]),
    st.sampled_from(["float32", "float16"]),
)
@few
def test_bytes_stay_within_the_budget(
    seed: int, budget: int, length: int, mode: Any, held: Any
) -> None:
    sizes = InfiniteVideo.within(budget, (2, 4), held=held).params
    memory = InfiniteVideo(sizes, mode=mode, held=held)
    early = fed(frames(seed, 1), memory).nbytes
    assert early == fed(frames(seed, length), memory, first=1).nbytes <= budget
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


def test_what_comes_back_is_held_more_finely_than_what_does_not() -> None:
    rng = np.random.default_rng(0)
    scenes = np.abs(rng.normal(size=(60, 200))) ** 6
    scenes[9::6] = scenes[5]  # shown at 100 s, then again and again
    memory = InfiniteVideo(InfiniteParams(bins=128, tau=1 - np.e / 128))
    assert memory.detail() == []
    for at in range(1200):
        frame = scenes[at // 20] + 0.02 * rng.random(200)
        memory.observe(frame[None] / np.linalg.norm(frame), float(at))
    fine = {span: bins for span, bins in memory.detail() if span.end_s < 600}
    finest = max(fine, key=lambda span: fine[span])
    assert 100 <= finest.start_s < finest.end_s <= 121
    total = sum(span.duration_s * bins for span, bins in memory.detail())
    assert total == pytest.approx(128, abs=2)

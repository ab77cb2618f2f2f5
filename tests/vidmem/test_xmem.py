"""XMem's affinity, prototypes, eviction and stores."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidmem.memory.xmem import (
    Stores,
    XMem,
    XMemParams,
    affinity,
    consolidate,
    obsolete,
    similarity,
)

few = settings(max_examples=30, deadline=None)
seeds = st.integers(0, 2**31)
SMALL = XMemParams(t_min=3, t_max=6, prototypes=4, lt_max=12, top_k=5)
sizes = st.builds(
    lambda t_min, more, prototypes, long, top_k: XMemParams(
        t_min=t_min,
        t_max=t_min + more,
        prototypes=prototypes,
        lt_max=prototypes + long,
        top_k=top_k,
    ),
    *(st.integers(2, 4), st.integers(1, 5), st.integers(1, 6), st.integers(0, 12)),
    st.integers(1, 9),
)


def drawn(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def fed(frames: np.ndarray, params: XMemParams = SMALL) -> XMem:
    memory = XMem(params)
    for at, frame in enumerate(frames):
        memory.observe(frame, float(at))
    return memory


@few
@given(seeds, st.integers(1, 40), st.integers(1, 9), st.integers(1, 50))
def test_columns_sum_to_one_over_at_most_k(seed: int, n: int, q: int, top_k: int) -> None:
    weights = affinity(drawn(seed, n, q) * 200, top_k)
    np.testing.assert_allclose(weights.sum(axis=0), 1.0, atol=1e-5)
    assert (weights >= 0).all()
    assert ((weights > 0).sum(axis=0) <= top_k).all()


@few
@given(seeds, st.integers(1, 40), st.integers(1, 9), st.integers(0, 5))
def test_all_of_the_top_k_is_the_full_softmax(seed: int, n: int, q: int, more: int) -> None:
    scores = drawn(seed, n, q) * 20
    raised = np.exp(scores.astype(np.float64) - scores.max(axis=0))
    full = raised / raised.sum(axis=0)
    np.testing.assert_allclose(affinity(scores, n + more), full, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(affinity(scores), full, rtol=1e-5, atol=1e-7)


@few
@given(seeds, st.integers(2, 30))
def test_the_affinity_follows_a_reordering(seed: int, n: int) -> None:
    keys, queries, shrinkage = drawn(seed, n, 6), drawn(seed + 1, 4, 6), drawn(seed, n) ** 2 + 1
    order = np.random.default_rng(seed).permutation(n)
    weights = affinity(similarity(keys, shrinkage, queries, None), 5)
    moved = affinity(similarity(keys[order], shrinkage[order], queries, None), 5)
    np.testing.assert_allclose(moved, weights[order], atol=1e-5)
    full = similarity(keys, shrinkage, queries, np.ones_like(queries))
    np.testing.assert_allclose(similarity(keys, shrinkage, queries, None), full, atol=1e-3)


@few
@given(seeds, st.integers(1, 20), st.integers(0, 19), st.floats(500, 5000))
def test_a_query_equal_to_a_strong_key_reads_its_value(
    seed: int, n: int, which: int, strength: float
) -> None:
    keys, values, at = drawn(seed, n, 16), drawn(seed + 1, n, 3), which % n
    shrinkage = np.full(n, strength, np.float32)
    weights = affinity(similarity(keys, shrinkage, keys[at : at + 1], None), 5)
    np.testing.assert_allclose(weights.T @ values, values[at : at + 1], atol=1e-4)


@few
@given(seeds, sizes, st.integers(1, 30), st.integers(1, 4))
def test_a_counted_read_uses_each_query_once(
    seed: int, params: XMemParams, length: int, tokens: int
) -> None:
    stores = Stores(params, tokens, (6, 6), selects=False)
    for frame in drawn(seed, length, tokens, 6):
        stores.write(frame, frame)
    used = [stores.long["use"].sum() + stores.work["use"].sum()]
    for count in (False, True):
        stores.read(drawn(seed + 1, tokens, 6), count=count)
        used.append(stores.long["use"].sum() + stores.work["use"].sum())
    np.testing.assert_allclose(np.diff(used), [0, tokens], atol=1e-4)


@few
@given(seeds, st.integers(2, 40), st.integers(1, 8))
def test_prototypes_lie_among_their_candidates(seed: int, n: int, count: int) -> None:
    keys, values, usage = drawn(seed, n, 6), drawn(seed + 1, n, 4), abs(drawn(seed + 2, n))
    shrinkage = drawn(seed, n) ** 2 + 1
    made = consolidate(keys, shrinkage, None, values, usage, min(count, n))
    assert (made.values <= values.max(axis=0) + 1e-4).all()
    assert (made.values >= values.min(axis=0) - 1e-4).all()
    assert usage[made.indices].tolist() == sorted(usage, reverse=True)[: min(count, n)]


@few
@given(seeds, st.integers(0, 30), st.integers(0, 30))
def test_the_least_used_go_and_no_more_than_must(seed: int, n: int, kept: int) -> None:
    rng = np.random.default_rng(seed)
    usage = rng.integers(0, 4, n).astype(np.float32)
    gone = obsolete(usage, np.ones(n, np.float32), kept)
    assert len(gone) == max(0, n - kept)
    left = np.delete(usage, gone)
    assert not len(gone) or not len(left) or usage[gone].max() <= left.min()


def test_what_was_never_read_goes_last_and_the_oldest_of_equals_first() -> None:
    usage = np.asarray([0.0, 0.5, 0.5, 0.9], np.float32)
    life = np.asarray([1e-7, 5, 5, 5], np.float32)
    assert obsolete(usage, life, 3).tolist() == [1]
    assert obsolete(usage, life, 1).tolist() == [1, 2, 3]
    assert obsolete(usage, life, 4).tolist() == []


@few
@given(seeds, sizes, st.integers(1, 60), st.integers(1, 3))
def test_working_memory_keeps_between_its_sizes(
    seed: int, params: XMemParams, length: int, tokens: int
) -> None:
    memory = XMem(params)
    for at, frame in enumerate(drawn(seed, length, tokens, 6)):
        memory.observe(frame, float(at))
        working = memory.stats()["working"]
        assert working < params.t_max * tokens
        assert working >= min(at + 1, params.t_min) * tokens


@few
@given(seeds, sizes, st.integers(1, 60), st.integers(1, 3))
def test_long_term_memory_keeps_within_its_size(
    seed: int, params: XMemParams, length: int, tokens: int
) -> None:
    memory = XMem(params)
    for at, frame in enumerate(drawn(seed, length, tokens, 6)):
        memory.observe(frame, float(at))
        assert memory.stats()["long_term"] <= params.lt_max


@few
@given(seeds, sizes, st.integers(1, 60), st.integers(1, 3))
def test_the_first_frame_is_never_consolidated(
    seed: int, params: XMemParams, length: int, tokens: int
) -> None:
    frames = drawn(seed, length, tokens, 6)
    first = [row for row in fed(frames, params).elements() if row.span.start_s == 0]
    np.testing.assert_array_equal(np.concatenate([row.feature for row in first]), frames[0])
    assert [row.count for row in first] == [1] * tokens


@few
@given(seeds, sizes, st.integers(1, 60), st.integers(1, 3))
def test_times_of_a_token_ascend_apart(
    seed: int, params: XMemParams, length: int, tokens: int
) -> None:
    state = fed(drawn(seed, length, tokens, 6), params).state_dict()
    spans = np.concatenate([state["long.span"], state["work.span"]])
    tracks = np.concatenate([state["long.track"], state["work.track"]])
    for token in range(tokens):
        assert all(a[1] <= b[0] for a, b in pairwise(sorted(spans[tracks == token].tolist())))


@few
@given(seeds, st.integers(1, 60))
def test_every_frame_is_held_or_counted_as_given_up(seed: int, length: int) -> None:
    memory = fed(drawn(seed, length, 1, 6))
    held = sum(element.count for element in memory.elements())
    assert held + memory.stats()["frames_given_up"] == length


def test_a_scene_that_comes_back_is_still_held() -> None:
    rng = np.random.default_rng(3)
    frames = rng.normal(size=(300, 1, 8)).astype(np.float32) * 3
    known = frames[40].copy()
    for back in range(40, 300, 20):
        frames[back : back + 5] = known
    memory = fed(frames)
    kept = [abs(element.feature - known).max() < 0.3 for element in memory.elements()]
    assert sum(kept) >= 2
    assert len(kept) == SMALL.lt_max + SMALL.t_min


def test_sensory_memory_is_the_running_mean() -> None:
    memory = fed(np.stack([np.zeros((1, 3)), np.ones((1, 3))]).astype(np.float32))
    np.testing.assert_allclose(memory.sensory, 0.2, atol=1e-6)


def test_frames_between_the_written_ones_are_counted_too() -> None:
    memory = fed(drawn(0, 9, 1, 4), XMemParams(every=3))
    assert [element.count for element in memory.elements()] == [3, 3, 3]
    assert [element.span.start_s for element in memory.elements()] == [0, 3, 6]


def test_sizes_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="not sizes"):
        XMemParams(t_min=5, t_max=5)

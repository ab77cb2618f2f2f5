"""EM-LLM: events partition the stream, refining is the plain one's, recall is bounded."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.plain.emllm import splits as plain_splits
from vidmem.memory.emllm import (
    EMLLM,
    EMLLMParams,
    Metric,
    budgets,
    communities,
    most_similar,
    neighbours,
    refine,
    splits,
    stands_out,
)

PLAIN = EMLLMParams()
few = settings(deadline=None, max_examples=30)
seeds = st.integers(0, 9999)
gaps = st.lists(st.integers(0, 12), min_size=2, max_size=6)
metrics = pytest.mark.parametrize("metric", ["modularity", "conductance"])


def planted(seed: int, lengths: list[int], dim: int = 16, noise: float = 0.05) -> np.ndarray:
    """Make unit-norm frames of scenes at right angles, some frames each."""
    rng = np.random.default_rng(seed)
    scenes = np.linalg.qr(rng.normal(size=(dim, dim)))[0][: len(lengths)]
    frames = np.repeat(scenes, lengths, axis=0) + noise * rng.normal(size=(sum(lengths), dim))
    return np.asarray(frames / np.linalg.norm(frames, axis=1, keepdims=True), np.float32)


def fed(frames: np.ndarray, params: EMLLMParams = PLAIN, rows: int = 400) -> EMLLM:
    memory = EMLLM(rows, params)
    for at, frame in enumerate(frames):
        memory.observe(frame[None], float(at))
    return memory


@metrics
@few
@given(seed=seeds, length=st.integers(2, 40))
def test_prefix_sums_give_the_plain_graph_s_scores(metric: Metric, seed: int, length: int) -> None:
    keys = np.abs(np.random.default_rng(seed).normal(size=(length, 6)))
    np.testing.assert_allclose(splits(keys, metric), plain_splits(keys, metric), rtol=1e-6)


@metrics
@few
@given(seed=seeds, left=st.integers(5, 20), right=st.integers(5, 20), late=st.integers(0, 5))
def test_refining_finds_the_planted_boundary(
    metric: Metric, seed: int, left: int, right: int, late: int
) -> None:
    keys = planted(seed, [left, right])
    event = min(left + late, left + right - 4)
    assert refine(keys, [event], least=4, metric=metric) == [left]


@few
@given(seeds, st.lists(st.integers(1, 59), max_size=8, unique=True), st.integers(1, 6))
def test_refined_events_are_never_too_short(seed: int, events: list[int], least: int) -> None:
    refined = refine(planted(seed, [20, 15, 25], noise=0.2), sorted(events), least=least)
    assert all(later - earlier >= least for earlier, later in pairwise([0, *refined]))


@metrics
@few
@given(seed=seeds, gaps=gaps, least=st.integers(1, 6))
def test_a_refined_boundary_lies_after_the_one_before_and_not_after_its_event(
    metric: Metric, seed: int, gaps: list[int], least: int
) -> None:
    *events, length = np.cumsum(np.asarray(gaps) + least).tolist()
    keys = planted(seed, [length // 3 + 1] * 3, noise=0.2)[:length]
    refined = refine(keys, events, least=least, metric=metric)
    assert len(refined) == len(events)
    for before, boundary, event in zip([0, *refined], refined, events, strict=False):
        assert before + least <= boundary <= event


@few
@given(seeds, gaps, st.integers(1, 6))
def test_refining_never_lowers_the_modularity(seed: int, gaps: list[int], least: int) -> None:
    *events, length = np.cumsum(np.asarray(gaps) + least).tolist()
    keys = planted(seed, [length // 3 + 1] * 3, noise=0.2)[:length]
    refined = refine(keys, events, least=least)
    rows = zip([0, *refined], refined, events, [*events[1:], length], strict=False)
    for before, boundary, event, after in rows:
        window, places = keys[before:after], np.arange(before, after)
        better, worse = (
            communities(window, (places >= at).astype(int))[0] for at in (boundary, event)
        )
        assert better >= worse - 1e-9


def test_a_boundary_that_is_right_stays_unless_as_released() -> None:
    keys = planted(3, [12, 13, 15])
    assert refine(keys, [12, 25], least=1) == [12, 25]
    assert refine(keys, [12, 25], least=1, mode="released") != [12, 25]


@few
@given(seeds, st.floats(-100, 100), st.floats(0.1, 10))
def test_surprise_is_relative(seed: int, shift: float, scale: float) -> None:
    past = np.random.default_rng(seed).normal(size=30)
    for surprise in (past.mean() + 0.9 * past.std(ddof=1), past.mean() + 1.1 * past.std(ddof=1)):
        moved = stands_out(surprise * scale + shift, past * scale + shift, 1.0)
        assert moved == stands_out(surprise, past, 1.0)


def test_without_a_deviation_nothing_stands_out() -> None:
    assert not stands_out(5.0, [1.0, 1.0, 1.0], 1.0)
    assert not stands_out(5.0, [1.0], 1.0)


@few
@given(seeds, st.integers(1, 300), st.floats(0.5, 3.0))
def test_events_part_the_stream_without_gap(seed: int, length: int, gamma: float) -> None:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 30, 15).tolist()
    frames = planted(seed, lengths, noise=0.1)[:length]
    params = EMLLMParams(gamma=gamma, most=20)
    elements = fed(frames, params).elements()
    assert sum(element.count for element in elements) == len(frames)
    for left, right in pairwise(elements):
        assert left.span.end_s == right.span.start_s
    sizes = fed(frames, params)._stored.sizes()
    assert all(params.least <= size <= params.most for size in sizes)


@few
@given(seeds, st.integers(4, 30), st.integers(1, 200), st.floats(0.05, 1))
def test_an_endless_gamma_cuts_at_the_longest_event_only(
    seed: int, most: int, length: int, noise: float
) -> None:
    frames = planted(seed, [20] * 10, noise=noise)[:length]
    sizes = fed(frames, EMLLMParams(gamma=1e9, most=most))._stored.sizes()
    assert sizes.tolist() == [most] * max(0, (length - 1) // most - 1)


def test_scenes_become_events_that_begin_where_they_do() -> None:
    memory = fed(planted(2, [30, 30, 30, 30, 30]))
    starts = {memory._stored.spans[at, 0] for at in memory._stored.firsts}
    assert {0.0, 30.0, 60.0} <= starts


@few
@given(seeds, st.integers(1, 200))
def test_what_is_recalled_stays_near_its_budget(seed: int, budget: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(4, 65, 40)
    best = most_similar(rng.normal(size=40), sizes, budget)
    beside = neighbours(best, [], sizes, budget)
    assert best
    assert sizes[best].sum() <= max(budget + 32, sizes[best[0]])
    assert sizes[beside].sum() <= budget + 32
    assert len(set(best) | set(beside)) == len(best) + len(beside)


@few
@given(seeds, st.integers(1, 200), st.integers(1, 200), st.integers(1, 5))
def test_what_lingers_stays_near_its_budget_and_is_there_once(
    seed: int, budget: int, beside: int, reads: int
) -> None:
    rng = np.random.default_rng(seed)
    sizes, queue = rng.integers(4, 65, 40), list[int]()
    for _ in range(reads):
        best = most_similar(rng.normal(size=40), sizes, budget)
        queue = neighbours(best, queue, sizes, beside)
        assert sizes[queue].sum() <= beside + 32
        assert len(set(best) | set(queue)) == len(best) + len(queue)


@few
@given(seeds, st.integers(0, 39), st.lists(st.integers(0, 39), unique=True), st.integers(0, 100))
def test_neighbours_of_the_best_are_recalled_where_there_is_room(
    seed: int, best: int, queue: list[int], more: int
) -> None:
    sizes = np.random.default_rng(seed).integers(4, 65, 40)
    beside = [block for block in (best - 1, best + 1) if 0 <= block < 40]
    recalled = neighbours([best], queue, sizes, int(sizes[beside].sum()) + more)
    assert set(beside) <= set(recalled)
    assert best not in recalled


def test_neighbours_linger_until_they_are_similar_themselves() -> None:
    sizes = np.full(10, 4)
    queue = neighbours([5], [], sizes, 12)
    assert sorted(neighbours([1], queue, sizes, 20)) == [0, 2, 4, 6]
    assert 4 not in neighbours([4], queue, sizes, 20)
    assert budgets(100, 0.3) == (69.0, 31.0)


def test_a_question_recalls_its_event_and_what_lies_beside_it() -> None:
    frames = planted(4, [30] * 12)
    memory = fed(frames, EMLLMParams(recalled=60))
    read = memory.read(frames[200])
    best = read.spans[int(np.argmax(read.weights))]
    assert 180 <= best.start_s < 210
    recalled = {int(span.start_s // 30) for span in read.spans}
    assert {6, 11} <= recalled
    assert len(recalled) < 6


def test_a_scene_that_comes_back_outlives_what_was_seen_once() -> None:
    once, again = planted(5, [16] * 16)[16:], planted(5, [16] * 16)[:16]
    scenes = [part for seen in range(15) for part in (again, once[16 * seen : 16 * seen + 16])]
    memory = fed(np.concatenate(scenes), rows=24)
    elements = memory.elements()
    like = [element for element in elements if element.feature[0] @ again.mean(axis=0) > 0.7]
    assert memory.stats()["frames_given_up"] > 0
    assert min(element.span.start_s for element in like) < min(
        element.span.start_s for element in elements if element not in like
    )


def test_sizes_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="sizes of events"):
        EMLLMParams(least=9, most=8)
    with pytest.raises(ValueError, match="rows"):
        EMLLM(4)

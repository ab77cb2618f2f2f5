"""MA-LMM: what its bank conserves, where it merges, and that it is the plain one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.plain.malmm import stream as plain_stream
from vidmem.memory.contract import Tokens
from vidmem.memory.malmm import MALMM, compress

few = settings(deadline=None, max_examples=30)
seeds, lengths, slots = st.integers(0, 999), st.integers(1, 60), st.integers(1, 9)


def frames(seed: int, length: int, tokens: int = 3, dim: int = 5) -> Tokens:
    shape = (length, tokens, dim)
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def fed(x: Tokens, memory: MALMM, first: int = 0) -> MALMM:
    for at, frame in enumerate(x, first):
        memory.observe(frame, at * 0.5)
    return memory


@given(seeds, lengths, slots)
@few
def test_counts_and_sums_are_conserved_by_token(seed: int, length: int, size: int) -> None:
    x = frames(seed, length)
    memory = fed(x, MALMM(size))
    assert len(memory.bank) == min(length, size)
    assert (memory.sizes >= 1).all()
    np.testing.assert_array_equal(memory.sizes.sum(axis=0), length)
    held = (memory.sizes[..., None] * memory.bank).sum(axis=0)
    np.testing.assert_allclose(held, x.sum(axis=0), atol=1e-3)


@given(seeds, lengths, slots)
@few
def test_the_fast_form_is_the_plain_one(seed: int, length: int, size: int) -> None:
    x = frames(seed, length)
    memory = fed(x, MALMM(size))
    bank, sizes = plain_stream(x.astype(np.float64), size)
    np.testing.assert_allclose(memory.bank, bank, atol=1e-5)
    np.testing.assert_array_equal(memory.sizes, sizes)


@given(seeds, st.integers(0, 30), st.integers(0, 30))
@few
def test_saved_and_loaded_equals_uninterrupted(seed: int, first: int, more: int) -> None:
    x = frames(seed, first + more)
    again = MALMM(4)
    again.load_state_dict(fed(x[:first], MALMM(4)).state_dict())
    a, b = fed(x[first:], again, first).state_dict(), fed(x, MALMM(4)).state_dict()
    assert all(np.array_equal(a[key], b[key]) for key in b)


@given(seeds)
@few
def test_a_token_changes_only_its_own_track(seed: int) -> None:
    x, other = frames(seed, 30), frames(seed + 1, 30)
    changed = x.copy()
    changed[:, 1] = other[:, 1]
    a, b = fed(x, MALMM(5)), fed(changed, MALMM(5))
    np.testing.assert_array_equal(a.bank[:, [0, 2]], b.bank[:, [0, 2]])


@given(seeds, st.floats(0.1, 50))
@few
def test_scaling_does_not_change_what_is_merged(seed: int, by: float) -> None:
    x, sizes = frames(seed, 6), np.ones((6, 3))
    assert compress(x, sizes)[2].tolist() == compress(x * np.float32(by), sizes)[2].tolist()


def test_merging_is_local() -> None:
    x = frames(1, 6)
    bank, _, left = compress(x, np.ones((6, 3)))
    for token, at in enumerate(left):
        np.testing.assert_array_equal(bank[:at, token], x[:at, token])
        np.testing.assert_array_equal(bank[at + 1 :, token], x[at + 2 :, token])


def test_one_slot_is_the_running_mean_and_a_constant_stays() -> None:
    x = frames(2, 20)
    np.testing.assert_allclose(fed(x, MALMM(1)).bank[0], x.mean(axis=0), atol=1e-5)
    same = np.repeat(frames(3, 1), 50, axis=0)
    np.testing.assert_allclose(fed(same, MALMM(4)).bank, same[:4], rtol=1e-6)


@pytest.mark.parametrize("held", ["float32", "float16"])
def test_bytes_stay_within_the_budget(held: str) -> None:
    memory = MALMM.within(2000, (3, 5), held=held)  # type: ignore[arg-type]
    early = fed(frames(4, 10 * memory.slots), memory).nbytes
    late = fed(frames(5, 90 * memory.slots), memory, first=10 * memory.slots).nbytes
    assert early == late <= 2000


def test_times_of_a_token_are_in_order_and_cover_the_stream() -> None:
    memory = fed(frames(6, 40, tokens=1), MALMM(7))
    spans = [element.span for element in memory.elements()]
    assert all(a.end_s == b.start_s for a, b in pairwise(spans))
    assert (spans[0].start_s, spans[-1].end_s) == (0.0, 19.5)


def test_empty_reads_as_empty_and_a_bad_frame_changes_nothing() -> None:
    memory = MALMM(3)
    assert len(memory.read(np.ones(5)).tokens) == 0
    fed(frames(7, 2), memory)
    with pytest.raises(ValueError, match="not finite"):
        memory.observe(np.full((3, 5), np.nan), 9.0)
    assert len(memory.bank) == 2
    assert memory.read(np.ones(5)).weights.sum() == pytest.approx(1)

"""MA-LMM: what its bank conserves, where it merges, and that it is the plain one."""

from __future__ import annotations

from typing import Any

import numpy as np
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
    assert (memory.sizes >= 1).all()
    np.testing.assert_array_equal(memory.sizes.sum(axis=0), length)
    held = (memory.sizes[..., None] * memory.bank).sum(axis=0)
    np.testing.assert_allclose(held, x.sum(axis=0), atol=1e-3)


@given(seeds, lengths, slots)
@few
def test_the_bank_grows_to_its_length_and_no_further(seed: int, length: int, size: int) -> None:
    memory = MALMM(size)
    for at, frame in enumerate(frames(seed, length)):
        memory.observe(frame, float(at))
        assert len(memory.bank) == min(at + 1, size)


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


@given(seeds, st.integers(2, 12), st.integers(1, 4))
@few
def test_merging_is_local(seed: int, length: int, tokens: int) -> None:
    x = frames(seed, length, tokens)
    bank, sizes, left = compress(x, np.ones((length, tokens)))
    for token, at in enumerate(left):
        np.testing.assert_array_equal(bank[:at, token], x[:at, token])
        np.testing.assert_array_equal(bank[at + 1 :, token], x[at + 2 :, token])
        assert sizes[:, token].tolist() == [1] * at + [2] + [1] * (length - at - 2)


@given(seeds, lengths)
@few
def test_one_slot_is_the_running_mean(seed: int, length: int) -> None:
    x = frames(seed, length)
    np.testing.assert_allclose(fed(x, MALMM(1)).bank[0], x.mean(axis=0), atol=1e-5)


@given(seeds, lengths, slots)
@few
def test_identical_frames_never_change_the_bank(seed: int, length: int, size: int) -> None:
    same = np.repeat(frames(seed, 1), length, axis=0)
    np.testing.assert_array_equal(fed(same, MALMM(size)).bank, same[:size])


@given(seeds, st.integers(1, 9), st.integers(0, 8), st.integers(1, 9), st.integers(1, 9))
@few
def test_a_frame_shown_again_leaves_the_bank_as_it_was(
    seed: int, length: int, which: int, once: int, again: int
) -> None:
    x, at = frames(seed, length), which % length
    sizes = np.full((length, 3), float(once))
    twice = np.insert(x, at, x[at], axis=0), np.insert(sizes, at, float(again), axis=0)
    bank, merged, _ = compress(*twice)
    np.testing.assert_array_equal(bank, x)
    assert (merged[at] == once + again).all()


@given(
    *(seeds, st.integers(700, 3000), lengths),
    st.sampled_from(["float32", "float16"]),
)
@few
def test_bytes_stay_within_the_budget(seed: int, budget: int, length: int, held: Any) -> None:
    memory = MALMM.within(budget, (3, 5), held=held)
    early = fed(frames(seed, 1), memory).nbytes
    assert early == fed(frames(seed, length), memory, first=1).nbytes <= budget


@given(seeds, lengths, slots, st.integers(1, 4))
@few
def test_times_of_a_token_meet_and_cover_the_stream(
    seed: int, length: int, size: int, tokens: int
) -> None:
    spans = fed(frames(seed, length, tokens), MALMM(size)).state_dict()["spans"]
    assert (spans[0, :, 0] == 0).all()
    assert (spans[-1, :, 1] == (length - 1) * 0.5).all()
    np.testing.assert_array_equal(spans[:-1, :, 1], spans[1:, :, 0])

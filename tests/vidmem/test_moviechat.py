"""MovieChat: what its merges conserve and where they fall, and that the release is the release."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.released.moviechat import extend_positions, readout
from vidmem.memory.contract import Mode, Tokens
from vidmem.memory.moviechat import (
    MovieChat,
    MovieChatParams,
    consolidate,
    cosine_per_token,
    merge_pair,
    raw_inner_product,
)

REFERENCE = Path(__file__).resolve().parents[2] / "../shared/fixtures/reference"
MERGES = sorted(path.name for path in REFERENCE.glob("moviechat_merge_*.npz"))
few = settings(max_examples=30, deadline=None)
seeds, lengths = st.integers(0, 2**31), st.integers(1, 200)
sizes = st.builds(
    lambda target, more, long: MovieChatParams(
        short=2 * target + more, target=target, long=target + long
    ),
    *(st.integers(1, 3), st.integers(1, 6), st.integers(0, 12)),
)


def reference(name: str) -> dict[str, Any]:
    path = REFERENCE / name
    if not path.exists():
        pytest.skip(f"the reference vectors are not beside the project: {path.name}")
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def close(a: Any, b: Any) -> None:
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def stream(seed: int, frames: int, tokens: int = 2, dim: int = 5) -> Tokens:
    return np.random.default_rng(seed).normal(size=(frames, tokens, dim)).astype(np.float32)


def filled(frames: Tokens, memory: MovieChat, first: int = 0) -> MovieChat:
    for at, frame in enumerate(frames, first):
        memory.observe(frame, at * 0.5)
    return memory


@pytest.mark.parametrize("name", MERGES or ["moviechat_merge_basic.npz"])
def test_released_mode_merges_as_the_release_does(name: str) -> None:
    known = reference(name)
    fragments = known["fragments"]
    params = MovieChatParams(
        short=int(known["short_memory_length"]),
        target=int(known["short_memory_merge"]),
        window=fragments.shape[1],
        n_frame=int(known["n_frame"]),
    )
    memory = MovieChat(params, mode="released")
    sizes = []
    for at, frame in enumerate(fragments.reshape(-1, *fragments.shape[2:])):
        memory.observe(frame, float(at))
        if (at + 1) % fragments.shape[1] == 0:
            sizes.append(len(memory.elements()))
    close(np.stack([element.feature for element in memory.elements()]), known["long_memory"])
    assert sizes == known["long_size_after_fragment"].tolist()
    close(memory.temp_short, known["temp_short_memory_last"])


@pytest.mark.parametrize(("kind", "weighted"), [("pairmean", False), ("weighted", True)])
def test_fixed_merging_is_the_papers_cosine(kind: str, weighted: bool) -> None:
    known = reference("moviechat_oracle_paper_cosine.npz")
    merged, counts, order = consolidate(known["frames"], int(known["target"]), weighted=weighted)
    close(merged, known[f"merged_{kind}"])
    assert counts.tolist() == known[f"counts_{kind}"].tolist()
    assert order == known[f"merge_order_{kind}"].tolist()


def test_positions_are_stretched_as_the_release_does() -> None:
    known = reference("moviechat_posemb.npz")
    stretched = extend_positions(known["p"], alpha=float(known["alpha"]))
    close(stretched, known["frame_position_embeddings"])


@pytest.mark.parametrize("case", ["global", "breakpoint", "breakpoint_truncated"])
def test_the_readout_is_the_releases(case: str) -> None:
    known = reference(f"moviechat_readout_{case}.npz")
    current = known["cur_image"] if int(known["middle_video"]) else known["cur_image"][:0]
    tokens = readout(known["long_memory"], known["temp_short_memory"], current, known["p"])
    close(tokens, known["encoder_tokens"])


def test_similarities_by_hand() -> None:
    a = np.asarray([[[1, 0], [0, 2]]], np.float32)
    b = np.asarray([[[3, 0], [1, 0]]], np.float32)
    close(cosine_per_token(a, b), [0.5])
    close(raw_inner_product(a, b), [(3 + 1 + 0 + 0) / 4])
    close(cosine_per_token(a, 0 * b), [0.0])


def test_a_merge_is_the_mean_of_all_frames_in_it() -> None:
    a, b = np.full((1, 2), 1, np.float32), np.full((1, 2), 4, np.float32)
    close(merge_pair(a, b, 2, 1), np.full((1, 2), 2))


@few
@given(seeds, st.integers(4, 14), st.integers(0, 13), st.floats(0.01, 100))
def test_scaling_a_frame_changes_no_merge_before_its_own(
    seed: int, length: int, which: int, by: float
) -> None:
    frames, at = stream(seed, length), which % length
    louder = frames.copy()
    louder[at] *= by
    order, moved = consolidate(frames, 1)[2], consolidate(louder, 1)[2]
    for merges, left in enumerate(order, 1):
        assert moved[:merges] == order[:merges]
        if left in (at - 1, at):
            break
        at -= left < at


def test_the_release_lets_a_loud_frame_merge_first() -> None:
    frames = stream(0, 12)
    louder = frames.copy()
    louder[5] *= 40
    first = consolidate(louder, 3, mode="released")[2][0]
    assert first in (4, 5)
    assert first != consolidate(frames, 3, mode="released")[2][0]


@few
@given(seeds, st.lists(st.integers(1, 7), min_size=1, max_size=7))
def test_repeated_frames_merge_among_themselves(seed: int, times: list[int]) -> None:
    once = stream(seed, len(times))
    merged, counts, _ = consolidate(np.repeat(once, times, axis=0), len(times))
    assert counts.tolist() == times
    np.testing.assert_array_equal(merged, once)


@few
@given(seeds, lengths, sizes)
def test_counts_and_sums_are_conserved(seed: int, length: int, params: MovieChatParams) -> None:
    frames = stream(seed, length)
    held = filled(frames, MovieChat(params)).elements()
    assert sum(element.count for element in held) == length
    total = sum(element.count * element.feature.astype(np.float64) for element in held)
    np.testing.assert_allclose(total, frames.sum(axis=0, dtype=np.float64), atol=2e-3)


@few
@given(seeds, lengths, sizes)
def test_long_memory_never_exceeds_its_cap(seed: int, length: int, params: MovieChatParams) -> None:
    memory, most = MovieChat(params), 0
    for at, frame in enumerate(stream(seed, length)):
        memory.observe(frame, float(at))
        most = max(most, len(memory.state_dict()["long_counts"]))
        assert len(memory.elements()) < params.long + params.short
    assert most <= params.long


@few
@given(seeds, lengths, sizes)
def test_time_ranges_ascend_and_meet(seed: int, length: int, params: MovieChatParams) -> None:
    held = filled(stream(seed, length), MovieChat(params)).elements()
    spans = [element.span for element in held]
    assert (spans[0].start_s, spans[-1].end_s) == (0, (length - 1) * 0.5)
    assert all(a.end_s == b.start_s for a, b in pairwise(spans))


@few
@given(seeds, st.integers(0, 90), st.integers(0, 90), sizes, st.sampled_from(["fixed", "released"]))
def test_saved_and_loaded_midway_is_as_if_nothing_happened(
    seed: int, first: int, more: int, params: MovieChatParams, mode: Mode
) -> None:
    frames = stream(seed, first + more)
    whole, before, after = (MovieChat(params, mode=mode) for _ in range(3))
    after.load_state_dict(filled(frames[:first], before).state_dict())
    ours, theirs = (
        filled(frames[first:], after, first).state_dict(),
        filled(frames, whole).state_dict(),
    )
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        np.testing.assert_array_equal(ours[key], value)


@few
@given(seeds, lengths, sizes)
def test_one_constant_frame_stays_itself(seed: int, length: int, params: MovieChatParams) -> None:
    frame = stream(seed, 1)
    for element in filled(np.repeat(frame, length, axis=0), MovieChat(params)).elements():
        np.testing.assert_array_equal(element.feature, frame[0])


@few
@given(st.integers(2, 17), st.integers(0, 16))
def test_a_read_weighs_what_fits_the_query(length: int, which: int) -> None:
    memory = filled(np.eye(length, dtype=np.float32)[:, None, :], MovieChat())
    read = memory.read(np.eye(length)[which % length] * 9)
    assert int(np.argmax(read.weights)) == which % length


def test_half_precision_is_taken() -> None:
    memory = MovieChat()
    memory.observe(np.ones((1, 4), np.float16), 0.0)
    assert memory.elements()[0].feature.dtype == np.float32

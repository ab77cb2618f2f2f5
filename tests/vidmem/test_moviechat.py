from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from benchmarks.released.moviechat import extend_positions, readout
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


def reference(name):
    path = REFERENCE / name
    if not path.exists():
        pytest.skip(f"the reference vectors are not beside the project: {path.name}")
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def stream(frames=300, tokens=2, dim=5, seed=0):
    return np.random.default_rng(seed).normal(size=(frames, tokens, dim)).astype(np.float32)


def small():
    return MovieChatParams(short=10, target=2, long=12)


def filled(frames, params=None, memory=None, first=0):
    memory = memory or MovieChat(params or small())
    for at, frame in enumerate(frames, first):
        memory.observe(frame, at * 0.5)
    return memory


@pytest.mark.parametrize("name", MERGES or ["moviechat_merge_basic.npz"])
def test_released_mode_merges_as_the_release_does(name):
    given = reference(name)
    fragments = given["fragments"]
    params = MovieChatParams(
        short=int(given["short_memory_length"]),
        target=int(given["short_memory_merge"]),
        window=fragments.shape[1],
        n_frame=int(given["n_frame"]),
    )
    memory = MovieChat(params, mode="released")
    sizes = []
    for at, frame in enumerate(fragments.reshape(-1, *fragments.shape[2:])):
        memory.observe(frame, float(at))
        if (at + 1) % fragments.shape[1] == 0:
            sizes.append(len(memory.elements()))
    close(np.stack([element.feature for element in memory.elements()]), given["long_memory"])
    assert sizes == given["long_size_after_fragment"].tolist()
    close(memory.temp_short, given["temp_short_memory_last"])


@pytest.mark.parametrize(("kind", "weighted"), [("pairmean", False), ("weighted", True)])
def test_fixed_merging_is_the_papers_cosine(kind, weighted):
    given = reference("moviechat_oracle_paper_cosine.npz")
    merged, counts, order = consolidate(given["frames"], int(given["target"]), weighted=weighted)
    close(merged, given[f"merged_{kind}"])
    assert counts.tolist() == given[f"counts_{kind}"].tolist()
    assert order == given[f"merge_order_{kind}"].tolist()


def test_positions_are_stretched_as_the_release_does():
    given = reference("moviechat_posemb.npz")
    stretched = extend_positions(given["p"], alpha=float(given["alpha"]))
    close(stretched, given["frame_position_embeddings"])


@pytest.mark.parametrize("case", ["global", "breakpoint", "breakpoint_truncated"])
def test_the_readout_is_the_releases(case):
    given = reference(f"moviechat_readout_{case}.npz")
    current = given["cur_image"] if int(given["middle_video"]) else given["cur_image"][:0]
    tokens = readout(given["long_memory"], given["temp_short_memory"], current, given["p"])
    close(tokens, given["encoder_tokens"])


def test_similarities_by_hand():
    a = np.asarray([[[1, 0], [0, 2]]], np.float32)
    b = np.asarray([[[3, 0], [1, 0]]], np.float32)
    close(cosine_per_token(a, b), [0.5])
    close(raw_inner_product(a, b), [(3 + 1 + 0 + 0) / 4])
    close(cosine_per_token(a, 0 * b), [0.0])


def test_a_merge_is_the_mean_of_all_frames_in_it():
    a, b = np.full((1, 2), 1, np.float32), np.full((1, 2), 4, np.float32)
    close(merge_pair(a, b, 2, 1), np.full((1, 2), 2))


def test_the_merge_order_does_not_change_when_a_frame_is_scaled():
    frames = stream(12)
    louder = frames.copy()
    louder[5] *= 40
    assert consolidate(frames, 3)[2] == consolidate(louder, 3)[2]
    assert consolidate(frames, 3, mode="released")[2] != consolidate(louder, 3, mode="released")[2]


def test_repeated_frames_merge_among_themselves():
    frames = np.repeat(stream(4), 5, axis=0)
    merged, counts, _ = consolidate(frames, 4)
    assert counts.tolist() == [5, 5, 5, 5]
    close(merged, frames[::5])


def test_nothing_is_lost_and_nothing_counted_twice():
    frames = stream()
    held = filled(frames).elements()
    assert sum(element.count for element in held) == len(frames)
    total = sum(element.count * element.feature.astype(np.float64) for element in held)
    np.testing.assert_allclose(total, frames.sum(axis=0, dtype=np.float64), atol=1e-3)


def test_the_budget_holds_however_long_the_stream():
    memory = MovieChat(small())
    sizes = set()
    for at, frame in enumerate(np.tile(stream(50), (24, 1, 1))):
        memory.observe(frame, float(at))
        sizes.add(memory.nbytes)
        assert len(memory.elements()) <= 12 + 10
    assert len(sizes) == 1


def test_time_ranges_ascend_and_meet():
    spans = [element.span for element in filled(stream()).elements()]
    assert spans[0].start_s == 0
    assert all(a.end_s == b.start_s for a, b in pairwise(spans))
    assert spans[-1].end_s == 149.5


@pytest.mark.parametrize("mode", ["fixed", "released"])
@pytest.mark.parametrize("half", [0, 1, 7, 133])
def test_saved_and_loaded_midway_is_as_if_nothing_happened(half, mode):
    frames = stream(260)
    whole = filled(frames, memory=MovieChat(small(), mode=mode))
    first = filled(frames[:half], memory=MovieChat(small(), mode=mode))
    second = MovieChat(small(), mode=mode)
    second.load_state_dict(first.state_dict())
    filled(frames[half:], memory=second, first=half)
    for key, value in whole.state_dict().items():
        np.testing.assert_array_equal(second.state_dict()[key], value)


def test_one_constant_frame_stays_itself():
    frame = stream(1)[0]
    for element in filled(np.repeat(frame[None], 200, axis=0)).elements():
        np.testing.assert_array_equal(element.feature, frame)


def test_reading_changes_nothing_and_weighs_what_fits_the_query():
    memory = filled(np.eye(8, dtype=np.float32)[:, None, :])
    before = memory.state_dict()
    read = memory.read(np.eye(8)[3] * 9)
    assert int(np.argmax(read.weights)) == 3
    assert read.weights.sum() == pytest.approx(1)
    assert memory.read().weights.sum() == pytest.approx(1)
    for key, value in memory.state_dict().items():
        np.testing.assert_array_equal(before[key], value)


def test_a_breakpoint_read_knows_nothing_later():
    spans = filled(stream(200)).read(at_s=40.0).spans
    assert spans
    assert max(span.start_s for span in spans) <= 40.0


def test_an_empty_memory_reads_as_empty():
    memory = MovieChat()
    assert memory.elements() == []
    assert memory.read().tokens.shape[0] == 0
    assert memory.stats()["frames_seen"] == 0
    memory.load_state_dict(memory.state_dict())


@pytest.mark.parametrize(
    ("frame", "t_s"), [(np.full((2, 5), np.nan), 9), (np.ones((3, 5)), 9), (np.ones((2, 5)), 0.0)]
)
def test_a_bad_frame_is_refused_and_not_absorbed(frame, t_s):
    memory = filled(stream(3))
    with pytest.raises(ValueError, match=r"frame|finite|later"):
        memory.observe(frame, t_s)
    assert memory.stats()["frames_seen"] == 3


def test_half_precision_is_taken():
    memory = MovieChat()
    memory.observe(np.ones((1, 4), np.float16), 0.0)
    assert memory.elements()[0].feature.dtype == np.float32

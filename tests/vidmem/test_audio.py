from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest

from tests.media import sound_only, video
from vidmem.audio import Piece, _join, windows_here


def windows(path, *, start_s=0.0, segment=0, segment_s=4.0):
    return list(windows_here(str(path), start_s=start_s, segment=segment, segment_s=segment_s))


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    path = tmp_path_factory.mktemp("audio") / "talk.m4a"
    return sound_only(path, tones=[(0.5, 3.0), (3.6, 6.9), (7.4, 9.0)], length_s=10.0)


def test_windows_meet_and_end_where_it_is_quiet(talk):
    found = windows(talk)
    assert found[0].start_s == 0
    assert all(a.end_s == b.start_s for a, b in pairwise(found))
    assert [window.last for window in found] == [False, False, True]
    for window, (low, high) in zip(found, [(3.0, 3.6), (6.9, 7.4)], strict=False):
        assert low <= window.end_s <= high
    assert found[-1].end_s == pytest.approx(10.0, abs=0.2)


def test_samples_stand_where_they_sound(talk):
    for window in windows(talk):
        assert window.samples.dtype == np.float32
        assert len(window.samples) == pytest.approx((window.end_s - window.start_s) * 16000, abs=2)
    loud = np.flatnonzero(np.abs(windows(talk)[0].samples) > 0.1)
    assert loud[0] / 16000 == pytest.approx(0.5, abs=0.1)


def test_a_resumed_run_hears_the_same(talk):
    whole = windows(talk)
    again = windows(talk, start_s=whole[0].end_s, segment=1)
    for a, b in zip(whole[1:], again, strict=True):
        assert (a.start_s, a.end_s, a.last) == (b.start_s, b.end_s, b.last)
        np.testing.assert_array_equal(a.samples, b.samples)


def test_the_sound_of_a_video_is_heard(tmp_path):
    path = video(tmp_path / "v.mp4", shots=(30,), tones=[(1.0, 2.0)])
    (window,) = windows(path)
    loud = np.flatnonzero(np.abs(window.samples) > 0.1) / 16000
    assert loud[0] == pytest.approx(1.0, abs=0.1)
    assert loud[-1] == pytest.approx(2.0, abs=0.1)


def broadcast(path, layout, from_s):
    """Three seconds of a tone as they are sent, from a time on."""
    tone = np.sin(2 * np.pi * 440 * np.arange(96_000) / 32_000) * 16_000
    both = np.repeat(tone.astype(np.int16), 1 if layout == "mono" else 2)
    whole = av.AudioFrame.from_ndarray(both[None, :], format="s16", layout=layout)
    whole.sample_rate, whole.pts = 32_000, 0
    cut = av.AudioResampler("s16", layout, 32_000, frame_size=1152)
    offset = {"output_ts_offset": str(from_s)}
    with av.open(str(path), "w", format="mpegts", options=offset) as out:
        stream = out.add_stream("mp2", rate=32_000, layout=layout)
        for frame in [*cut.resample(whole), *cut.resample(None)]:
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path.read_bytes()


def test_sound_that_changes_its_form_midway_is_heard_on(tmp_path):
    path = tmp_path / "both.ts"
    sent = [("mono", 0), ("stereo", 3), ("mono", 6)]
    path.write_bytes(b"".join(broadcast(tmp_path / "one.ts", *one) for one in sent))
    (window,) = windows(path, segment_s=60.0)
    assert window.note == ""
    assert window.end_s == pytest.approx(9.0, abs=0.2)
    assert all(np.abs(window.samples[at * 16_000 :][:8000]).mean() > 0.2 for at in (1, 4, 7))


def test_damaged_sound_ends_with_a_note(talk, tmp_path):
    assert [window.note for window in windows(talk)] == ["", "", ""]
    whole = talk.read_bytes()
    at = whole.index(b"mdat") + 4
    size = int.from_bytes(whole[at - 8 : at - 4], "big") - 8
    broken = tmp_path / "broken.m4a"
    hole = bytearray(b"\xff" * (size // 2))
    broken.write_bytes(whole[: at + size // 4] + hole + whole[at + size // 4 + len(hole) :])
    found = windows(broken)
    assert found[-1].last
    assert "damaged after" in found[-1].note
    assert not any(window.note for window in found[:-1])


def test_a_hole_of_hours_is_heard_as_silence_window_by_window():
    rate, hour = 8000, 3600.0
    ones = np.ones(rate, np.float32)
    sound = _join([Piece(1.0, ones), Piece(9 * hour, ones)], 0.0, 4.0, rate)
    assert sound.size == 4 * rate
    np.testing.assert_array_equal(np.flatnonzero(sound), np.arange(rate, 2 * rate))


def test_sound_after_a_long_hole_is_heard_at_its_time(tmp_path):
    path = tmp_path / "hole.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=8000, layout="mono")
        for at_s in (0, 1, 21, 22):
            frame = av.AudioFrame.from_ndarray(np.full((1, 8000), 9000, np.int16), "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 8000, at_s * 8000, Fraction(1, 8000)
            out.mux(stream.encode(frame))
    found = windows(path)
    assert all(a.end_s == b.start_s for a, b in pairwise(found))
    assert [window.last for window in found] == [False] * 5 + [True]
    assert max(window.samples.size for window in found) <= 8 * 16000
    heard = np.concatenate([window.samples for window in found])
    loud = np.flatnonzero(np.abs(heard) > 0.1) / 16000
    assert loud[-1] == pytest.approx(23.0, abs=0.1)
    assert not np.any((loud > 2.1) & (loud < 20.9))

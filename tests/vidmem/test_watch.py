import io
import json
import os
import signal
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from models.errors import DecodeFailed, IngestCancelled
from models.values import Label, Utterance
from tests.fakes import FakeImageEncoder, FakeTextReader, FakeTranscriber
from tests.media import number_in, sound_only, video
from vidmem.child import Limits
from vidmem.sample import SampleParams
from vidmem.video import probe
from vidmem.watch import Senses, WatchParams, watch

EDGE = Path(__file__).resolve().parents[2] / "../shared/data/video/edge"
SHORT = WatchParams(segment_s=4.0, batch=3)


class NumberEncoder(FakeImageEncoder):
    """Sees the number painted into each frame; its features are one number long."""

    dim = 1

    def encode(self, pictures):
        return np.asarray([[number_in(picture)] for picture in pictures], np.float32)

    def labels(self, feature, top=5):
        return [Label(f"about {feature[0]:.0f}", 1.0)]


class SlowEncoder(NumberEncoder):
    """Takes its time, so that a decoder has to wait for it."""

    def encode(self, pictures):
        time.sleep(0.2)
        return super().encode(pictures)


def senses(image=None):
    return Senses(image or NumberEncoder(), FakeTextReader(), FakeTranscriber())


def watched(path, params=SHORT, **more):
    return list(watch(probe(path), senses(), params=params, **more))


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return video(
        tmp_path_factory.mktemp("watch") / "film.mp4",
        shots=(25, 30, 35, 30),
        pan=1,
        tones=[(0.5, 1.5), (3.0, 4.9), (6.1, 7.0), (9.5, 10.5)],
    )


def test_events_begin_at_the_very_frame_of_a_cut(film):
    events = [event for segment in watched(film) for event in segment.events]
    spans = [(event.span.start_s, event.span.end_s) for event in events]
    assert spans[:3] == [(0.0, 2.5), (2.5, 5.5), (5.5, 9.0)]
    assert spans[3] == (9.0, pytest.approx(12.0, abs=0.11))
    assert [event.index for event in events] == [0, 1, 2, 3]


def test_a_frame_is_perceived_at_its_own_time(film):
    for segment in watched(film):
        for seen in segment.observations:
            assert segment.span.start_s <= seen.pts_s < segment.span.end_s
            assert seen.feature[0] == seen.index == pytest.approx(seen.pts_s * 10)


def test_segments_meet_and_the_last_says_so(film):
    segments = watched(film)
    assert [segment.index for segment in segments] == [0, 1, 2]
    assert [segment.last for segment in segments] == [False, False, True]
    assert all(a.span.end_s == b.span.start_s for a, b in pairwise(segments))


def test_what_is_said_lies_in_the_event_it_overlaps_most(film):
    events = [event for segment in watched(film) for event in segment.events]
    said = [[u.start_s for u in event.said] for event in events]
    assert said == [[pytest.approx(start_s, abs=0.11)] for start_s in (0.5, 3.0, 6.1, 9.5)]


def test_each_event_has_a_small_picture_of_its_own(film):
    events = [event for segment in watched(film) for event in segment.events]
    for event in events:
        with Image.open(io.BytesIO(event.thumbnail)) as image:
            assert image.width <= 320
            number = number_in(np.asarray(image.convert("RGB")))
        assert number == round(event.key_s * 10)
        assert event.span.start_s <= event.key_s < event.span.end_s


def test_watching_twice_gives_the_same(film):
    first, second = watched(film), watched(film)
    assert [as_plain(segment) for segment in first] == [as_plain(segment) for segment in second]


@pytest.mark.parametrize("after", [0, 1])
def test_a_resumed_run_gives_the_same_segments(film, after):
    whole = watched(film)
    again = watched(film, resume=whole[after].state)
    assert [as_plain(s) for s in again] == [as_plain(s) for s in whole[after + 1 :]]


@pytest.mark.parametrize("after", [0, 1])
def test_a_resumed_run_does_not_say_earlier_subtitles_again(film, monkeypatch, after):
    lines = [Utterance(at_s, at_s + 1, f"line {at_s}") for at_s in (0.5, 3.0, 5.0)]
    monkeypatch.setattr("vidmem.watch.subtitles", lambda _: (lines, "The subtitles are damaged."))
    info = replace(probe(film), subtitle_tracks=1)
    whole = list(watch(info, senses(), params=SHORT))
    again = list(watch(info, senses(), params=SHORT, resume=whole[after].state))
    assert [u for segment in whole for u in segment.utterances] == lines
    assert "The subtitles are damaged." in whole[0].notes
    assert [as_plain(s) for s in again] == [as_plain(s) for s in whole[after + 1 :]]


def test_ears_that_fail_in_an_unforeseen_way_end_the_run(film):
    class Broken(FakeTranscriber):
        def transcribe(self, sound, *, offset_s=0.0):
            raise KeyError("no such token")

    with pytest.raises(KeyError, match="no such token"):
        list(watch(probe(film), Senses(NumberEncoder(), None, Broken()), params=SHORT))


def test_a_finished_run_has_nothing_to_resume(film):
    assert watched(film, resume=watched(film)[-1].state) == []


def test_progress_is_told_and_a_stop_is_heeded(film):
    told = []
    watched(film, on_progress=told.append)
    assert {progress.stage for progress in told} <= {"Watching", "Listening"}
    assert told[-1].total == pytest.approx(12.0, abs=0.2)
    with pytest.raises(IngestCancelled):
        watched(film, should_stop=lambda: True)


def test_no_child_is_left_behind(film):
    segments = watch(probe(film), senses(), params=SHORT)
    next(segments)
    assert children()
    segments.close()
    assert not children()


def test_a_decoder_that_dies_midway_leaves_what_was_seen(tmp_path):
    path = video(tmp_path / "long.mp4", shots=(40, 40, 40, 40), pan=1)
    params = WatchParams(segment_s=4.0, batch=1, limits=Limits(ahead=1))
    segments = watch(probe_as_pyav(path), senses(), params=params)
    first = next(segments)
    (child,) = children()
    os.kill(child.pid, signal.SIGKILL)
    rest = list(segments)
    assert not first.last
    assert rest[-1].last
    assert any("crashed" in note for segment in rest for note in segment.notes)
    assert rest[-1].events[-1].span.end_s < 16


def test_a_decoder_that_dies_at_once_is_an_error(tmp_path):
    path = video(tmp_path / "v.mp4", shots=(10,))
    params = WatchParams(limits=Limits(address_space_bytes=2**26))
    with pytest.raises(DecodeFailed):
        list(watch(probe(path), senses(), params=params))


def test_a_decoder_that_outgrows_its_limit_is_ended(tmp_path):
    path = video(tmp_path / "long.mp4", shots=(60, 60, 60, 60), pan=1)
    params = WatchParams(batch=1, limits=Limits(resident_bytes=2**20, ahead=1))
    segments = watch(probe_as_pyav(path), Senses(SlowEncoder(), None, None), params=params)
    notes: list[str] = []
    try:
        notes += [note for segment in segments for note in segment.notes]
    except DecodeFailed as failed:  # it was ended before its first frame
        notes.append(str(failed))
    assert any("needed more than 1 MB" in note for note in notes)


def test_a_recording_gives_events_from_speech(tmp_path):
    tones = [(0.5, 1.5), (2.0, 3.0), (7.0, 8.0)]
    path = sound_only(tmp_path / "talk.m4a", tones=tones, length_s=10.0)
    segments = watched(path)
    events = [event for segment in segments for event in segment.events]
    assert [len(event.said) for event in events] == [2, 1]
    assert all(event.thumbnail is None for event in events)
    assert segments[-1].span.end_s == pytest.approx(10.0, abs=4.0)


def test_a_silent_video_is_watched(tmp_path):
    (segment,) = watched(video(tmp_path / "silent.mp4", shots=(12,), pan=2))
    assert segment.last
    assert segment.utterances == ()
    assert len(segment.events) == 1


def test_more_frames_a_second_are_seen_if_asked(film):
    params = WatchParams(sample=SampleParams(every_s=0.5))
    (segment,) = watched(film, params)
    assert len(segment.observations) >= 20


@pytest.mark.skipif(not EDGE.exists(), reason="the odd files are not beside the project")
class TestOddFiles:
    def watched(self, name):
        info = probe(EDGE / name)
        segments = list(watch(info, senses(FakeImageEncoder())))
        assert segments[-1].last
        return info, segments[-1]

    @pytest.mark.parametrize(
        "name", ["av1_testcard.mkv", "h265_ten_frames.mp4", "no_duration.webm", "one_frame.mp4"]
    )
    def test_readable_ones_are_watched_whole(self, name):
        _, segment = self.watched(name)
        assert segment.observations
        assert segment.notes == ()

    @pytest.mark.parametrize(
        ("name", "size"),
        [("coffee_rotation_tag.mp4", (480, 270)), ("keyboard_rot90_4frames.mov", (320, 568))],
    )
    def test_a_rotation_tag_is_obeyed(self, name, size):
        info, segment = self.watched(name)
        assert (info.width, info.height) == size
        with Image.open(io.BytesIO(segment.events[0].thumbnail)) as image:
            assert (image.width > image.height) == (size[0] > size[1])

    def test_a_late_first_frame_is_late(self):
        _, segment = self.watched("delayed_start.mp4")
        assert segment.observations[0].pts_s == pytest.approx(1.075, abs=1e-3)
        assert segment.events[-1].span.end_s == pytest.approx(2.035, abs=0.05)

    @pytest.mark.parametrize(
        ("name", "end_s"),
        [
            ("corrupt_after_2s.mp4", 2.8),
            ("truncated_moov_first.mp4", 3.7),
            ("truncated_half.webm", 14.46),
        ],
    )
    def test_damaged_ones_are_watched_as_far_as_they_go(self, name, end_s):
        _, segment = self.watched(name)
        assert segment.events[-1].span.end_s == pytest.approx(end_s, abs=0.2)
        assert any("damaged" in note or "pictures end" in note for note in segment.notes)

    def test_embedded_subtitles_are_what_is_said(self):
        _, segment = self.watched("friday_with_subtitle_track.mkv")
        texts = [utterance.text for utterance in segment.utterances]
        assert texts[0] == "Hildy!"
        assert len(texts) == 5
        assert segment.events[0].said[0].text == "Hildy!"

    def test_sound_alone_is_heard(self):
        info, segment = self.watched("audio_only.mp4")
        assert info.kind == "audio"
        assert segment.observations == ()
        assert segment.span.end_s == pytest.approx(9.0, abs=0.6)


def as_plain(segment):
    return (
        segment.index, segment.span, segment.utterances, segment.events, segment.notes,
        segment.last, json.loads(segment.state),
        [(o.index, o.pts_s, o.feature.tolist(), o.lines, o.is_cut) for o in segment.observations],
    )  # fmt: skip


def probe_as_pyav(path):
    return replace(probe(path), backend="pyav")


def children():
    return [c for c in psutil.Process().children() if "vidmem.reader" in c.cmdline()]

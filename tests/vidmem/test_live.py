"""Live sources: streams over HTTP and growing files, at their own pace, with bounded delay."""

import time
from contextlib import closing

import pytest

from models.errors import InputError, UnreadableMedia, UnsupportedMedia
from tests.fakes import FakeTranscriber
from tests.media import video
from tests.serving import camera, growing, streamed
from tests.vidmem.test_watch import NumberEncoder, SlowEncoder, senses
from vidmem.child import Limits
from vidmem.ears import Ears
from vidmem.live import Live
from vidmem.sample import SampleParams
from vidmem.source import understand
from vidmem.watch import WatchParams, watch

PARAMS = WatchParams(segment_s=2.0, batch=2)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return video(
        tmp_path_factory.mktemp("live") / "film.ts",
        shots=(25, 30, 35),
        pan=1,
        tones=[(0.5, 1.5), (3.0, 4.9), (6.1, 7.0)],
    )


def segments(address, *, encoder=None, params=PARAMS, **more):
    more = {"segment_s": params.segment_s, "sample": params.sample, "patience_s": 2.0} | more
    with closing(Live(address, **more)) as live:
        return list(watch(live.info, senses(encoder), params=params, live=live))


def seen(found):
    return [(one.index, one.pts_s) for segment in found for one in segment.observations]


def test_a_stream_over_http_is_watched_as_it_comes(film):
    with streamed(film.read_bytes(), length_s=9.0) as (port, _):
        began = time.monotonic()
        found = segments(f"http://127.0.0.1:{port}/film.ts")
        took_s = time.monotonic() - began
    assert 8.0 <= took_s < 20.0
    cuts = [one.pts_s for s in found for one in s.observations if one.is_cut]
    assert cuts == [0.0, pytest.approx(2.5, abs=0.01), pytest.approx(5.5, abs=0.01)]
    assert [segment.last for segment in found] == [False] * (len(found) - 1) + [True]
    assert found[-1].span.end_s == pytest.approx(9.0, abs=0.2)
    assert not any(segment.notes for segment in found)


def test_what_is_said_in_a_stream_stands_at_its_time(film):
    with streamed(film.read_bytes(), length_s=3.0) as (port, _):
        found = segments(f"http://127.0.0.1:{port}/")
    said = [one.start_s for segment in found for one in segment.utterances]
    assert said == [pytest.approx(at_s, abs=0.15) for at_s in (0.5, 3.0, 6.1)]
    events = [event for segment in found for event in segment.events]
    assert [len(event.said) for event in events] == [1, 1, 1]


def test_a_growing_file_is_read_to_its_end(film, tmp_path):
    with growing(tmp_path / "film.ts", film.read_bytes(), length_s=4.0) as path:
        found = segments(str(path))
    assert [at_s for _, at_s in seen(found)][-1] > 8.0
    assert found[-1].span.end_s == pytest.approx(9.0, abs=0.2)


def test_an_hour_behind_a_growing_file_is_not_dropped(film):
    found = segments(str(film), encoder=SlowEncoder(), patience_s=0.1)
    assert not any("dropped" in note for segment in found for note in segment.notes)
    assert len(seen(found)) == len(seen(segments(str(film), patience_s=0.1)))


def test_frames_are_dropped_and_counted_where_perceiving_is_slower(tmp_path):
    film = video(tmp_path / "lively.ts", shots=(4,) * 40, pan=3)

    class Slowest(NumberEncoder):
        def encode(self, pictures):
            time.sleep(0.6 * len(pictures))
            return super().encode(pictures)

    with streamed(film.read_bytes(), length_s=16.0) as (port, _):
        began = time.monotonic()
        found = segments(f"http://127.0.0.1:{port}/", encoder=Slowest())
        took_s = time.monotonic() - began
    notes = " ".join(note for segment in found for note in segment.notes)
    assert "frames were dropped" in notes
    perceived, dropped = len(seen(found)), int(notes.split(" of ")[0].split()[-1])
    assert perceived + dropped == int(notes.split(" of ")[1].split()[0])
    assert took_s < 16.0 + 0.6 * 24  # what may wait, and no more


def test_whoever_stops_keeps_what_was_seen(film):
    with streamed(film.read_bytes(), length_s=20.0) as (port, _):
        began = time.monotonic()
        found = segments(
            f"http://127.0.0.1:{port}/", should_end=lambda: time.monotonic() - began > 10
        )
        assert time.monotonic() - began < 25
    assert found[-1].last
    assert len(seen(found)) >= 1


def test_it_ends_after_the_time_that_was_given(film):
    found = segments(str(film), for_s=4.0, patience_s=0.1)
    assert found[-1].span.end_s == pytest.approx(4.0, abs=0.3)


def test_a_stream_that_breaks_off_says_so(film):
    data = film.read_bytes()
    with streamed(data, length_s=0.5, breaks_after=len(data) // 2) as (port, asked):
        found = segments(f"http://127.0.0.1:{port}/")
    assert len(asked) == 1
    assert "broke off" in found[-1].notes[0]
    assert len(seen(found)) >= 3


def test_a_camera_over_rtsp_is_watched(film):
    with camera(film.read_bytes(), length_s=9.0) as (port, _):
        found = segments(f"rtsp://127.0.0.1:{port}/one", for_s=7.0)
    cuts = [one.pts_s for s in found for one in s.observations if one.is_cut]
    assert cuts[1:] == [pytest.approx(cuts[1], abs=0.01), pytest.approx(cuts[1] + 3.0, abs=0.1)]
    assert found[-1].last


def test_a_camera_whose_line_drops_is_taken_up_again(film):
    data = film.read_bytes()
    with camera(data, length_s=6.0, breaks_after=len(data) // 2 // 188 * 188) as (port, sessions):
        found = segments(f"rtsp://127.0.0.1:{port}/one", for_s=9.0)
    assert len(sessions) >= 2
    times = [at_s for _, at_s in seen(found)]
    assert times == sorted(times)
    assert len(times) >= 6


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("http://user:secret@camera.local/video?key=secret", "http://camera.local/video"),
        ("rtsp://user:secret@[::1]:554/a/b", "rtsp://[::1]:554/a/b"),
        ("rtsp://cam/user=admin_password=secret_channel=1_stream=0.sdp", "rtsp://cam/…"),
        ("rtsp://cam/Password%3dsecret/1.sdp", "rtsp://cam/…"),
        ("rtsp://cam/live/TOKEN/secret", "rtsp://cam/…"),
        ("http://user:sec/secret@cam/x", "http://cam/x"),
        ("http://user:se@cret/secret@cam:8080/x", "http://cam:8080/x"),
        ("http://user:sec?secret@cam/x", "http://…"),
        ("http://user:sec#secret@cam/x", "http://…"),
        ("http://cam/x?password=se@secret", "http://…"),
        ("http://cam:8080/x?key=secret#secret", "http://cam:8080/x"),
        ("http://user:secret", "http://user"),
        ("http://user:1secret", "http://user"),
        ("http://cam", "http://cam"),
        ("webcam", "webcam"),
        ("webcam:2", "webcam:2"),
        ("screen", "screen"),
    ],
)
def test_the_name_of_a_source_keeps_no_secret(address, name):
    source = understand(address)
    assert source.name == name
    assert "secret" not in repr(source)


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "concat://a|b", "subfile://x", "nowhere.mkv", "", "webcam:x"]
)
def test_nothing_else_is_opened(address):
    with pytest.raises(InputError):
        understand(address)


def test_a_source_that_is_not_there_says_so_without_its_password():
    with pytest.raises(UnreadableMedia, match="cannot be watched") as caught:
        Live("http://me:secret@127.0.0.1:9/x", segment_s=2.0, sample=SampleParams())
    assert "secret" not in str(caught.value)


def test_a_playlist_cannot_name_files_of_this_machine(film):
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{film}\n#EXT-X-ENDLIST\n"
    with streamed(playlist.encode(), length_s=0) as (port, _), pytest.raises(InputError):
        segments(f"http://127.0.0.1:{port}/a.m3u8")


def test_an_unfinished_mp4_is_refused_with_what_would_do(tmp_path, film):
    whole = video(tmp_path / "whole.mp4", shots=(20, 20))
    part = tmp_path / "part.mp4"
    part.write_bytes(whole.read_bytes()[:-2000])
    with pytest.raises(UnsupportedMedia, match="fragmented MP4"):
        Live(str(part), segment_s=2.0, sample=SampleParams(), patience_s=0.1)


def test_a_stop_before_the_first_picture_ends_the_watch(film):
    def stop(_):
        raise KeyboardInterrupt

    with streamed(film.read_bytes(), length_s=9.0) as (port, _):
        address, more = f"http://127.0.0.1:{port}/", {"segment_s": 2.0, "sample": PARAMS.sample}
        with closing(Live(address, **more)) as live, pytest.raises(KeyboardInterrupt):
            next(watch(live.info, senses(), params=PARAMS, live=live, on_progress=stop))


def test_sound_that_no_one_hears_does_not_pile_up(film):
    with streamed(film.read_bytes(), length_s=1.0) as (port, _):
        address, more = f"http://127.0.0.1:{port}/", {"segment_s": 2.0, "sample": PARAMS.sample}
        with closing(Live(address, is_heard=False, **more)) as live:
            answers = list(live.pictures({}, Limits()))
            assert answers[-1][0]["kind"] == "end"
            assert live._sound.qsize() == 1  # that there is no more


def test_sound_that_breaks_off_is_over_and_noted():
    ears = Ears(
        "x", FakeTranscriber(), 2.0, Limits(), first=0, state=None, ask=lambda *_: (a for a in ())
    )
    assert ears.ready(5.0)
    assert ears.take() == ()
    assert ears.over
    assert "The sound broke off" in ears.take_notes()[0]

import io

import av
import numpy as np
import pytest
from PIL import Image

from models.errors import DecodeFailed, EmptyMedia, UnreadableMedia, UnsupportedMedia
from tests.media import number_in, picture, sound_only, video
from vidmem.subtitles import subtitles
from vidmem.video import decode_here, frame_at, probe


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return video(tmp_path_factory.mktemp("plain") / "plain.mp4", tones=[(1.0, 2.0)])


def test_a_probe_tells_what_the_file_holds(plain):
    info = probe(plain)
    assert (info.kind, info.width, info.height, info.codec) == ("video", 192, 112, "h264")
    assert info.duration_s == pytest.approx(4.0, abs=0.15)
    assert info.fps == pytest.approx(10.0, abs=0.1)
    assert (info.variable_rate, info.has_audio, info.subtitle_tracks) == (False, True, 0)


def test_uneven_times_are_seen_as_a_variable_rate(tmp_path):
    times = [round(n * 0.1 + (0.05 if n % 3 else 0.0), 3) for n in range(20)]
    assert probe(video(tmp_path / "v.mkv", shots=(20,), times_s=times)).variable_rate


@pytest.mark.parametrize("backend", ["pyav", "decord"])
@pytest.mark.parametrize("name", ["even.mp4", "uneven.mkv"])
def test_every_frame_comes_with_its_true_time(tmp_path, name, backend):
    times = [round(n * 0.1 + (0.03 if n % 3 else 0.0), 3) for n in range(30)]
    even = name == "even.mp4"
    path = video(tmp_path / name, shots=(15, 15), times_s=None if even else times)
    found = [(number_in(f.picture()), f.pts_s) for f in decode_here(str(path), backend=backend)]
    assert [number for number, _ in found] == list(range(30))
    wanted = [n / 10 for n in range(30)] if even else times
    np.testing.assert_allclose([pts_s for _, pts_s in found], wanted, atol=2e-3)


@pytest.mark.parametrize("backend", ["pyav", "decord"])
def test_a_late_first_frame_is_late(tmp_path, backend):
    path = video(tmp_path / "late.mp4", shots=(5,), times_s=[1.2, 1.3, 1.4, 1.5, 1.6])
    frames = list(decode_here(str(path), backend=backend))
    assert frames[0].pts_s == pytest.approx(1.2, abs=2e-3)


def test_decoding_begins_at_any_time(plain):
    frames = list(decode_here(str(plain), start_s=1.75))
    assert [number_in(frame.picture()) for frame in frames] == list(range(18, 40))


def test_a_frame_at_a_time_is_the_one_on_screen(plain):
    for t_s, number in ((0.0, 0), (1.0, 10), (2.34, 23), (99.0, 39)):
        with Image.open(io.BytesIO(frame_at(plain, t_s, width_px=192))) as image:
            assert number_in(np.asarray(image.convert("RGB"))) == number


def test_a_thumbnail_is_a_jpeg_of_the_width_asked_for(plain):
    with Image.open(io.BytesIO(frame_at(plain, 0.5, width_px=100))) as image:
        assert (image.format, image.width) == ("JPEG", 100)


def test_sound_alone_is_audio(tmp_path):
    info = probe(sound_only(tmp_path / "s.m4a", tones=[(0.0, 1.0)], length_s=2.0))
    assert (info.kind, info.width, info.fps, info.has_audio) == ("audio", 0, None, True)


def test_a_file_without_subtitles_has_none(plain):
    assert subtitles(plain) == ([], "")


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("zero.mp4", b"", EmptyMedia),
        ("words.mp4", b"These are only words, whatever the name says.", UnsupportedMedia),
        ("cut.mp4", b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41", UnreadableMedia),
    ],
)
def test_what_is_no_video_is_refused_in_one_sentence(tmp_path, name, content, error):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(error, match=name):
        probe(path)


def test_a_still_picture_is_no_video(tmp_path):
    Image.fromarray(picture(1)).save(tmp_path / "photo.jpg")
    with pytest.raises(UnsupportedMedia):
        probe(tmp_path / "photo.jpg")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UnreadableMedia, match=r"gone\.mp4"):
        probe(tmp_path / "gone.mp4")


def test_damage_costs_only_what_is_broken(tmp_path):
    path = video(tmp_path / "whole.mp4", shots=(60, 60))
    with av.open(str(path)) as whole:
        broken = [packet for packet in whole.demux(video=0) if packet.size][25:28]
    data = bytearray(path.read_bytes())
    for packet in broken:
        data[packet.pos : packet.pos + packet.size] = b"\xff" * packet.size
    path.write_bytes(data)
    seen = []
    with pytest.raises(DecodeFailed, match=r"damaged before \d"):
        seen.extend(round(frame.pts_s * 10) for frame in decode_here(str(path)))
    assert seen[:10] == list(range(10))
    assert seen[-1] == 119
    assert 60 < len(seen) < 120

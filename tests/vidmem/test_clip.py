"""A clip begins with the frame on screen at its first second, is as long as asked, and is heard."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest

from memqa import examples
from models.errors import InputError, UnreadableMedia, UnsupportedMedia
from tests.media import SIZE, SOUND_RATE_HZ, number_in, sound_only, video
from vidmem.clip import LONGEST_S, SIDE_PX, clip
from vidmem.video import probe


def frames_of(blob: bytes) -> list[tuple[float, np.ndarray]]:
    with av.open(io.BytesIO(blob)) as container:
        return [
            (frame.time or 0.0, frame.to_ndarray(format="rgb24"))
            for frame in container.decode(video=0)
        ]


def sound_of(blob: bytes) -> np.ndarray:
    with av.open(io.BytesIO(blob)) as container:
        parts = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    return np.concatenate(parts)


def length_s(blob: bytes) -> float:
    with av.open(io.BytesIO(blob)) as container:
        assert container.duration is not None
        return container.duration / 1e6


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10 s at 10 frames a second; a tone sounds from second 4 to second 6."""
    place = tmp_path_factory.mktemp("film") / "film.mp4"
    return video(place, shots=(50, 50), tones=[(4.0, 6.0)])


@pytest.mark.parametrize(("start_s", "first"), [(0.0, 0), (3.0, 30), (3.04, 30), (7.39, 73)])
def test_it_begins_with_the_frame_on_screen_at_its_first_second(
    film: Path, start_s: float, first: int
) -> None:
    shown = frames_of(clip(film, start_s, start_s + 1.5))
    assert shown[0][0] == 0.0
    assert number_in(shown[0][1]) == first
    for at_s, picture in shown:
        assert number_in(picture) == int((start_s + at_s) * 10 + 1e-6)


def test_it_is_as_long_as_the_span_and_keeps_the_sound_in_step(film: Path) -> None:
    cut = clip(film, 3.0, 7.0)
    assert length_s(cut) == pytest.approx(4.0, abs=0.1)
    loud = np.flatnonzero(np.abs(sound_of(cut)) > 0.1) / 44_100
    assert loud[0] == pytest.approx(1.0, abs=0.1)
    assert loud[-1] == pytest.approx(3.0, abs=0.1)


def test_the_last_frame_stands_to_the_end_however_rare_frames_are(tmp_path: Path) -> None:
    slides = video(
        tmp_path / "slides.mp4", shots=(4,), times_s=[0.0, 5.0, 10.0, 15.0], codec="libx264"
    )
    cut = clip(slides, 6.0, 9.0)
    assert [number_in(picture) for _, picture in frames_of(cut)] == [1]
    assert length_s(cut) == pytest.approx(3.0, abs=0.1)


def test_length_size_and_side_are_bounded(tmp_path: Path) -> None:
    noisy = tmp_path / "noise.mp4"
    random = np.random.default_rng(7)
    with av.open(str(noisy), "w") as out:
        stream = out.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 960, 540, "yuv420p"
        stream.bit_rate = 20_000_000
        for _ in range(45):
            picture = random.integers(0, 256, (540, 960, 3), dtype=np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode())
    cut = clip(noisy, 0.0, 1.5)
    assert max(frames_of(cut)[0][1].shape) == SIDE_PX
    assert len(cut) * LONGEST_S / 1.5 < 4_500_000
    long = video(tmp_path / "long.mp4", shots=(70,), fps=2)
    assert length_s(clip(long, 1.0, 35.0)) == pytest.approx(LONGEST_S, abs=0.6)


def test_a_recording_gives_sound_alone(tmp_path: Path) -> None:
    recording = sound_only(tmp_path / "voice.m4a", tones=[(1.0, 2.0)], length_s=4.0)
    cut = clip(recording, 1.0, 3.0)
    assert probe_kind(cut, tmp_path) == "audio"
    sound = sound_of(cut)
    assert np.abs(sound[: SOUND_RATE_HZ // 2]).max() > 0.2
    assert length_s(cut) == pytest.approx(2.0, abs=0.1)


def probe_kind(blob: bytes, folder: Path) -> str:
    place = folder / "cut.mp4"
    place.write_bytes(blob)
    return probe(place).kind


def test_a_turned_phone_film_comes_upright(tmp_path: Path) -> None:
    film = video(tmp_path / "film.mp4", shots=(10,))
    turned = tmp_path / "turned.mp4"
    with av.open(str(film)) as source, av.open(str(turned), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(90)
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    height, width, _ = frames_of(clip(turned, 0.0, 0.5))[0][1].shape
    assert (width, height) == SIZE[::-1]


def test_behind_the_end_there_is_nothing_to_cut(film: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="over before"):
        clip(film, 60.0, 61.0)
    with pytest.raises(InputError, match="longer span"):
        clip(film, 2.0, 2.0)
    with pytest.raises(UnreadableMedia):
        clip(tmp_path / "gone.mp4", 0.0, 1.0)
    text = tmp_path / "text.mp4"
    text.write_text("no film\n" * 30, encoding="utf-8")
    with pytest.raises(UnsupportedMedia):
        clip(text, 0.0, 1.0)


def test_a_film_cut_off_in_the_middle_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = video(tmp_path / "film.mkv", shots=(100,))
    blob = whole.read_bytes()
    whole.write_bytes(blob[: len(blob) // 2])
    shown = frames_of(clip(whole, 1.0, 9.0))
    assert number_in(shown[0][1]) == 10


def test_the_sample_is_cut_with_its_speech() -> None:
    cut = clip(examples.VIDEO, 15.0, 20.0)
    assert length_s(cut) == pytest.approx(5.0, abs=0.15)
    assert np.abs(sound_of(cut)).max() > 0.05
    assert len(cut) < 600_000

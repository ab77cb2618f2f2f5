"""What no video may do to its decoder: reach for other files, or claim to be larger than any."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from models.errors import DecodeFailed, UnsupportedMedia
from tests.media import sound_only, video
from vidmem import limits
from vidmem.audio import windows_here
from vidmem.child import Limits
from vidmem.subtitles import subtitles, subtitles_here
from vidmem.video import probe, probe_here


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nsecret.ts\n#EXT-X-ENDLIST\n"),
        ("list.mp4", "ffconcat version 1.0\nfile secret.ts\n"),
        ("list.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n"),
        (
            "list.mpd",
            '<?xml version="1.0"?><MPD><Period><BaseURL>secret.ts</BaseURL></Period></MPD>',
        ),
    ],
)
def test_a_file_that_names_others_opens_none_of_them(tmp_path: Path, name: str, text: str) -> None:
    video(tmp_path / "secret.ts", shots=(5,))
    (tmp_path / name).write_bytes(text.encode() + bytes(40))
    with pytest.raises(UnsupportedMedia, match="is not a video or a recording"):
        probe(tmp_path / name)


def test_a_picture_larger_than_any_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = video(tmp_path / "a.mp4", shots=(3,))
    monkeypatch.setattr(limits, "MAX_SIDE_PX", 100)
    with pytest.raises(UnsupportedMedia, match="has 192 × 112 pixels; memqa takes up to 100"):
        probe_here(str(path))


def test_sizes_rates_and_channels_have_bounds() -> None:
    assert limits.why_picture_refused(7680, 4320) == ""
    assert "16,384 on a side" in limits.why_picture_refused(20_000, 2)
    assert "67 million" in limits.why_picture_refused(16_000, 16_000)
    assert limits.why_sound_refused(48_000, 8) == ""
    assert "samples a second" in limits.why_sound_refused(4_000_000_000, 2)
    assert "channels" in limits.why_sound_refused(48_000, 65)
    assert "channels" in limits.why_sound_refused(48_000, 0)


def test_sound_of_an_impossible_rate_is_left_out_with_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = video(tmp_path / "a.mp4", shots=(10,), tones=[(0, 1)])
    assert probe_here(str(path)).has_audio
    monkeypatch.setattr(limits, "SOUND_RATES_HZ", (20_000, 50_000))
    info = probe_here(str(path))
    assert not info.has_audio
    assert info.notes == (
        "Its sound is left out: it has 16,000 samples a second; memqa takes 20,000 to 50,000.",
    )


def test_too_many_tracks_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = video(tmp_path / "a.mp4", shots=(10,), tones=[(0, 1)])
    monkeypatch.setattr("vidmem.video.MAX_STREAMS", 1)
    with pytest.raises(UnsupportedMedia, match="holds 2 tracks; memqa takes up to 1"):
        probe_here(str(path))


def test_sound_that_jumps_by_days_ends_there(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for at_s in (0, 1, 90_000_000):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.int16), "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 16_000, at_s * 1000, Fraction(1, 1000)
            for packet in stream.encode(frame):
                packet.pts = packet.dts = at_s * 1000
                packet.time_base = Fraction(1, 1000)
                out.mux(packet)
    windows = list(windows_here(str(path), start_s=0.0, segment=0, segment_s=60.0))
    assert len(windows) == 1
    assert "its time jumps" in windows[0].note


def cue(n: int, words: str) -> str:
    return f"{n}\n00:00:{n:02},000 --> 00:00:{n:02},500\n{words}\n\n"


def with_subtitles(folder: Path, cues: str) -> Path:
    (folder / "a.srt").write_text(cues)
    path = folder / "a.mkv"
    with av.open(str(folder / "a.srt")) as source, av.open(str(path), "w") as out:
        track = out.add_stream_from_template(source.streams.subtitles[0])
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = track
                out.mux(packet)
    return path


def test_subtitles_have_a_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = with_subtitles(tmp_path, "".join(cue(n, "word " * 900) for n in range(1, 9)))
    monkeypatch.setattr("vidmem.subtitles.MAX_CUES", 5)
    *_, (said, note) = subtitles_here(str(path))
    assert (len(said), note) == (5, "Only the first 5 subtitles are read.")
    assert max(len(one.text) for one in said) <= limits.MAX_CUE_CHARS


def test_a_long_read_for_subtitles_gives_signs_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = with_subtitles(tmp_path, "".join(cue(n, "The gate is green.") for n in range(1, 9)))
    monkeypatch.setattr("vidmem.subtitles._BEAT_S", 0.0)
    told = list(subtitles_here(str(path)))
    assert len(told) > 8
    assert len(told[-1][0]) == 8


def test_subtitles_that_the_decoder_dies_over_cost_only_themselves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def dies(request: dict[str, Any], limits: Limits) -> Iterator[Any]:
        yield {"kind": "beat"}, b""
        raise DecodeFailed("The decoder crashed on a.mkv.")

    monkeypatch.setattr("vidmem.child.converse", dies)
    told = "The decoder crashed on a.mkv. The subtitles are left out."
    assert subtitles("/a.mkv") == ([], told)


def test_nothing_waits_for_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mp4")
    with pytest.raises(UnsupportedMedia, match="no file at all"):
        probe_here(str(tmp_path / "a.mp4"))


def test_recordings_are_taken_as_before(tmp_path: Path) -> None:
    assert probe(sound_only(tmp_path / "a.m4a", tones=[(0, 1)], length_s=2)).kind == "audio"

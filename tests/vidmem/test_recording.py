"""A recording that came bit by bit is given its length and an index, and a growing one its end."""

import time
from pathlib import Path

import av
import pytest

from models.errors import DecodeFailed
from tests.media import video
from vidmem.child import Limits
from vidmem.live import Live
from vidmem.recording import complete
from vidmem.sample import SampleParams
from vidmem.source import end_of


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A film as a browser's recorder leaves it: no length, no index, cut off in the middle."""
    film, path = tmp_path / "film.webm", tmp_path / "recorded.webm"
    video(film, shots=(20, 20), codec="libvpx")
    with av.open(str(film)) as source, av.open(str(path), "w", options={"live": "1"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    path.write_bytes(path.read_bytes()[:-100])
    film.unlink()
    return path


def test_it_gets_a_length_and_can_be_seeked_in(recorded: Path) -> None:
    with av.open(str(recorded)) as before:
        assert before.duration is None
    end_of(recorded).touch()
    complete(recorded)
    with av.open(str(recorded)) as after:
        assert after.duration is not None
        assert after.duration / 1e6 > 3
        assert len(list(after.decode(video=0))) > 30
    assert list(recorded.parent.glob("*recorded*")) == [recorded]


def test_what_is_no_recording_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "wrong.webm"
    path.write_bytes(b"this is no film")
    with pytest.raises(DecodeFailed, match=r"wrong\.webm"):
        complete(path)
    assert path.read_bytes() == b"this is no film"
    assert list(tmp_path.iterdir()) == [path]


def test_a_growing_file_ends_where_its_writer_says_so_and_is_seen(recorded: Path) -> None:
    end_of(recorded).touch()
    shown: list[tuple[int, ...]] = []
    began = time.monotonic()
    live = Live(
        str(recorded), segment_s=2.0, sample=SampleParams(), patience_s=60,
        on_picture=lambda picture: shown.append(picture.shape),
    )  # fmt: skip
    list(live.pictures({}, Limits()))
    assert time.monotonic() - began < 30, "its patience is not waited for"
    assert shown
    assert all(shape[2] == 3 for shape in shown)
    assert live.dropped == 0

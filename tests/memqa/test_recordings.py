"""A camera's recording that comes piece by piece: in order, bounded, over when it is over."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from memqa import settings
from memqa.jobs import Job
from memqa.library import Library
from memqa.recordings import MOST_PIECE_BYTES, Recordings
from memqa.settings import LimitSettings
from models.errors import DiskFull, InputError
from vidmem.source import end_of

WEBM = "video/webm;codecs=vp8,opus"


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    # Nobody watches what these tests record.
    monkeypatch.setattr("memqa.watching.spawn", lambda *_, **__: SimpleNamespace(wait=int))
    chosen = settings.load(home=tmp_path / "home")
    limits = LimitSettings(max_upload_bytes=100)
    with Library(tmp_path / "home", chosen.model_copy(update={"limits": limits})) as library:
        yield library


@pytest.fixture
def recordings(library: Library) -> Recordings:
    return Recordings(library)


def file_of(job: Job) -> Path:
    return Path(job.path)


def test_pieces_go_to_the_end_of_one_file_that_is_watched(
    library: Library, recordings: Recordings
) -> None:
    one = recordings.begin(WEBM)
    job = recordings.add(one, 0, b"one ")
    assert recordings.add(one, 1, b"two").id == job.id
    assert file_of(job).read_bytes() == b"one two"
    assert file_of(job).is_relative_to(library.home / "uploads")
    assert file_of(job).suffix == ".webm"
    assert [(known.id, known.task) for known in library.jobs()] == [(job.id, "live")]
    recordings.end(one)
    assert end_of(file_of(job)).exists()
    assert recordings.is_over(one)
    with pytest.raises(InputError, match="is over"):
        recordings.add(one, 2, b"late")


@pytest.mark.parametrize(
    ("number", "piece", "why"),
    [
        (2, b"x", "lost on its way"),
        (0, b"x", "lost on its way"),
        (1, bytes(MOST_PIECE_BYTES + 1), "too large"),
        (1, bytes(100), "has reached"),
    ],
)
def test_a_piece_that_is_wrong_ends_it(
    recordings: Recordings, number: int, piece: bytes, why: str
) -> None:
    one = recordings.begin(WEBM)
    job = recordings.add(one, 0, b"one")
    with pytest.raises(InputError, match=why):
        recordings.add(one, number, piece)
    assert file_of(job).read_bytes() == b"one", "what came before stays"
    assert end_of(file_of(job)).exists()
    with pytest.raises(InputError, match="is over"):
        recordings.add(one, 1, b"two")


def test_what_nobody_began_or_cannot_be_watched_is_refused(recordings: Recordings) -> None:
    with pytest.raises(InputError, match="is over"):
        recordings.add("../../etc", 0, b"x")
    with pytest.raises(InputError, match="cannot be watched"):
        recordings.begin("text/html")


def test_one_records_at_a_time_until_it_falls_silent(
    recordings: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = recordings.begin(WEBM)
    recordings.add(one, 0, b"one")
    with pytest.raises(InputError, match="already"):
        recordings.begin(WEBM)
    monkeypatch.setattr("memqa.recordings.PATIENCE_S", 0.0)
    with pytest.raises(InputError, match="is over"):
        recordings.add(one, 1, b"too late")
    assert recordings.begin(WEBM) != one


def test_whoever_stops_the_watch_ends_the_recording(
    library: Library, recordings: Recordings
) -> None:
    one = recordings.begin(WEBM)
    job = recordings.add(one, 0, b"one")
    assert library._queue.begin_live(job.id) is not None
    library.cancel(job.id)
    with pytest.raises(InputError, match="is over"):
        recordings.add(one, 1, b"two")


def test_a_recording_leaves_room_on_the_disk(
    library: Library, recordings: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = recordings.begin(WEBM)
    job = recordings.add(one, 0, b"one")
    free = library.settings.limits.min_free_bytes
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free + 2))
    with pytest.raises(InputError, match="nearly full"):
        recordings.add(one, 1, b"two")
    assert file_of(job).read_bytes() == b"one"


@pytest.mark.parametrize("pieces", [0, 1])
def test_a_piece_that_finds_no_room_ends_it(
    library: Library, recordings: Recordings, monkeypatch: pytest.MonkeyPatch, pieces: int
) -> None:
    one = recordings.begin(WEBM)
    jobs = [recordings.add(one, number, b"one") for number in range(pieces)]

    def full(path: Path, mode: str) -> None:
        path.touch()
        raise OSError(errno.ENOSPC, "no room", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", full)
        with pytest.raises(DiskFull):
            recordings.add(one, pieces, b"two")
    assert recordings.is_over(one)
    assert all(end_of(file_of(job)).exists() for job in jobs)
    assert len(list((library.home / "uploads").iterdir())) == pieces, "nothing is orphaned"


def test_a_recording_that_is_stopped_before_it_is_watched_goes(
    library: Library, recordings: Recordings
) -> None:
    one = recordings.begin(WEBM)
    job = recordings.add(one, 0, b"one")
    library.cancel(job.id)
    assert not file_of(job).exists()
    assert list((library.home / "live").iterdir()) == []
    with pytest.raises(InputError, match="is over"):
        recordings.add(one, 1, b"two")


def test_a_recording_that_cannot_be_watched_leaves_nothing(
    library: Library, recordings: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memqa.watching._MOST_AT_ONCE", 0)
    one = recordings.begin(WEBM)
    with pytest.raises(InputError, match="the most at a time"):
        recordings.add(one, 0, b"one")
    assert list((library.home / "uploads").iterdir()) == []
    assert recordings.begin(WEBM), "the next may begin"

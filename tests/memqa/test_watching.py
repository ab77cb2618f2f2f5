"""A live source watched in a process of its own: no file waits for it, and any process stops it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from memqa import watching
from memqa.jobs import Job, Queue
from memqa.library import Library
from memqa.recordings import Recordings
from memqa.store.lock import locked
from models.errors import InputError
from tests import media as made
from tests.memqa.parts import FakeEngines, bytes_under
from tests.serving import streamed
from vidmem.video import probe

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("watched") / "film.ts"
    return made.video(path, shots=(60, 60, 60), fps=5, pan=2, tones=[(5.0, 7.0)]).read_bytes()


@pytest.fixture
def watchers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Let watchers be processes with fake engines, and give them."""
    started: list[subprocess.Popen[bytes]] = []

    def spawn(settings: object, *arguments: str, told: str) -> subprocess.Popen[bytes]:
        home = str(settings.home)  # type: ignore[attr-defined]
        command = [sys.executable, "-m", "tests.memqa.watched", home, arguments[1]]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE)
        assert process.stdin is not None
        with process.stdin:
            process.stdin.write(told.encode())
        started.append(process)
        return process

    monkeypatch.setattr("memqa.watching.spawn", spawn)
    monkeypatch.setattr("memqa.worker.start_worker", lambda _: None)
    yield started
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        yield library


def until(library: Library, job: Job, happened: Callable[[Job], object]) -> Job:
    deadline = time.monotonic() + 60
    while True:
        now = next(one for one in library.jobs() if one.id == job.id)
        if happened(now):
            return now
        assert time.monotonic() < deadline, now
        time.sleep(0.1)


def is_over(job: Job) -> bool:
    return job.state not in ("queued", "running")


@pytest.mark.usefixtures("watchers")
def test_a_stream_is_watched_aside_and_stopped_from_anywhere(library: Library, film: bytes) -> None:
    with streamed(film, length_s=36.0) as (port, _):
        job = library.live(f"http://me:secret@127.0.0.1:{port}/cam?key=secret", wait=False)
        assert (job.task, job.path) == ("live", f"http://127.0.0.1:{port}/cam")
        until(library, job, lambda now: now.progress and now.progress.done > 3)
        picture = library.live_picture(job.id)
        assert picture is not None
        assert picture[:2] == b"\xff\xd8", "a JPEG"
        with Library(library.home) as other:
            other.cancel(job.id)
        ended = until(library, job, is_over)
    assert ended.state == "done"
    media = library.show(ended.media_id or "")
    assert media.status == "indexed"
    assert 3 < (media.duration_s or 0) < 36
    assert library.live_picture(job.id) is None
    assert bytes_under(library.home, "secret") == []
    with pytest.raises(InputError, match="watch it anew"):
        library.resume(job.id)


@pytest.mark.usefixtures("watchers")
def test_a_source_that_is_not_there_says_why(library: Library) -> None:
    with pytest.raises(InputError, match="streams begin with"):
        library.live("gopher://here", wait=False)
    ended = until(library, library.live("http://127.0.0.1:9/", wait=False), is_over)
    assert ended.state == "failed"
    assert "cannot be watched" in (ended.error or "")
    assert library.media() == []


def test_a_watcher_that_was_killed_is_noticed(
    library: Library, film: bytes, watchers: list[subprocess.Popen[bytes]]
) -> None:
    with streamed(film, length_s=36.0) as (port, _):
        job = library.live(f"http://127.0.0.1:{port}/", wait=False)
        going = until(library, job, lambda now: now.media_id)
        deadline = time.monotonic() + 60
        while not library.show(going.media_id or "").memories:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        watchers[0].kill()
        watchers[0].wait()
    assert until(library, job, is_over).state == "done"
    assert library.show(going.media_id or "").status == "partial"


@pytest.mark.usefixtures("watchers")
def test_a_recording_that_is_stopped_is_seen_to_its_end_and_plays(
    library: Library, tmp_path: Path
) -> None:
    film = made.video(tmp_path / "film.webm", shots=(40, 40), fps=5, codec="libvpx").read_bytes()
    recordings = Recordings(library)
    one, half = recordings.begin("video/webm"), len(film) // 2
    job = recordings.add(one, 0, film[:half])
    recordings.add(one, 1, film[half:])
    until(library, job, lambda now: now.media_id)
    library.cancel(job.id)
    ended = until(library, job, is_over)
    media = library.show(ended.media_id or "")
    assert media.duration_s == pytest.approx(16, abs=0.5), "nothing of it was passed over"
    assert probe(Path(media.path)).duration_s == pytest.approx(16, abs=0.5)
    assert [path.name for path in Path(media.path).parent.iterdir()] == [media.name]
    library.forget(media.id)
    assert not Path(media.path).exists()


def test_files_and_live_sources_do_not_wait_for_each_other(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    live = queue.submit_live("webcam")
    assert queue.claim() is None, "the worker of files leaves it alone"
    assert queue.begin_live(live.id) is not None
    assert queue.begin_live(live.id) is None, "only one process watches it"
    queue.recover(max_attempts=1)
    assert queue.get(live.id).state == "running"
    again = queue.submit_live("webcam")
    queue.forget("another media", "webcam")
    assert {job.id for job in queue.all()} == {live.id, again.id}
    with pytest.raises(InputError, match="cannot be put aside"):
        queue.pause(live.id)
    queue.cancel(again.id)
    assert queue.begin_live(again.id) is None, "it was stopped before it began"


def test_a_watch_that_never_began_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue(tmp_path)
    job = queue.submit_live("webcam")
    assert not watching.settle(tmp_path, queue.all()), "it may be on its way"
    monkeypatch.setattr("memqa.watching._LONGEST_START_S", 0.0)
    with locked(tmp_path / "locks" / f"live-{job.id}.lock"):
        assert not watching.settle(tmp_path, queue.all())
    assert watching.settle(tmp_path, queue.all())
    assert queue.get(job.id).state == "failed"


def test_an_older_queue_gets_the_new_column(tmp_path: Path) -> None:
    import sqlite3

    Queue(tmp_path).submit("/a")
    with sqlite3.connect(tmp_path / "jobs.sqlite") as db:
        db.execute("ALTER TABLE jobs DROP COLUMN task")
    db.close()
    queue = Queue(tmp_path)
    assert [job.task for job in queue.all()] == ["index"]
    assert queue.submit_live("webcam").task == "live"

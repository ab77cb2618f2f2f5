"""A live source watched in a process of its own: no file waits for it, and any process stops it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from memqa import settings, watching
from memqa.jobs import Job, Queue
from memqa.library import Library
from memqa.recordings import Recordings
from memqa.store.lock import locked
from memqa.values import Media
from memqa.worker import spawn
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


def begun(library: Library, path: Path, content: bytes) -> Job:
    """Note a recording that is remembered, whose watcher died."""
    queue, media = Queue(library.home), Media("v" * 64, str(path), "video", "indexing")
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    job = watching.start(library.settings, str(path), method="auto", is_recording=True)
    assert queue.begin_live(job.id) is not None
    queue.identify(job.id, media)
    return queue.get(job.id)


def test_a_recording_whose_watcher_died_is_made_one_that_plays_once(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = made.video(tmp_path / "film.webm", shots=(40, 40), fps=5, codec="libvpx").read_bytes()
    path = library.home / "uploads" / "one" / "camera-1.webm"
    spawned: list[tuple[str, ...]] = []
    monkeypatch.setattr(
        "memqa.watching.spawn",
        lambda _, *more, told: spawned.append((*more, told)) or SimpleNamespace(wait=int),
    )
    job = begun(library, path, film)
    spawned.clear()
    with ThreadPoolExecutor(4) as pool:
        looks = list(pool.map(lambda _: library.jobs(), range(8)))
    assert spawned == [("--live", job.id, "--rewrite", "")], "no look at the jobs does it itself"
    assert {one.state for jobs in looks for one in jobs} == {"running"}
    assert spawn(library.settings, *spawned[0][:-1]).wait(60) == 0
    watching.rewrite(library.home, job.id)  # whoever comes second finds it done
    assert library.jobs()[0].state == "done"
    assert probe(path).duration_s == pytest.approx(16, abs=0.5)
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert list((library.home / "live").iterdir()) == []


def test_a_recording_that_could_not_be_rewritten_stays_and_its_job_ends(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = library.home / "uploads" / "one" / "camera-1.webm"
    monkeypatch.setattr("memqa.watching.spawn", lambda *_, **__: SimpleNamespace(wait=int))
    begun(library, path, b"bytes")
    assert library.jobs()[0].state == "running"
    monkeypatch.setattr("memqa.watching._LONGEST_START_S", 0.0)
    assert library.jobs()[0].state == "done"
    assert path.read_bytes() == b"bytes"


def test_a_recording_of_which_nothing_is_remembered_goes(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = library.home / "uploads" / "one" / "camera-1.webm"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"bytes")
    monkeypatch.setattr("memqa.watching.spawn", lambda *_, **__: SimpleNamespace(wait=int))
    watching.start(library.settings, str(path), method="auto", is_recording=True)
    monkeypatch.setattr("memqa.watching._LONGEST_START_S", 0.0)
    assert library.jobs()[0].state == "failed"
    assert not path.exists()


def test_a_file_of_another_media_is_not_watched(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memqa.watching.spawn", lambda *_, **__: SimpleNamespace(wait=int))
    upload = library.home / "uploads" / "one" / "film.webm"
    upload.parent.mkdir(parents=True)
    upload.write_bytes(b"bytes")
    link = tmp_path / "link.webm"
    link.symlink_to(upload)
    note = tmp_path / "story.md"
    note.write_text("# Heron\n\nIt waits at the weir.\n", encoding="utf-8")
    library.add(note)
    for path in (upload, link, note):
        with pytest.raises(InputError, match="in the library already"):
            library.live(str(path), wait=False)
        with pytest.raises(InputError, match="in the library already"):
            library.live(str(path))
    assert library.jobs() == []
    assert upload.exists()


@pytest.mark.usefixtures("watchers")
def test_a_file_that_is_watched_by_its_address_is_never_touched(
    library: Library, tmp_path: Path
) -> None:
    film = made.video(tmp_path / "film.webm", shots=(40,), fps=5, codec="libvpx")
    content = film.read_bytes()
    job = library.live(str(film), wait=False)
    until(library, job, lambda now: now.media_id)
    library.cancel(job.id)
    assert until(library, job, is_over).state == "done"
    assert film.read_bytes() == content


def test_a_source_is_watched_once_and_only_so_many_at_a_time(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    monkeypatch.setattr("memqa.watching.spawn", lambda *_, **__: SimpleNamespace(wait=gate.wait))

    def pressed(address: str) -> str:
        try:
            return library.live(address, wait=False).id
        except InputError as exc:
            return str(exc)

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(pressed, ["http://127.0.0.1:9/gate?channel=1"] * 4))
    assert sum("is being watched already" in one for one in told) == 3
    assert not any("channel" in one for one in told)
    library.live("http://127.0.0.1:9/gate?channel=2", wait=False)  # another camera, one name
    library.live("webcam", wait=False)
    assert "is being watched already" in pressed("webcam")
    job = library.live("screen", wait=False)
    assert "the most at a time" in pressed("http://127.0.0.1:9/yard")
    library.cancel(job.id)
    library.live("http://127.0.0.1:9/yard", wait=False)
    gate.set()


def test_a_watcher_that_ended_leaves_no_process(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    monkeypatch.setattr("memqa.watching.spawn", lambda *_, **__: started)
    job = library.live("http://127.0.0.1:9/?key=secret", wait=False)
    assert job.id in watching._told
    assert started.stdin is not None
    started.stdin.close()
    deadline = time.monotonic() + 30
    while job.id in watching._told:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert started.returncode is not None, "nobody asked for it"


def test_old_watches_leave_the_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memqa.jobs._KEEP_FINISHED", 2)
    queue = Queue(tmp_path)
    for _ in range(5):
        queue.finish(queue.submit_live("webcam").id, "done")
    assert len(queue.all()) == 2


def test_what_is_over_stays_as_it_ended(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    job = queue.submit_live("webcam")
    queue.finish(job.id, "done")
    queue.finish(job.id, "failed", error="late")
    assert (queue.get(job.id).state, queue.get(job.id).error) == ("done", None)


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
    chosen = settings.load(home=tmp_path)
    assert not watching.settle(chosen, queue.all()), "it may be on its way"
    monkeypatch.setattr("memqa.watching._LONGEST_START_S", 0.0)
    with locked(tmp_path / "locks" / f"live-{job.id}.lock"):
        assert not watching.settle(chosen, queue.all())
    assert watching.settle(chosen, queue.all())
    assert not watching.settle(chosen, [job]), "it is over, whatever was seen of it before"
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

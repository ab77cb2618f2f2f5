"""Jobs outlive pages, processes and power cuts, and stop when somebody wishes it."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest

from memqa import settings
from memqa.alone import leased
from memqa.jobs import _TABLE, Job, Queue
from memqa.library import Library
from memqa.listening import Listener
from memqa.settings import JobSettings
from memqa.store.lock import is_held, locked
from memqa.store.schema import Commit, MediaRow
from memqa.store.write import Writer
from memqa.worker import Worker
from models.errors import InputError
from models.values import Progress
from tests.memqa.others import Others
from tests.memqa.parts import FakeEngines, write_document

ROOT = Path(__file__).parents[2]


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path / "home")


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    # The worker is run by the test, with fake engines, and not by the library.
    monkeypatch.setattr("memqa.worker.start_worker", lambda _: None)
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        yield library


def work(library: Library, die: str = "") -> int:
    """Let a worker process run until it has nothing to do, or dies."""
    command = [sys.executable, "-m", "tests.memqa.working", str(library.home), die]
    return subprocess.run(command, cwd=ROOT, timeout=120).returncode


def test_jobs_wait_in_order_and_are_claimed_once(queue: Queue) -> None:
    one, two = queue.submit("/a"), queue.submit("/b")
    assert queue.submit("/a").id == one.id, "a file that waits is not queued twice"
    assert [job.state for job in queue.all()] == ["queued", "queued"]
    claimed = queue.claim()
    assert claimed is not None
    assert (claimed.id, claimed.state, claimed.attempts) == (one.id, "running", 1)
    assert [job.id for job in (queue.claim(), queue.claim()) if job] == [two.id]
    queue.finish(one.id, "done", notes=("a note",))
    assert queue.get(one.id).notes == ("a note",)
    assert queue.submit("/a").id != one.id
    with pytest.raises(InputError, match="no job"):
        queue.get("nobody")


def test_progress_is_seen_by_everyone_and_tells_how_long(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("memqa.jobs.time.time", lambda: clock[0])
    job = queue.submit("/a")
    queue.claim()
    queue.report(job.id, Progress("Watching", 100, 600, "s"))
    assert queue.get(job.id).eta_s is None
    clock[0] += 10
    queue.report(job.id, Progress("Watching", 200, 600, "s"))
    seen = queue.get(job.id)
    assert seen.progress == Progress("Watching", 200, 600, "s")
    assert seen.eta_s == pytest.approx(40)
    queue.report(job.id, Progress("Making the outline", 0, None))
    assert queue.get(job.id).eta_s is None
    assert Queue(queue._path.parent).get(job.id).progress == Progress("Making the outline", 0, None)


def test_wishes_reach_waiting_and_running_jobs(queue: Queue) -> None:
    waiting, running = queue.submit("/w"), queue.submit("/r")
    queue.pause(waiting.id)
    assert queue.get(waiting.id).state == "paused"
    claimed = queue.claim()
    assert claimed is not None
    assert claimed.id == running.id
    queue.pause(running.id)
    assert queue.wish(running.id) == "pause"
    assert queue.get(running.id).state == "running", "until the worker has stopped"
    queue.cancel(running.id)
    assert queue.wish(running.id) == "cancel"
    queue.cancel(waiting.id)
    assert queue.get(waiting.id).state == "cancelled"
    queue.resume(waiting.id)
    assert queue.get(waiting.id).state == "queued"
    assert queue.wish("gone") == "cancel"


def test_a_dead_workers_jobs_wait_again_but_not_forever(queue: Queue) -> None:
    job, paused = queue.submit("/a"), queue.submit("/b")
    queue.claim()
    queue.claim()
    queue.pause(paused.id)
    queue.recover(max_attempts=2)
    assert queue.get(job.id).state == "queued"
    assert queue.get(paused.id).state == "paused"
    queue.claim()
    queue.recover(max_attempts=2)
    failed = queue.get(job.id)
    assert failed.state == "failed"
    assert "died 2 times" in (failed.error or "")
    queue.resume(job.id)
    assert (queue.get(job.id).state, queue.get(job.id).error) == ("queued", None)


def test_a_lock_is_held_by_one_and_freed_by_death(tmp_path: Path) -> None:
    path = tmp_path / "one.lock"
    assert not is_held(path)
    with locked(path) as first, locked(path) as second:
        assert (first, second) == (True, False)
        assert is_held(path)
    assert not is_held(path)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from pathlib import Path; from memqa.store.lock import locked\n"
            "with locked(Path(sys.argv[1])): print(flush=True); time.sleep(60)",
            str(path),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert is_held(path)
        holder.kill()
    assert not is_held(path)


def test_the_worker_takes_in_what_is_queued_and_goes(library: Library, tmp_path: Path) -> None:
    good = library.add(write_document(tmp_path / "good.md", chapters=1), wait=False)
    (tmp_path / "bad.mp4").write_text("no film")
    bad = library.add(tmp_path / "bad.mp4", wait=False)
    with pytest.raises(InputError, match="no file"):
        library.add(tmp_path / "nowhere.md", wait=False)
    assert [job.state for job in library.jobs()] == ["queued", "queued"]
    assert work(library) == 0
    jobs = {job.id: job for job in library.jobs()}
    (media,) = library.media()
    assert (jobs[good.id].state, jobs[good.id].media_id) == ("done", media.id)
    assert jobs[good.id].kind == "document"
    assert jobs[bad.id].state == "failed"
    assert "bad.mp4 holds plain text" in (jobs[bad.id].error or "")


def test_a_killed_worker_is_followed_by_one_that_finishes(library: Library, tmp_path: Path) -> None:
    job = library.add(write_document(tmp_path / "story.md", chapters=4), wait=False)
    assert work(library, die="_write_vectors") == -signal.SIGKILL
    (left,) = library.jobs()
    assert left.state == "running", "nobody is there to say otherwise"
    assert left.media_id == library.media()[0].id
    assert library.media()[0].status == "indexing"
    assert work(library) == 0
    assert library._queue.get(job.id).state == "done"
    assert library.media()[0].status == "indexed"


def test_a_queue_from_before_there_were_tasks_is_taken_over(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with closing(sqlite3.connect(home / "jobs.sqlite")) as db, db:
        db.execute(_TABLE.replace(", task TEXT NOT NULL DEFAULT 'index'", ""))
        db.execute(
            "INSERT INTO jobs (id, path, method, state) VALUES ('j', '/a', 'auto', 'queued')"
        )
    assert [(job.id, job.task) for job in Queue(home).all()] == [("j", "index")]
    assert Queue(home).submit("/a", task="reindex").id != "j", "another task of the same file"
    assert Queue(home).submit("/a").id == "j"


def test_a_media_is_brought_up_to_date_in_the_background(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memqa.worker.start_worker", lambda _: None)
    home = tmp_path / "home"
    with Library(home, engines=FakeEngines()) as library:
        story = library.add(write_document(tmp_path / "story.md", chapters=1))
    with Library(home, engines=Others(("text",))) as library:
        assert library.show(story.id).stale == ("text",)
        job = library.reindex_later(story.name)
        assert (job.task, job.media_id, job.kind) == ("reindex", story.id, "document")
        assert library.reindex_later(story.id).id == job.id
        quick = settings.load(home=home).model_copy(update={"jobs": JobSettings(idle_exit_s=0)})
        Worker(quick, engines=Others(("text",))).run()
        (done,) = library.jobs()
        assert (done.state, done.error) == ("done", None)
        assert library.show(story.id).stale == ()
        assert library.search("zebrafinch clocktower sentence")


def test_a_killed_media_is_settled_unless_somebody_is_at_it(
    library: Library, tmp_path: Path
) -> None:
    story = write_document(tmp_path / "story.md", chapters=4)
    job = library.add(story, wait=False)
    assert work(library, die="_write_vectors") == -signal.SIGKILL
    library.settle()
    (media,) = library.media()
    assert media.status == "indexing", "the queue still has it"
    library.cancel(job.id)
    library._queue.finish(job.id, "cancelled")
    with leased(library.home, media.id):
        library.settle()
        assert library.media()[0].status == "indexing", "somebody is at it"
    library.settle()
    (media,) = library.media()
    assert media.status == "cancelled"
    assert library.add(story).status == "indexed"


def test_a_worker_goes_once_the_settings_were_changed(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memqa.worker.start_worker", lambda _: None)
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        patient = settings.load(home=library.home)
        assert patient.jobs.idle_exit_s > 60
        worker = Thread(target=Worker(patient, engines=FakeEngines()).run)
        worker.start()
        lock = library.home / "locks" / "worker.lock"
        wait_until(lambda: is_held(lock))
        library.take_settings()
        worker.join(20)
        assert not worker.is_alive()
        library.add(write_document(tmp_path / "story.md", chapters=1), wait=False)
        Worker(patient, engines=FakeEngines(), since=time.time() - 60).run()
        assert library.jobs()[0].state == "queued", "its settings are of before"


def test_a_worker_on_its_way_goes_too_and_the_next_one_stays(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memqa.worker.start_worker", lambda _: None)
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        chosen = settings.load(home=library.home)
        quick = chosen.model_copy(update={"jobs": JobSettings(idle_exit_s=0)})
        coming = Worker(quick, engines=FakeEngines())  # it holds no lock yet
        library.take_settings()
        library.add(write_document(tmp_path / "story.md", chapters=1), wait=False)
        coming.run()
        assert library.jobs()[0].state == "queued"
        Worker(quick, engines=FakeEngines()).run()
        assert library.jobs()[0].state == "done"


def test_a_file_that_kills_the_worker_is_given_up(library: Library, tmp_path: Path) -> None:
    job = library.add(write_document(tmp_path / "story.md", chapters=4), wait=False)
    for _ in range(2):
        assert work(library, die="_write_vectors") == -signal.SIGKILL
    assert work(library) == 0
    assert library._queue.get(job.id).state == "failed"
    library.resume(job.id)
    assert work(library) == 0
    assert library._queue.get(job.id).state == "done"


def wait_until(is_so: Callable[[], bool], *, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.02)


def one_worker(library: Library) -> Worker:
    chosen = library.settings.model_copy(update={"jobs": JobSettings(idle_exit_s=0)})
    return Worker(chosen, engines=FakeEngines())


@pytest.mark.parametrize(("wish", "ends"), [("pause", "paused"), ("cancel", "cancelled")])
def test_a_running_job_stops_as_wished_and_goes_on(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wish: str, ends: str
) -> None:
    job = library.add(write_document(tmp_path / "story.md", chapters=4), wait=False)
    told = Listener.progress

    def wish_in_the_middle(self: Listener, stage: str, *rest: object) -> None:
        getattr(library, wish)(job.id)
        told(self, stage, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("memqa.worker._ASK_S", 0.0)
    worker = one_worker(library)
    with monkeypatch.context() as patch:
        patch.setattr(Listener, "progress", wish_in_the_middle)
        claimed = worker._queue.claim()
        assert claimed is not None
        worker._work(claimed)
    assert library._queue.get(job.id).state == ends
    assert library.media() == [], "nothing was committed yet"
    library.resume(job.id)
    claimed = worker._queue.claim()
    assert claimed is not None
    worker._work(claimed)
    assert library._queue.get(job.id).state == "done"
    assert library.media()[0].status == "indexed"


def test_a_paused_job_keeps_what_it_remembers(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = library.add(write_document(tmp_path / "story.md", chapters=4), wait=False)
    commit = Writer.commit

    def pause_then(self: Writer, one: Commit) -> MediaRow:
        library.pause(job.id)
        return commit(self, one)

    monkeypatch.setattr("memqa.worker._ASK_S", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(Writer, "commit", pause_then)
        one_worker(library).run()
    assert library._queue.get(job.id).state == "paused"
    (media,) = library.media()
    assert media.status == "queued"
    assert 0 < (media.remembered_pages or 0) < (media.pages or 0)
    assert library.store.read.search_text("sentence")
    library.resume(job.id)
    one_worker(library).run()
    assert library.media()[0].status == "indexed"


def test_only_one_worker_works(library: Library, tmp_path: Path) -> None:
    library.add(write_document(tmp_path / "story.md", chapters=1), wait=False)
    with locked(library.home / "locks" / "worker.lock"):
        one_worker(library).run()
    assert [job.state for job in library.jobs()] == ["queued"]


def test_the_library_starts_a_real_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMQA_JOBS__IDLE_EXIT_S", "0")
    chosen = settings.load(home=tmp_path / "home")
    with Library(settings=chosen) as library:
        (tmp_path / "bad.mp4").write_text("no film")
        job: Job = library.add(tmp_path / "bad.mp4", wait=False)
        wait_until(lambda: library.jobs()[0].state == "failed")
        assert "plain text" in (library._queue.get(job.id).error or "")
        wait_until(lambda: not is_held(library.home / "locks" / "worker.lock"))
    from memqa.worker import _spawned

    assert _spawned.pop(library.home).wait(30) == 0

"""The library's one background worker: a process that takes queued files in, one after another.

It keeps its models loaded, goes when nothing was to do for a while, and is started again by
whoever queues a file or looks at the queue. A lock file says whether one is alive.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, TypeAlias, TypeVar
from uuid import uuid4

from memqa import settings as settings_
from memqa.engines import CatalogEngines, Engines
from memqa.jobs import Job, JobState, Queue, Wish
from memqa.listening import Listener
from memqa.logged import log_to_stderr
from memqa.priority import step_aside
from memqa.room import writing_to
from memqa.settings import Settings
from memqa.stale import FINISHED
from memqa.store.lock import is_held, locked
from models.errors import DiskFull, IngestCancelled, MemqaError
from models.values import Progress

log = logging.getLogger(__name__)

T = TypeVar("T")
_Ended: TypeAlias = tuple[JobState, str | None, tuple[str, ...]]

_LOOK_S = 0.5
_TELL_S = 0.25
_ASK_S = 0.25
_MOST_LOG_BYTES = 1_000_000
_spawned: dict[Path, subprocess.Popen[bytes]] = {}


def start_worker(settings: Settings) -> None:
    """Start the library's worker unless it is alive, or on its way."""
    starting = _spawned.get(settings.home)
    is_coming = starting is not None and starting.poll() is None
    if not is_coming and not is_held(_lock(settings.home)):
        _spawned[settings.home] = spawn(settings)


def spawn(settings: Settings, *arguments: str, told: str = "") -> subprocess.Popen[bytes]:
    """Start ``python -m memqa.jobs`` for a library; it outlives whoever starts it.

    ``told`` is one line that nobody else may read, as an address with its password.
    """
    home = settings.home
    command = [sys.executable, "-m", "memqa.jobs", "--home", str(home), "--settings-from-stdin"]
    with writing_to(home), open_log(home) as errors:
        process = subprocess.Popen(
            # Settings that are changed later than this are not its own.
            [*command, "--since", repr(time.time()), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            # Here, no folder named `models` of the person's can stand before ours.
            cwd=Path(__file__).parents[1],
            # The worker outlives the page or command that started it, and Ctrl-C in its terminal.
            start_new_session=True,
        )
    assert process.stdin is not None
    # A worker that died at once has said why in its log; the next look starts another.
    with suppress(BrokenPipeError), process.stdin:
        # The worker asks no language model, so how they are run, and with which keys, stays here.
        chosen = settings.model_dump_json(exclude={"language", "caption"})
        process.stdin.write(f"{chosen}\n{told}".encode())
    return process


def open_log(home: Path) -> IO[bytes]:
    """Open the file that a library's workers write their errors to; a long one is begun anew.

    Raises:
        DiskFull, ReadOnly: it cannot be written.
    """
    with writing_to(home):
        home.mkdir(parents=True, exist_ok=True)
        path = home / "worker.log"
        too_long = path.exists() and path.stat().st_size > _MOST_LOG_BYTES
        return path.open("wb" if too_long else "ab")


class Worker:
    """Works through a library's queue; only one at a time gets to.

    ``since`` is when its settings were read, in seconds since the epoch.
    """

    def __init__(
        self, settings: Settings, *, engines: Engines | None = None, since: float | None = None
    ) -> None:
        self._settings = settings
        self._engines = engines or CatalogEngines(settings.models)
        self._queue = Queue(settings.home)
        self._since = time.time() if since is None else since

    def run(self) -> None:
        """Work until nothing was queued for a while; gives up at once where another works."""
        while True:
            # A moment's patience: whoever merely looks whether we live holds the lock as well.
            with locked(_lock(self._settings.home), timeout_s=2) as held:
                if not held:
                    return
                self._with_room(self._recover)
                self._work_until_idle()
            if self._is_relieved():
                return
            # A job queued while we let go of the lock found a worker alive, and nobody else.
            if not any(job.state == "queued" for job in self._queue.all()):
                return

    def _recover(self) -> None:
        self._queue.recover(max_attempts=self._settings.jobs.max_attempts)

    def _work_until_idle(self) -> None:
        idle_since = time.monotonic()
        while not self._is_relieved():
            if (job := self._with_room(self._queue.claim)) is not None:
                self._work(job)
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since >= self._settings.jobs.idle_exit_s:
                return
            else:
                time.sleep(_LOOK_S)

    def _is_relieved(self) -> bool:
        """Whether the settings were changed since, so that a new worker has to follow."""
        try:
            return float(_relief(self._settings.home).read_text(encoding="utf-8")) > self._since
        except FileNotFoundError:
            return False

    def _work(self, job: Job) -> None:
        state, error, notes = self._ended(job)
        self._with_room(lambda: self._queue.finish(job.id, state, error=error, notes=notes))

    def _with_room(self, write: Callable[[], T]) -> T:
        """Write to the queue once there is room; on a full disk, wait for it as for a job.

        Raises:
            DiskFull: there was none for as long; the next worker tries again.
        """
        until = time.monotonic() + self._settings.jobs.idle_exit_s
        while True:
            try:
                return write()
            except DiskFull:
                if time.monotonic() >= until or self._is_relieved():
                    raise
            time.sleep(_LOOK_S)

    def _ended(self, job: Job) -> _Ended:
        watch = Watch(self._queue, job)
        listener = Listener(watch.told, watch.stops, lambda m: self._queue.identify(job.id, m))
        try:
            if job.task == "reindex":
                return self._reindexed(job, watch, listener)
            return self._indexed(job, watch, listener)
        except MemqaError as exc:
            return "failed", str(exc), ()
        except Exception as exc:  # a bug in one file's path must not take the queue down
            log.exception("unexpected while working on job %s", job.id)
            said = f"{type(exc).__name__}: {exc}".rstrip(": ")
            return "failed", f"something unexpected happened ({said}); see worker.log", ()

    def _indexed(self, job: Job, watch: Watch, listener: Listener) -> _Ended:
        from memqa.ingest import Ingest
        from memqa.store.store import Store

        store = Store(self._settings.home, spare_share=self._settings.limits.spare_share)
        ingest = Ingest(store, self._engines, self._settings)
        try:
            outcome = ingest.take(job.path, method=job.method, listener=listener)
        except IngestCancelled:
            if watch.wish != "pause":
                return "cancelled", None, ()
            media = store.read.find_media(self._queue.get(job.id).media_id or "")
            if media is not None:
                store.write.settle(replace(media, status="queued"))
            return "paused", None, ()
        return "done", None, outcome.media.notes if outcome.media else ()

    def _reindexed(self, job: Job, watch: Watch, listener: Listener) -> _Ended:
        from memqa.library import Library

        with Library(self._settings.home, self._settings, engines=self._engines) as library:
            if library.show(job.media_id or job.path).status not in FINISHED:
                # It was being taken in again as a whole, and stopped: that goes on as indexing.
                return self._indexed(job, watch, listener)
            (outcome,) = library.reindex(
                job.media_id, on_progress=watch.told, should_stop=watch.stops
            )
        if outcome.status == "cancelled":
            return "paused" if watch.wish == "pause" else "cancelled", None, outcome.notes
        if outcome.error is not None:
            return "failed", str(outcome.error), outcome.notes
        return "done", None, outcome.notes


class Watch:
    """Writes progress down and looks for wishes, neither more often than a person can notice."""

    def __init__(self, queue: Queue, job: Job) -> None:
        self._queue = queue
        self._job = job
        self._stage = ""
        self._told_at = self._asked_at = 0.0
        self.wish: Wish = ""

    def told(self, progress: Progress) -> None:
        """Take progress."""
        now = time.monotonic()
        if progress.stage == self._stage and now - self._told_at < _TELL_S:
            return
        self._stage, self._told_at = progress.stage, now
        self._queue.report(self._job.id, progress)

    def stops(self) -> bool:
        """Say whether somebody wishes the work to stop."""
        now = time.monotonic()
        if not self.wish and now - self._asked_at >= _ASK_S:
            self._asked_at = now
            self.wish = self._queue.wish(self._job.id)
        return bool(self.wish)


def main() -> None:
    """Run the worker of one library: ``python -m memqa.jobs --home DIR``.

    With ``--live JOB`` it watches the source whose address stands after the settings, and goes;
    with ``--rewrite`` too it makes the recording of that job one that plays instead.
    """
    parser = argparse.ArgumentParser(prog="memqa.jobs", description=main.__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--settings-from-stdin", action="store_true")
    parser.add_argument("--since", type=float)
    parser.add_argument("--live", metavar="JOB")
    parser.add_argument("--rewrite", action="store_true")
    given = parser.parse_args()
    log_to_stderr(logging.WARNING, "%(asctime)s %(name)s %(message)s")
    chosen, _, told = sys.stdin.read().partition("\n") if given.settings_from_stdin else ("",) * 3
    settings = Settings.model_validate_json(chosen) if chosen else settings_.load(home=given.home)
    if given.live:
        from memqa import watching

        if given.rewrite:
            watching.rewrite(settings.home, given.live)
        else:
            watching.run(settings, given.live, told)
    else:
        step_aside()
        Worker(settings, since=given.since).run()


def relieve_worker(home: Path) -> None:
    """Let a worker that lives go once it is done; the next one has the settings of now.

    One that is on its way counts as well, though nothing shows it yet; one of later settings stays.
    """
    relief = _relief(home)
    relief.parent.mkdir(parents=True, exist_ok=True)
    draft = relief.with_name(f"{relief.name}.{uuid4().hex}")
    draft.write_text(repr(time.time()), encoding="utf-8")
    draft.replace(relief)


def _lock(home: Path) -> Path:
    return home / "locks" / "worker.lock"


def _relief(home: Path) -> Path:
    return home / "locks" / "worker.relieved"

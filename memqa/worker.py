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
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from memqa import settings as settings_
from memqa.engines import CatalogEngines, Engines
from memqa.jobs import Job, JobState, Queue, Wish
from memqa.listening import Listener
from memqa.settings import Settings
from memqa.store.lock import is_held, locked
from models.errors import IngestCancelled, MemqaError
from models.values import Progress

log = logging.getLogger(__name__)

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
    log_path = home / "worker.log"
    too_long = log_path.exists() and log_path.stat().st_size > _MOST_LOG_BYTES
    with log_path.open("wb" if too_long else "ab") as errors:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "memqa.jobs", "--home", str(home)),
                *("--settings-from-stdin", *arguments),
            ],
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


class Worker:
    """Works through a library's queue; only one at a time gets to."""

    def __init__(self, settings: Settings, *, engines: Engines | None = None) -> None:
        self._settings = settings
        self._engines = engines or CatalogEngines(settings.models)
        self._queue = Queue(settings.home)

    def run(self) -> None:
        """Work until nothing was queued for a while; gives up at once where another works."""
        while True:
            # A moment's patience: whoever merely looks whether we live holds the lock as well.
            with locked(_lock(self._settings.home), timeout_s=2) as held:
                if not held:
                    return
                self._queue.recover(max_attempts=self._settings.jobs.max_attempts)
                self._work_until_idle()
            # A job queued while we let go of the lock found a worker alive, and nobody else.
            if not any(job.state == "queued" for job in self._queue.all()):
                return

    def _work_until_idle(self) -> None:
        idle_since = time.monotonic()
        while True:
            if (job := self._queue.claim()) is not None:
                self._work(job)
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since >= self._settings.jobs.idle_exit_s:
                return
            else:
                time.sleep(_LOOK_S)

    def _work(self, job: Job) -> None:
        state, error, notes = self._ended(job)
        self._queue.finish(job.id, state, error=error, notes=notes)

    def _ended(self, job: Job) -> tuple[JobState, str | None, tuple[str, ...]]:
        from memqa.ingest import Ingest
        from memqa.store.store import Store

        watch = Watch(self._queue, job)
        listener = Listener(watch.told, watch.stops, lambda m: self._queue.identify(job.id, m))
        try:
            store = Store(self._settings.home)
            ingest = Ingest(store, self._engines, self._settings)
            outcome = ingest.take(Path(job.path), method=job.method, listener=listener)
        except IngestCancelled:
            if watch.wish != "pause":
                return "cancelled", None, ()
            media = store.read.find_media(self._queue.get(job.id).media_id or "")
            if media is not None:
                store.write.settle(replace(media, status="queued"))
            return "paused", None, ()
        except MemqaError as exc:
            return "failed", str(exc), ()
        except Exception as exc:  # a bug in one file's path must not take the queue down
            log.exception("unexpected while working on job %s", job.id)
            said = f"{type(exc).__name__}: {exc}".rstrip(": ")
            return "failed", f"something unexpected happened ({said}); see worker.log", ()
        return "done", None, outcome.media.notes if outcome.media else ()


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

    With ``--live JOB`` it watches the source whose address stands after the settings, and goes.
    """
    parser = argparse.ArgumentParser(prog="memqa.jobs", description=main.__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--settings-from-stdin", action="store_true")
    parser.add_argument("--live", metavar="JOB")
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    chosen, _, told = sys.stdin.read().partition("\n") if given.settings_from_stdin else ("",) * 3
    settings = Settings.model_validate_json(chosen) if chosen else settings_.load(home=given.home)
    if given.live:
        from memqa import watching

        watching.run(settings, given.live, told)
    else:
        Worker(settings).run()


def _lock(home: Path) -> Path:
    return home / "locks" / "worker.lock"

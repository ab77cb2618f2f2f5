"""A live source watched in a process of its own, so that it waits for no file and no file for it.

The job in the queue says what it is and how it stands; its address, which may hold a password, is
told to the process alone. A lock file says whether that process lives.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from memqa.engines import CatalogEngines, Engines
from memqa.ingest import Ingest, drop_upload, is_upload
from memqa.jobs import Job, JobState, Queue
from memqa.listening import Listener
from memqa.settings import Settings
from memqa.store.lock import is_held, locked
from memqa.store.store import Store
from memqa.worker import Watch, spawn
from models.errors import BackendError, MemqaError
from models.values import Picture
from vidmem.source import end_of, understand

log = logging.getLogger(__name__)

_PICTURE_EVERY_S, _PICTURE_PX = 0.8, 640
_LONGEST_START_S = 60.0  # between being asked for and beginning
_CUT_SHORT = "Watching was cut short before anything was remembered; watch it anew."


def start(settings: Settings, address: str, *, method: str) -> Job:
    """Let a live source be watched in the background, and give its job.

    Raises:
        InputError: it is no address of a live source.
    """
    job = Queue(settings.home).submit_live(understand(address).name, method=method)
    spawn(settings, "--live", job.id, told=address)
    return job


def stop(home: Path, job: Job) -> None:
    """Let a watch come to its end; of a recording, what was not seen yet still is."""
    path = Path(job.path)
    if job.state == "running" and is_upload(home, path) and not end_of(path).exists():
        end_of(path).touch()
    else:
        Queue(home).cancel(job.id)


def picture(home: Path, job_id: str) -> bytes | None:
    """Give what a source that is being watched showed last, a JPEG, if there is something yet."""
    with suppress(OSError):
        return _picture_path(home, job_id).read_bytes()
    return None


def settle(home: Path, jobs: Iterable[Job]) -> bool:
    """Note of watches whose process died that they are over; say whether there were any."""
    queue, found = Queue(home), False
    for job in jobs:
        if job.task != "live" or job.state not in ("queued", "running"):
            continue
        is_young = job.state == "queued" and time.time() - (job.started_at or 0) < _LONGEST_START_S
        if is_young or is_held(_lock(home, job.id)):
            continue
        now = queue.get(job.id)  # it may have ended between our two looks
        if now.state == job.state:
            found = True
            state: JobState = "done" if now.media_id else "failed"
            queue.finish(job.id, state, error=None if now.media_id else _CUT_SHORT)
            _leave(home, now, is_remembered=bool(now.media_id))
    return found


def run(settings: Settings, job_id: str, address: str, *, engines: Engines | None = None) -> None:
    """Watch the source of a job to its end; for the process that was started for it."""
    queue = Queue(settings.home)
    with locked(_lock(settings.home, job_id), timeout_s=2) as held:
        job = queue.begin_live(job_id) if held else None
        if job is None:
            return
        watched = _Watched(settings, queue, job, engines or CatalogEngines(settings.models))
        state, error, notes = watched.ended(address)
        queue.finish(job_id, state, error=error, notes=notes)
    with suppress(OSError):  # Windows keeps a file that is open; an empty one may stay
        _lock(settings.home, job_id).unlink()


@dataclass(frozen=True, slots=True)
class _Watched:
    """One watch, and how it ended."""

    settings: Settings
    queue: Queue
    job: Job
    engines: Engines

    def ended(self, address: str) -> tuple[JobState, str | None, tuple[str, ...]]:
        """Watch to the end, and say how the job ended: its state, error and notes."""
        home, job = self.settings.home, self.job
        store = Store(home)
        watch, showing = Watch(self.queue, job), _Showing(_picture_path(home, job.id))
        listener = Listener(
            watch.told, watch.stops, lambda m: self.queue.identify(job.id, m), showing.show
        )
        ended: tuple[JobState, str | None, tuple[str, ...]]
        try:
            taken = Ingest(store, self.engines, self.settings).take_live(
                address, method=job.method, for_s=None, listener=listener
            )
            ended = "done", None, taken.media.notes if taken.media else ()
        except MemqaError as exc:
            # a source that is told to end before it showed anything breaks off
            ended = ("cancelled", None, ()) if watch.wish else ("failed", str(exc), ())
        except Exception as exc:  # whoever waits for the source must hear of it
            log.exception("unexpected while watching for job %s", job.id)
            said = f"{type(exc).__name__}: {exc}".rstrip(": ")
            ended = "failed", f"something unexpected happened ({said}); see worker.log", ()
        media = store.read.find_media(self.queue.get(job.id).media_id or "")
        _leave(home, job, is_remembered=media is not None)
        return ended


class _Showing:
    """Keeps the newest picture in a file that anyone may read at any time."""

    def __init__(self, path: Path) -> None:
        self._path, self._shown_at = path, 0.0
        path.parent.mkdir(parents=True, exist_ok=True)

    def show(self, seen: Picture) -> None:
        from vidmem.frame import jpeg

        now = time.monotonic()
        if now - self._shown_at < _PICTURE_EVERY_S:
            return
        self._shown_at = now
        part = self._path.with_suffix(".part")
        part.write_bytes(jpeg(seen, width_px=_PICTURE_PX))
        os.replace(part, self._path)


def _leave(home: Path, job: Job, *, is_remembered: bool) -> None:
    """Clear away what a watch needed; make its recording one that plays, or none."""
    from vidmem.recording import complete

    _picture_path(home, job.id).unlink(missing_ok=True)
    path = Path(job.path)
    if not is_upload(home, path):
        return
    if not is_remembered:
        drop_upload(home, path)
        return
    try:
        complete(path)
    except BackendError as exc:
        log.warning("%s", exc)


def _picture_path(home: Path, job_id: str) -> Path:
    return home / "live" / f"{job_id}.jpg"


def _lock(home: Path, job_id: str) -> Path:
    return home / "locks" / f"live-{job_id}.lock"

"""A live source watched in a process of its own, so that it waits for no file and no file for it.

The job in the queue says what it is and how it stands; its address, which may hold a password, is
told to the process alone. A lock file says whether that process lives.
"""

from __future__ import annotations

import logging
import os
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from memqa.engines import CatalogEngines, Engines
from memqa.ingest import Ingest
from memqa.jobs import Job, JobState, Queue
from memqa.listening import Listener
from memqa.room import writing_to
from memqa.settings import Settings
from memqa.stale import LIVE
from memqa.store.lock import is_held, locked
from memqa.store.schema import MediaRow
from memqa.store.store import Store
from memqa.uploads import drop_upload, is_upload
from memqa.worker import Watch, spawn
from models.errors import BackendError, InputError, MemqaError, StoreConflict
from models.values import Picture
from vidmem.source import Source, end_of, understand

log = logging.getLogger(__name__)

_PICTURE_EVERY_S, _PICTURE_PX = 0.8, 640
_LONGEST_START_S = 60.0  # between being asked for and beginning
_MOST_AT_ONCE = 4  # each is a process with models of its own
_GOING = ("queued", "running")
_CUT_SHORT = "Watching was cut short before anything was remembered; watch it anew."


# The addresses that processes of this one watch, by their jobs: nobody else is told them.
_told: dict[str, str] = {}


def start(settings: Settings, address: str, *, method: str, is_recording: bool = False) -> Job:
    """Let a live source be watched in the background, and give its job.

    ``is_recording`` says that the address is a file that is written for this watch alone: it
    becomes the media's file, or goes where nothing is remembered.

    Raises:
        InputError: it is no address of a live source, it is watched already, or too many are.
        StoreConflict: another watch is being started at this moment.
    """
    home, source = settings.home, understand(address)
    if not is_recording:
        refuse_kept(home, source)
    with locked(home / "locks" / "live.lock", timeout_s=10) as held:
        if not held:
            raise StoreConflict("another live source is being started; try again in a moment")
        _refuse_more(home, source)
        job = Queue(home).submit_live(source.name, method=method)
        _told[job.id] = source.address
    if is_recording:
        _mark(home, job.id).parent.mkdir(parents=True, exist_ok=True)
        _mark(home, job.id).touch()
    _follow(spawn(settings, "--live", job.id, told=address), job.id)
    return job


def refuse_kept(home: Path, source: Source) -> None:
    """Refuse a file that the library knows already: watched anew it would be two media's file.

    Raises:
        InputError: it is an upload, or was indexed.
    """
    if source.kind != "growing":
        return
    rows = Store(home).read.media_rows()
    known = (name for row in rows if LIVE not in row.signatures for name in _paths(row))
    if is_upload(home, Path(source.address)) or source.address in known:
        raise InputError(f"{Path(source.name).name} is in the library already; ask it as it is")


def stop(home: Path, job: Job) -> None:
    """Let a watch come to its end; of a recording, what was not seen yet still is."""
    end = end_of(Path(job.path))
    if job.state == "running" and _mark(home, job.id).exists() and not end.exists():
        end.touch()
        return
    queue = Queue(home)
    queue.cancel(job.id)
    if job.state == "queued" and queue.get(job.id).state == "cancelled":  # nobody else clears up
        _leave(home, job, is_remembered=False)


def picture(home: Path, job_id: str) -> bytes | None:
    """Give what a source that is being watched showed last, a JPEG, if there is something yet."""
    with suppress(OSError):
        return _picture_path(home, job_id).read_bytes()
    return None


def settle(settings: Settings, jobs: Iterable[Job]) -> bool:
    """Note of watches whose process died that they are over; say whether there were any.

    The job of a recording stays open until a process of its own has made it one that plays.
    """
    home = settings.home
    over = [job for job in jobs if _is_open(job) and not _is_watched(home, job)]
    return any([_settled(settings, job.id) for job in over])


def _settled(settings: Settings, job_id: str) -> bool:
    home, queue = settings.home, Queue(settings.home)
    with locked(_lock(home, job_id)) as held:
        job = _open_job(queue, job_id) if held else None  # it may have ended since
        if job is None or _is_rewritten_soon(home, job):
            return False
        mark = _mark(home, job_id)
        is_next = job.media_id is not None and mark.exists() and not mark.stat().st_size
        if is_next:
            mark.write_text("rewritten", encoding="utf-8")
        else:
            _finish_dead(home, queue, job)
    if is_next:
        _follow(spawn(settings, "--live", job_id, "--rewrite", told=""), job_id)
    return True


def rewrite(home: Path, job_id: str) -> None:
    """Make the recording of a watch that died one that plays, then note that it is over."""
    queue = Queue(home)
    with locked(_lock(home, job_id), timeout_s=2) as held:
        job = _open_job(queue, job_id) if held else None
        if job is not None:
            _leave(home, job, is_remembered=True)
            queue.finish(job_id, "done")


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
        store = Store(home, spare_share=self.settings.limits.spare_share)
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
        with writing_to(self._path.parent):
            part.write_bytes(jpeg(seen, width_px=_PICTURE_PX))
            os.replace(part, self._path)


def _leave(home: Path, job: Job, *, is_remembered: bool) -> None:
    """Clear away what a watch needed; make its recording one that plays, or none."""
    from vidmem.recording import complete

    _picture_path(home, job.id).unlink(missing_ok=True)
    path, mark = Path(job.path), _mark(home, job.id)
    if mark.exists() and is_remembered:
        try:
            complete(path)
        except BackendError as exc:
            log.warning("%s", exc)
    elif mark.exists():
        drop_upload(home, path)
    mark.unlink(missing_ok=True)


def _finish_dead(home: Path, queue: Queue, job: Job) -> None:
    """Note that a watch is over; a recording that one process failed to rewrite stays as it is."""
    if job.media_id is not None:
        _mark(home, job.id).unlink(missing_ok=True)
    _leave(home, job, is_remembered=job.media_id is not None)
    if job.media_id is not None:
        queue.finish(job.id, "done")
    else:
        queue.finish(job.id, "failed", error=_CUT_SHORT)


def _is_rewritten_soon(home: Path, job: Job) -> bool:
    """Whether a process was just started to rewrite its recording, and is on its way."""
    try:
        mark = _mark(home, job.id).stat()
    except FileNotFoundError:
        return False
    return bool(mark.st_size) and time.time() - mark.st_mtime < _LONGEST_START_S


def _refuse_more(home: Path, source: Source) -> None:
    going = [job for job in Queue(home).all() if _is_open(job) and _is_watched(home, job)]
    if any(_is_same(job, source) for job in going):
        raise InputError(f"{source.name} is being watched already; it is among your media")
    if len(going) >= _MOST_AT_ONCE:
        raise InputError(
            f"{len(going)} live sources are being watched, which is the most at a time; "
            "stop one of them first"
        )


def _is_same(job: Job, source: Source) -> bool:
    """Whether a job watches this source; two cameras may differ in what their names leave out."""
    is_whole = source.kind != "stream" or source.name == source.address
    return job.path == source.name and (is_whole or _told.get(job.id) == source.address)


def _is_open(job: Job) -> bool:
    return job.task == "live" and job.state in _GOING


def _is_watched(home: Path, job: Job) -> bool:
    """Whether a process watches it, or is on its way."""
    is_young = job.state == "queued" and time.time() - (job.started_at or 0) < _LONGEST_START_S
    return is_young or is_held(_lock(home, job.id))


def _open_job(queue: Queue, job_id: str) -> Job | None:
    return next((job for job in queue.all() if job.id == job_id and _is_open(job)), None)


def _follow(process: subprocess.Popen[bytes], job_id: str) -> None:
    """Take note of a process's end, so that nothing of it stays."""

    def wait() -> None:
        process.wait()
        _told.pop(job_id, None)

    Thread(target=wait, name=f"live-{job_id}", daemon=True).start()


def _paths(row: MediaRow) -> tuple[str, ...]:
    return row.media.path, *row.aliases


def _mark(home: Path, job_id: str) -> Path:
    """Name the file that says of a watch that its source is a recording made for it.

    It is empty until a process is started to rewrite the recording of a watch that died.
    """
    return home / "live" / f"{job_id}.recording"


def _picture_path(home: Path, job_id: str) -> Path:
    return home / "live" / f"{job_id}.jpg"


def _lock(home: Path, job_id: str) -> Path:
    return home / "locks" / f"live-{job_id}.lock"

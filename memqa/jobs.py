"""The queue of a library's background work: one small SQLite file that every process can see.

Progress is written thousands of times, so it lives here and not in versions of a Lance table. The
worker (``python -m memqa.jobs --home DIR``) is one process per library; what it leaves unfinished,
however it dies, goes back to the queue.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias
from uuid import uuid4

from memqa.room import why_unwritten, writing_to
from memqa.shown import Shown
from memqa.values import Kind, Media
from models.errors import DiskFull, InputError, ReadOnly, SetupError
from models.values import Progress

JobState: TypeAlias = Literal["queued", "running", "paused", "done", "failed", "cancelled"]
Wish: TypeAlias = Literal["", "pause", "cancel"]
JobTask: TypeAlias = Literal["index", "reindex", "live"]

_BUSY_S = 30.0
_KEEP_FINISHED = 200
_TABLE = """
CREATE TABLE IF NOT EXISTS jobs (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE, path TEXT NOT NULL, method TEXT NOT NULL,
    media_id TEXT, kind TEXT, state TEXT NOT NULL, wish TEXT NOT NULL DEFAULT '',
    stage TEXT, done REAL, total REAL, unit TEXT, stage_at REAL, stage_from REAL, updated_at REAL,
    error TEXT, notes TEXT NOT NULL DEFAULT '[]', attempts INTEGER NOT NULL DEFAULT 0,
    started_at REAL, task TEXT NOT NULL DEFAULT 'index'
)
"""
_OPEN = "state IN ('queued', 'running', 'paused')"


@dataclass(frozen=True, slots=True)
class Job(Shown):
    """One file to be indexed in the background or brought up to date, or a live source watched.

    ``started_at`` is in seconds since the epoch; ``eta_s`` is how long the stage that ``progress``
    names will still take at its pace so far, None where that cannot be told yet.
    """

    id: str
    path: str
    state: JobState
    media_id: str | None = None
    kind: Kind | None = None
    progress: Progress | None = None
    error: str | None = None
    notes: tuple[str, ...] = ()
    started_at: float | None = None
    eta_s: float | None = None
    method: str = "auto"
    attempts: int = 0
    task: JobTask = "index"

    @property
    def is_open(self) -> bool:
        """Whether it runs, or is to run."""
        return self.state in ("queued", "running", "paused")


class Queue:
    """The jobs of the library under ``home``; every call is one short transaction.

    Raises:
        SetupError: ``home`` is no folder that can be written to.
        DiskFull: what a call writes finds no room; the queue stays as it was.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / "jobs.sqlite"
        try:
            home.mkdir(parents=True, exist_ok=True)
            with self._open() as db:
                db.execute(_TABLE)
                _add_missing(db)
        except (DiskFull, ReadOnly):
            if not (home / "tables").exists():  # only a library that is there can be asked as it is
                raise
        except (OSError, sqlite3.Error) as exc:
            if isinstance(said := why_unwritten(home, exc), DiskFull):
                raise said from exc
            why = "it is a file" if home.is_file() else getattr(exc, "strerror", None) or exc
            raise SetupError(
                f"the library {home} cannot be opened: {why}; choose another folder: "
                "memqa --home DIR …, or set MEMQA_HOME"
            ) from exc

    # For whoever wants something done

    def submit(
        self,
        path: str,
        *,
        method: str = "auto",
        task: JobTask = "index",
        media: Media | None = None,
    ) -> Job:
        """Queue a file; a job of the same path and task that is open is given back instead.

        ``media`` is what the file is known as already.
        """
        with self._open() as db:
            row = db.execute(
                f"SELECT * FROM jobs WHERE path = ? AND task = ? AND {_OPEN}", (path, task)
            ).fetchone()
            if row is None:
                job_id = uuid4().hex[:12]
                known = (media.id, media.kind) if media is not None else (None, None)
                db.execute(
                    "INSERT INTO jobs (id, path, method, task, media_id, kind, state) "
                    "VALUES (?, ?, ?, ?, ?, ?, 'queued')",
                    (job_id, path, method, task, *known),
                )
                row = db.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
                self._prune(db)
        return _job(row)

    def submit_live(self, name: str, *, method: str = "auto") -> Job:
        """Note a live source that a process of its own will watch; each watching is a job."""
        job_id = uuid4().hex[:12]
        with self._open() as db:
            db.execute(
                "INSERT INTO jobs (id, path, method, state, task, started_at) "
                "VALUES (?, ?, ?, 'queued', 'live', ?)",
                (job_id, name, method, time.time()),
            )
            self._prune(db)
        return self.get(job_id)

    def all(self) -> list[Job]:
        """Give every job, in the order they were queued."""
        return [_job(row) for row in self._read("SELECT * FROM jobs ORDER BY place")]

    def get(self, job_id: str) -> Job:
        """Give one job.

        Raises:
            InputError: there is no such job.
        """
        rows = self._read("SELECT * FROM jobs WHERE id = ?", job_id)
        if not rows:
            raise InputError(f"there is no job {job_id!r} in this library")
        return _job(rows[0])

    def pause(self, job_id: str) -> None:
        """Stop a job after its current step, to go on later.

        Raises:
            InputError: there is no such job, or it watches a live source.
        """
        self._refuse_live(job_id)
        self._stop(job_id, wish="pause", state="paused")

    def cancel(self, job_id: str) -> None:
        """Stop a job for good; what it remembered so far stays."""
        self._stop(job_id, wish="cancel", state="cancelled")

    def resume(self, job_id: str) -> None:
        """Queue a paused, failed or cancelled job again; it goes on where it stopped.

        Raises:
            InputError: there is no such job, or it watched a live source.
        """
        self._refuse_live(job_id)
        self._run(
            "UPDATE jobs SET state = 'queued', wish = '', error = NULL, attempts = 0 "
            "WHERE id = ? AND state IN ('paused', 'failed', 'cancelled')",
            job_id,
        )

    def forget(self, media_id: str, path: str) -> None:
        """Remove the jobs of a media; one that runs is told to stop."""
        # A live source may be watched anew under the same name.
        its = "(media_id = ? OR (path = ? AND task != 'live'))"
        open_ = f"state = 'running' AND {its}"
        self._run(f"UPDATE jobs SET wish = 'cancel' WHERE {open_}", media_id, path)
        gone = f"state != 'running' AND {its}"
        self._run(f"DELETE FROM jobs WHERE {gone}", media_id, path)

    # For the worker

    def claim(self) -> Job | None:
        """Take the oldest queued job and mark it as running."""
        with self._open() as db:
            row = db.execute(
                "UPDATE jobs SET state = 'running', wish = '', attempts = attempts + 1, "
                "started_at = ?, stage = NULL WHERE place = "
                "(SELECT min(place) FROM jobs WHERE state = 'queued' AND task != 'live') "
                "RETURNING *",
                (time.time(),),
            ).fetchall()
        return _job(row[0]) if row else None

    def begin_live(self, job_id: str) -> Job | None:
        """Mark a live source as being watched; None where that is not wished any more."""
        with self._open() as db:
            row = db.execute(
                "UPDATE jobs SET state = 'running', attempts = attempts + 1, started_at = ? "
                "WHERE id = ? AND state = 'queued' AND task = 'live' RETURNING *",
                (time.time(), job_id),
            ).fetchall()
        return _job(row[0]) if row else None

    def report(self, job_id: str, progress: Progress) -> None:
        """Note how far a job has come."""
        now = time.time()
        self._run(
            "UPDATE jobs SET "
            "stage_from = CASE WHEN stage IS ? THEN stage_from ELSE ? END, "
            "stage_at = CASE WHEN stage IS ? THEN stage_at ELSE ? END, "
            "stage = ?, done = ?, total = ?, unit = ?, updated_at = ? WHERE id = ?",
            *(progress.stage, progress.done, progress.stage, now),
            *(progress.stage, progress.done, progress.total, progress.unit, now, job_id),
        )

    def identify(self, job_id: str, media: Media) -> None:
        """Note which media a job's file turned out to be."""
        self._run(
            "UPDATE jobs SET media_id = ?, kind = ? WHERE id = ?", media.id, media.kind, job_id
        )

    def wish(self, job_id: str) -> Wish:
        """Say whether somebody wants a running job to stop."""
        rows = self._read("SELECT wish FROM jobs WHERE id = ?", job_id)
        wish: Wish = rows[0]["wish"] if rows else "cancel"
        return wish

    def finish(
        self, job_id: str, state: JobState, *, error: str | None = None, notes: tuple[str, ...] = ()
    ) -> None:
        """Note how a job ended, or that it is put aside; one that is over stays as it ended."""
        self._run(
            f"UPDATE jobs SET state = ?, wish = '', error = ?, notes = ? WHERE id = ? AND {_OPEN}",
            *(state, error, json.dumps(notes), job_id),
        )

    def recover(self, *, max_attempts: int) -> None:
        """Put what a dead worker left running back into the queue; only for the living worker.

        A file that took the worker down ``max_attempts`` times is given up.
        """
        gave_up = (
            f"the worker died {max_attempts} times while working on this file; it may need more "
            "memory than there is. Retry it, or see worker.log in the library's folder"
        )
        self._run(
            "UPDATE jobs SET state = CASE wish WHEN 'pause' THEN 'paused' "
            "WHEN 'cancel' THEN 'cancelled' ELSE 'failed' END, wish = '', "
            "error = CASE wish WHEN '' THEN ? ELSE NULL END "
            "WHERE state = 'running' AND task != 'live' AND (wish != '' OR attempts >= ?)",
            *(gave_up, max_attempts),
        )
        self._run("UPDATE jobs SET state = 'queued' WHERE state = 'running' AND task != 'live'")

    # Within

    def _refuse_live(self, job_id: str) -> None:
        if self.get(job_id).task == "live":
            raise InputError("a live source cannot be put aside or taken up again; watch it anew")

    def _stop(self, job_id: str, *, wish: Wish, state: JobState) -> None:
        self.get(job_id)
        waiting = ("queued",) if wish == "pause" else ("queued", "paused")
        marks = ", ".join("?" for _ in waiting)
        self._run("UPDATE jobs SET wish = ? WHERE id = ? AND state = 'running'", wish, job_id)
        self._run(
            f"UPDATE jobs SET state = ? WHERE id = ? AND state IN ({marks})",
            *(state, job_id, *waiting),
        )

    def _run(self, statement: str, *values: Any) -> None:
        with self._open() as db:
            db.execute(statement, values)

    def _read(self, query: str, *values: Any) -> list[sqlite3.Row]:
        if not self._path.exists():  # a library that was never opened where it could be written to
            return []
        with self._open(begin="BEGIN") as db:
            return db.execute(query, values).fetchall()

    @contextmanager
    def _open(self, *, begin: str = "BEGIN IMMEDIATE") -> Iterator[sqlite3.Connection]:
        with (
            writing_to(self._path.parent),
            closing(sqlite3.connect(self._path, timeout=_BUSY_S)) as db,
        ):
            db.row_factory = sqlite3.Row
            # What is forgotten must not stay readable in a freed page.
            db.execute("PRAGMA secure_delete = ON")
            db.execute("PRAGMA synchronous = NORMAL")
            with db:
                db.execute(begin)
                yield db

    @staticmethod
    def _prune(db: sqlite3.Connection) -> None:
        db.execute(
            "DELETE FROM jobs WHERE state IN ('done', 'failed', 'cancelled') AND place <= "
            "(SELECT max(place) FROM jobs) - ?",
            (_KEEP_FINISHED,),
        )


def _add_missing(db: sqlite3.Connection) -> None:
    """Give a queue that an older version wrote the column that came later."""
    if "task" not in {row["name"] for row in db.execute("PRAGMA table_info(jobs)")}:
        db.execute("ALTER TABLE jobs ADD COLUMN task TEXT NOT NULL DEFAULT 'index'")


def _job(row: sqlite3.Row) -> Job:
    progress = None
    if row["stage"] is not None and row["state"] in ("running", "paused"):
        progress = Progress(row["stage"], row["done"], row["total"], row["unit"])
    return Job(
        id=row["id"],
        path=row["path"],
        state=row["state"],
        media_id=row["media_id"],
        kind=row["kind"],
        progress=progress,
        error=row["error"],
        notes=tuple(json.loads(row["notes"])),
        started_at=row["started_at"],
        eta_s=_eta_s(row) if progress is not None and row["state"] == "running" else None,
        method=row["method"],
        attempts=row["attempts"],
        task=row["task"],
    )


def _eta_s(row: sqlite3.Row) -> float | None:
    """How long the stage still takes at the pace since it began."""
    done = row["done"] - row["stage_from"]
    elapsed_s = row["updated_at"] - row["stage_at"]
    if row["total"] is None or done <= 0 or elapsed_s < 1:
        return None
    return float((row["total"] - row["done"]) * elapsed_s / done)


if __name__ == "__main__":
    from memqa.worker import main

    main()

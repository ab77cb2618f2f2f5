"""A camera that is recorded elsewhere, as by the page: it comes in piece by piece and is watched.

The pieces go to the end of one file among the library's uploads, which is watched as it grows. It
is over when somebody says so or no piece has come for a while, and is a media like any other then.
"""

from __future__ import annotations

import shutil
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from memqa import watching
from memqa.room import writing_to
from memqa.uploads import drop_upload
from models.errors import InputError, MemqaError
from vidmem.live import PATIENCE_S
from vidmem.source import end_of

if TYPE_CHECKING:
    from memqa.jobs import Job
    from memqa.library import Library

MOST_PIECE_BYTES = 8_000_000
_SUFFIXES = {"video/webm": ".webm", "video/mp4": ".mp4"}
_OVER = "This recording is over; start the camera again for a new one."


@dataclass(slots=True)
class _Recording:
    """One recording: where it goes, how much has come, and the job that watches it."""

    path: Path
    job: Job | None = None
    pieces: int = 0
    size_bytes: int = 0
    heard_at: float = field(default_factory=time.monotonic)


class Recordings:
    """The recordings that come into one library; one at a time, from whichever page."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._lock = threading.Lock()
        self._open: dict[str, _Recording] = {}

    def begin(self, kind: str) -> str:
        """Give the id of a new recording of this MIME type.

        Raises:
            InputError: another one is going on, or it is no type that can be watched as it grows.
        """
        suffix = _SUFFIXES.get(kind.partition(";")[0].strip().lower())
        if suffix is None:
            raise InputError(f"This browser records {kind!r}, which cannot be watched as it grows.")
        with self._lock:
            if any(map(_is_going, self._open.values())):
                raise InputError("A camera is being watched already; stop that one first.")
            self._open = {}
            name = datetime.now().strftime("camera-%Y-%m-%d-%H%M%S")
            recording = uuid4().hex
            path = self._library.home / "uploads" / recording[:12] / f"{name}{suffix}"
            self._open[recording] = _Recording(path)
        return recording

    def add(self, recording: str, number: int, piece: bytes) -> Job:
        """Take the next piece, numbered from 0, and give the job that watches the recording.

        Raises:
            InputError: it is over, a piece is missing, or it would be larger than is allowed.
            DiskFull: there is no room for the piece; it is over, and what came before is watched.
        """
        with self._lock:
            found = self._going(recording)
            try:
                self._check(found, number, piece)
                self._append(found.path, piece)
            except MemqaError:
                self._finish(recording)
                raise
            found.pieces, found.heard_at = found.pieces + 1, time.monotonic()
            found.size_bytes += len(piece)
            if found.job is None:
                found.job = self._watched(recording, found.path)
            return found.job

    def is_over(self, recording: str) -> bool:
        """Say whether no more of a recording is taken, since it was ended or fell silent."""
        with self._lock:
            found = self._open.get(recording)
            return found is None or not _is_going(found)

    def end(self, recording: str) -> None:
        """Say that no more comes; what has come is watched to its end."""
        with self._lock:
            self._finish(recording)

    def _going(self, recording: str) -> _Recording:
        found = self._open.get(recording)
        if found is None or not _is_going(found):
            raise InputError(_OVER)
        return found

    def _check(self, found: _Recording, number: int, piece: bytes) -> None:
        limit = self._library.settings.limits.max_upload_bytes
        if number != found.pieces:
            raise InputError("A piece of the recording was lost on its way, so it ends here.")
        if len(piece) > MOST_PIECE_BYTES:
            raise InputError("A piece of the recording is too large, so it ends here.")
        if found.size_bytes + len(piece) > limit:
            raise InputError(f"The recording has reached {limit / 1e9:.1f} GB, so it ends here.")
        free = shutil.disk_usage(self._library.home).free
        if free - len(piece) < self._library.settings.limits.min_free_bytes:
            raise InputError("The disk of this library is nearly full, so the recording ends here.")

    def _append(self, path: Path, piece: bytes) -> None:
        with writing_to(self._library.home):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(piece)

    def _watched(self, recording: str, path: Path) -> Job:
        """Let a recording be watched; one that cannot be leaves nothing."""
        try:
            return watching.start(
                self._library.settings, str(path), method="auto", is_recording=True
            )
        except MemqaError:
            del self._open[recording]
            drop_upload(self._library.home, path)
            raise

    def _finish(self, recording: str) -> None:
        found = self._open.pop(recording, None)
        if found is None:
            return
        if found.job is None:  # nobody watches what came of its first piece
            drop_upload(self._library.home, found.path)
        elif found.path.parent.exists():
            with suppress(OSError):  # no room for it either: the watch ends once no piece comes
                end_of(found.path).touch()


def _is_going(found: _Recording) -> bool:
    """Say whether more may come: the watcher waits only so long, and may have been stopped."""
    if time.monotonic() - found.heard_at >= PATIENCE_S:
        return False
    return not found.pieces or (found.path.exists() and not end_of(found.path).exists())

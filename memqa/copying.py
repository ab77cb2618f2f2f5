"""Files that are carried along: the one that came with a folder, and a copy proved by its bytes."""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path

from memqa.listening import Listener
from models.errors import IngestCancelled, UnreadableMedia

PART = ".part"  # the name of a copy until it is whole
SPARE_BYTES = 50_000_000  # what is left free on a disk
_BLOCK_BYTES = 8 * 2**20
_ABANDONED_S = 3600.0


def copied(path: Path, target: Path, sha256: str, listener: Listener) -> bool:
    """Copy a file, whose folder is made; False where its bytes are others, and no copy is left.

    Raises:
        UnreadableMedia: the file cannot be read; an OSError is the target's.
        IngestCancelled: the listener wished it; no copy is left.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.parent / PART
    try:
        times = _copy(path, part, sha256, listener)
        if times is None:
            return False
        os.utime(part, ns=times)
        part.replace(target)
        return True
    finally:
        part.unlink(missing_ok=True)
        drop_if_empty(target.parent)


def is_there(path: Path) -> bool:
    """Say whether there is a file.

    Raises:
        UnreadableMedia: its folder may not be looked into.
    """
    try:
        return path.is_file()
    except OSError as exc:
        raise _unreadable(path, exc) from exc


def drop_if_empty(folder: Path) -> None:
    """Remove a folder that holds nothing."""
    if not any(folder.iterdir()):
        folder.rmdir()


def sweep(uploads: Path) -> None:
    """Remove the copies that a killed process left half made, once none has grown for an hour."""
    for part in uploads.glob(f"*/{PART}"):
        with suppress(FileNotFoundError):  # it was just finished
            # A file that was moved here kept its time; the folder has the time of the move.
            touched = max(part.stat().st_mtime, part.parent.stat().st_mtime)
            if time.time() - touched > _ABANDONED_S:
                part.unlink()
                drop_if_empty(part.parent)


def only_file(folder: Path, media_id: str) -> Path | None:
    """Give the one plain file that lies in an exported folder for a media; a link is none."""
    below = folder / "uploads" / media_id[:12]
    if below.is_symlink() or below.parent.is_symlink() or not below.is_dir():
        return None
    files = list(below.iterdir())
    if len(files) != 1 or files[0].is_symlink() or not files[0].is_file():
        return None
    return files[0]


def _copy(path: Path, part: Path, sha256: str, listener: Listener) -> tuple[int, int] | None:
    """Write the bytes of a file into another and give its times, None where they are others."""
    digest, done = hashlib.sha256(), 0
    try:
        file = path.open("rb")
    except OSError as exc:
        raise _unreadable(path, exc) from exc
    with file, part.open("wb") as out:
        stat = os.fstat(file.fileno())
        while True:
            try:
                block = file.read(_BLOCK_BYTES)
            except OSError as exc:
                raise _unreadable(path, exc) from exc
            if not block:
                break
            if listener.stops():
                raise IngestCancelled("stopped while copying files; run it again to go on")
            digest.update(block)
            out.write(block)
            done += len(block)
            listener.progress("Copying the file", done, stat.st_size, "bytes")
    return (stat.st_atime_ns, stat.st_mtime_ns) if digest.hexdigest() == sha256 else None


def _unreadable(path: Path, error: OSError) -> UnreadableMedia:
    return UnreadableMedia(f"{path} cannot be read: {error.strerror or error}")

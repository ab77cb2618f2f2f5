"""What is said where a disk is full or a folder may not be written to, whoever ran into it.

LanceDB, SQLite and Python each tell it in their own way; here it becomes one sentence that names
the place, what is free there and what to do.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.errors import DiskFull, ReadOnly, SetupError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (errno.EROFS, errno.EACCES, errno.EPERM)
# LanceDB passes errors of the system on as text.
_SAID_FULL = tuple(f"(os error {number})" for number in _FULL)
_SAID_REFUSED = tuple(f"(os error {number})" for number in _REFUSED)
# SQLite says of a journal that found no room, or no leave, only that it cannot be opened.
_PERHAPS = ("SQLITE_CANTOPEN", "SQLITE_IOERR")
_NO_ROOM_BYTES = 64 * 2**10
# What the libraries raise that write for us.
ERRORS = (OSError, RuntimeError, ValueError, sqlite3.Error)


@contextmanager
def writing_to(place: Path) -> Iterator[None]:
    """Say in one sentence that there is no room at a place, or that nothing may be written there.

    Raises:
        DiskFull: its disk is full.
        ReadOnly: it may not be written to.
    """
    try:
        yield
    except ERRORS as exc:
        if (said := why_unwritten(place, exc)) is None:
            raise
        raise said from exc


def why_unwritten(place: Path, error: BaseException) -> SetupError | None:
    """Give the error to raise where a write failed for lack of room or of permission."""
    if _is_full(place, error):
        return DiskFull(
            f"the disk with {place} is full: {_free_bytes(place) / 1e6:.0f} MB are free there; "
            "free some room and do it again, what is remembered so far stays"
        )
    if _is_refused(place, error):
        return ReadOnly(
            f"{place} may only be read here, so nothing can be added, changed or forgotten in it; "
            "change its permissions or choose another folder: memqa --home DIR …"
        )
    return None


def _is_full(place: Path, error: BaseException) -> bool:
    if isinstance(error, sqlite3.Error):
        name = str(getattr(error, "sqlite_errorname", ""))
        may_be = name.startswith(_PERHAPS)
        return name == "SQLITE_FULL" or (may_be and _free_bytes(place) < _NO_ROOM_BYTES)
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _FULL
    return any(said in str(error) for said in _SAID_FULL)


def _is_refused(place: Path, error: BaseException) -> bool:
    if isinstance(error, sqlite3.Error):
        name = str(getattr(error, "sqlite_errorname", ""))
        may_be = name.startswith(_PERHAPS) and place.exists()
        return name.startswith("SQLITE_READONLY") or (may_be and not os.access(place, os.W_OK))
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _REFUSED
    return any(said in str(error) for said in _SAID_REFUSED)


def _free_bytes(place: Path) -> int:
    there = next(folder for folder in (place, *place.parents) if folder.exists())
    return shutil.disk_usage(there).free

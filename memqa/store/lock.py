"""Locks between processes: who may write to the store, who indexes which media.

A lock is a file held open; the system frees it when its holder dies, however it dies.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_POLL_S = 0.01


@contextmanager
def locked(path: Path, *, timeout_s: float = 0.0) -> Iterator[bool]:
    """Hold the lock file ``path`` inside the block; gives False where another holds it.

    It is tried again until ``timeout_s`` has passed. Two holders within one process exclude each
    other as well.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_s
    # Opened anew for each try: a holder may remove the file when it is done.
    while (file := _taken(path)) is None and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    try:
        yield file is not None
    finally:
        if file is not None:
            _free(file)
            file.close()


def is_held(path: Path) -> bool:
    """Say whether a living process holds the lock file ``path``."""
    if not path.exists():
        return False
    try:
        with locked(path) as free:
            return not free
    except OSError:  # it may not be written to here; who holds it can be told all the same
        with path.open("rb") as file:
            return not _try(file)


def _taken(path: Path) -> IO[bytes] | None:
    file = path.open("a+b")
    if _try(file):
        return file
    file.close()
    return None


if sys.platform == "win32":
    import msvcrt

    def _try(file: IO[bytes]) -> bool:
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _free(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        # A lock file that was removed after we opened it protects nothing.
        return os.fstat(file.fileno()).st_nlink > 0

    def _free(file: IO[bytes]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_UN)

"""Keeping what was written through a power cut: LanceDB leaves its files to the system, for later.

Files of a table are never changed once they are written. So it is enough to hand each new one to
the disk, and the folders that name them: rows before what makes them seen, and both before what
they replace is removed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

log = logging.getLogger(__name__)

_END = b"LANC"  # a manifest that was written to its end ends so
_LEAST_BYTES = 16
_QUARRELS = "_transactions"  # read where two wrote at once, which locks prevent here
_AT_ONCE = 8


class Durable:
    """Hands the files below ``folder`` to the disk, each once; on Windows the system does so."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._secured: set[str] = set()

    def secure(self) -> None:
        """Come back once everything that is written by now would be found after a power cut."""
        if os.name == "nt":
            return
        there = dict(_files(self._folder))
        new = there.keys() - self._secured
        if new:
            folders = {there[file] for file in new}
            # Side by side, since a file system writes down many at the cost of one.
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                list(pool.map(_hand_over, new))
                list(pool.map(_hand_over, folders | {os.path.dirname(one) for one in folders}))
        self._secured = set(there)


def torn(table: Path) -> list[Path]:
    """Find the newest versions of a table of which a power cut left only a part.

    No process can be writing them: a version gets its name once it is whole.
    """
    newest_first = sorted((table / "_versions").glob("*.manifest"))
    return list(takewhile(lambda manifest: not _is_whole(manifest), newest_first))


def drop_torn(table: Path) -> None:
    """Remove those, so that the table is again as it was before."""
    for manifest in torn(table):
        log.warning("%s was cut short; %s is as it was before", manifest.name, table.stem)
        manifest.unlink(missing_ok=True)


def _is_whole(manifest: Path) -> bool:
    try:
        with manifest.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - len(_END)))
            return size >= _LEAST_BYTES and file.read() == _END
    except FileNotFoundError:  # tidied away since it was listed, as only whole ones are
        return True


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the files below a folder, with where each lies; what only a quarrel needs is left."""
    for place, folders, names in os.walk(folder):
        if _QUARRELS in folders:
            folders.remove(_QUARRELS)
        yield from ((os.path.join(place, name), place) for name in names)


def _hand_over(path: str) -> None:
    with suppress(FileNotFoundError):  # removed meanwhile, so that nothing rests on it
        opened = os.open(path, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)

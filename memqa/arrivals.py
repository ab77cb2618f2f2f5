"""Which files of a watched folder are ready to be taken in: whole, new or changed, and media.

Knows nothing of the library. A file is ready once neither its size nor its time has changed for a
while, so that a copy or a download is not read half-way.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SETTLE_S = 2.0
_PARTIAL = (".part", ".partial", ".crdownload", ".download", ".opdownload", ".tmp", ".aria2")
_MOST_FAILED = 4096
_AGAIN_AFTER_S = (15.0, 900.0)  # the first wait, doubled each time up to the longest


@dataclass(frozen=True, slots=True)
class _Look:
    """What a path looked like, and since when (on the caller's clock) it has looked so."""

    size_bytes: int
    mtime_ns: int
    since_s: float

    def same(self, other: _Look) -> bool:
        return (self.size_bytes, self.mtime_ns) == (other.size_bytes, other.mtime_ns)


@dataclass(frozen=True, slots=True)
class _Wait:
    """How long a file waits for its next try, and until when."""

    for_s: float
    until_s: float


class Arrivals:
    """The files of a folder that are on their way; ``home`` is never looked into."""

    def __init__(
        self, folder: Path, home: Path, *, recursive: bool = False, settle_s: float = SETTLE_S
    ) -> None:
        self._folder, self._home = folder, home
        self._recursive, self._settle_s = recursive, settle_s
        self._pending: dict[Path, _Look] = {}
        self._failed: OrderedDict[Path, _Look] = OrderedDict()
        self._waiting: dict[Path, _Wait] = {}

    def lying_there(self, now_s: float) -> list[Path]:
        """Give the files that are there already, by name; those just written are on their way."""
        found = self._folder.rglob("*") if self._recursive else self._folder.iterdir()
        files = sorted(path for path in found if self.counts(path) and path.is_file())
        fresh = {path for path in files if time.time() - _mtime_s(path) < self._settle_s}
        self.note(fresh, now_s)
        return [path for path in files if path not in fresh]

    def counts(self, path: Path) -> bool:
        """Say whether a path may be a media on its own: neither hidden nor part of a download."""
        try:
            parts = path.relative_to(self._folder).parts
        except ValueError:
            return False
        if not parts or (len(parts) > 1 and not self._recursive):
            return False
        name = parts[-1].lower()
        is_aside = any(part.startswith(".") for part in parts) or name.startswith("~$")
        is_partial = name.endswith(_PARTIAL)
        return not (is_aside or is_partial or self._home == path or self._home in path.parents)

    def note(self, paths: Iterable[Path], now_s: float) -> None:
        """Remember that something happened to these paths."""
        for path in paths:
            look = _look(path, now_s) if self.counts(path) else None
            if look is None:
                self._pending.pop(path, None)
                continue
            failed = self._failed.get(path)
            if failed is None or not failed.same(look):
                self._pending[path] = look

    def ready(self, now_s: float) -> list[Path]:
        """Take out the files that have been whole for a while; those of a new folder come next."""
        done = []
        for path, before in list(self._pending.items()):
            look = _look(path, now_s)
            if look is None:
                del self._pending[path]
            elif not look.same(before):
                self._pending[path] = look
            elif now_s - before.since_s >= self._settle_s:
                del self._pending[path]
                done.append(path)
        for folder in done:
            # That nothing is added to a folder says nothing of the files in it.
            if self._recursive and folder.is_dir():
                self.note(sorted(one for one in folder.rglob("*") if one.is_file()), now_s)
        done += self._due(now_s)
        return [path for path in dict.fromkeys(done) if path.is_file()]

    def done(self, path: Path) -> None:
        """Note that a file was taken in."""
        self._waiting.pop(path, None)

    def later(self, path: Path, now_s: float) -> None:
        """Give a file again after a while, a longer one each time that it is put off."""
        first, longest = _AGAIN_AFTER_S
        before = self._waiting.get(path)
        for_s = first if before is None else min(longest, 2 * before.for_s)
        self._waiting[path] = _Wait(for_s, now_s + for_s)

    def failed(self, path: Path) -> None:
        """Leave a file alone until it changes."""
        self._waiting.pop(path, None)
        look = _look(path, 0.0)
        if look is not None:
            self._failed[path] = look
            self._failed.move_to_end(path)
        while len(self._failed) > _MOST_FAILED:
            self._failed.popitem(last=False)

    def _due(self, now_s: float) -> list[Path]:
        """Give the files whose wait is over; the wait is remembered until they are done."""
        due = [path for path, wait in self._waiting.items() if wait.until_s <= now_s]
        for path in due:
            if path.exists():
                self._waiting[path] = _Wait(self._waiting[path].for_s, math.inf)
            else:
                del self._waiting[path]
        return due


def _look(path: Path, now_s: float) -> _Look | None:
    try:
        stat = path.stat()
    except OSError:  # gone again, or a link that leads nowhere
        return None
    return _Look(stat.st_size, stat.st_mtime_ns, now_s)


def _mtime_s(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # gone meanwhile
        return 0.0

"""A library, or some media of it, written as one folder: a library that another machine opens.

It is made beside its place and moved there when it is whole, so that an export that was cut short
leaves an earlier one as it was. Only rows that count are copied: nothing that was forgotten goes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from memqa.carried import Carried, Entry, Manifest, version
from memqa.chats import shown_in
from memqa.ingest import leased
from memqa.listening import Listener
from memqa.stale import FINISHED
from memqa.store.lock import locked
from memqa.store.schema import NOTHING_COMMITTED, SCHEMA_VERSION, MediaRow
from models.errors import IngestCancelled, InputError, MemqaError, SetupError, StoreConflict

if TYPE_CHECKING:
    from memqa.library import Library
    from memqa.store.source import Source
    from memqa.store.store import Store

_BLOCK_BYTES = 8 * 2**20
_SPARE_BYTES = 50_000_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be carried: which media, None for all; whether files and chats go with them."""

    media_ids: tuple[str, ...] | None = None
    with_files: bool = False
    with_chats: bool = False


def export(library: Library, folder: Path, wanted: Wanted, listener: Listener) -> list[Carried]:
    """Write the folder; see `Library.export`."""
    folder = folder.expanduser().resolve()
    rows = _chosen(library, wanted)
    _check_place(library.home, folder)
    _check_earlier(folder, rows, wanted)
    _check_room(folder, rows, wanted)
    unfinished = folder.with_name(f".{folder.name}.memqa-export")
    with _alone(library.home), _written(folder):
        shutil.rmtree(unfinished, ignore_errors=True)  # an earlier run was killed
        try:
            outcomes = _Export(library, folder, unfinished, wanted, listener).run(rows)
            if any(one.status == "exported" for one in outcomes):
                _put_in_place(unfinished, folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return outcomes


class _Export:
    """One export under way: from where, to where, and whom to tell."""

    def __init__(
        self, library: Library, folder: Path, place: Path, wanted: Wanted, listener: Listener
    ) -> None:
        from memqa.store.source import Source
        from memqa.store.store import Store

        self._library = library
        self._folder, self._place = folder, place
        self._wanted, self._listener = wanted, listener
        self._source: Source = Source(library.home)
        self._target: Store = Store(place)

    def run(self, rows: list[MediaRow]) -> list[Carried]:
        """Copy the media, what ties them together, and say last what the folder holds."""
        outcomes = []
        for done, row in enumerate(rows):
            self._listener.progress("Copying memories", done, len(rows), "media")
            outcomes.append(self._media(row))
        kept = {one.media.id: one for one in outcomes if one.media and one.status == "exported"}
        self._collections(set(kept))
        if self._wanted.with_chats:
            self._chats(set(kept))
        self._target.upkeep.compact()
        shutil.rmtree(self._place / "locks")
        entries = [
            Entry(id_, one.media.name, one.media.kind, one.media.memories, one.with_file)
            for id_, one in kept.items()
            if one.media
        ]
        now = datetime.now(UTC).isoformat(timespec="seconds")
        manifest = Manifest(SCHEMA_VERSION, version(), now, tuple(entries), self._wanted.with_chats)
        manifest.write(self._place)
        return outcomes

    def _media(self, row: MediaRow) -> Carried:
        try:
            with leased(self._library.home, row.media.id):
                return self._copied(self._as_it_is_now(row))
        except StoreConflict:
            error = StoreConflict(
                f"{row.media.name} is being worked on; wait until that is done and export again"
            )
            return Carried(row.media.path, "failed", row.media, error=error)
        except IngestCancelled:
            raise
        except MemqaError as exc:
            return Carried(row.media.path, "failed", row.media, error=exc)

    def _as_it_is_now(self, row: MediaRow) -> MediaRow:
        found = next((one for one in self._source.media() if one.media.id == row.media.id), None)
        if found is None:
            raise InputError(
                f"nothing of {row.media.name} is remembered yet; go on with it: "
                f"memqa index {row.media.path}"
            )
        return found

    def _copied(self, row: MediaRow) -> Carried:
        notes, file = [], None
        if row.media.status not in FINISHED:
            notes.append("It is not indexed to its end; `memqa index` goes on with it there too.")
            row = replace(row, media=replace(row.media, status="cancelled"))
        if self._wanted.with_files:
            file = self._file(row)
            if file is None:
                notes.append(
                    f"Its file is not as it was indexed, and stays behind: {row.media.path}"
                )
        moved = row
        if file is not None:
            at_last = self._folder / file.relative_to(self._place)
            stat = file.stat()
            moved = replace(
                row,
                media=replace(row.media, path=str(at_last)),
                aliases=(row.media.path,),
                size_bytes=stat.st_size,
                mtime_ns=stat.st_mtime_ns,
            )
        # Held, since tidying up takes away what is being read.
        with self._library.store.writing():
            taken = self._target.receive.take(self._source, moved, should_stop=self._listener.stops)
        if taken is None:
            raise IngestCancelled("the export was stopped; nothing of it is left")
        return Carried(
            row.media.path, "exported", taken.media, with_file=file is not None, notes=tuple(notes)
        )

    def _file(self, row: MediaRow) -> Path | None:
        for path in map(Path, (row.media.path, *row.aliases)):
            if path.is_file():
                folder = self._place / "uploads" / row.media.id[:12]
                copy = copied(path, folder, row.media.id, self._listener)
                if copy is not None:
                    return copy
        return None

    def _collections(self, ids: set[str]) -> None:
        for name, members in self._source.collections():
            kept = [one for one in members if one in ids]
            if kept or self._wanted.media_ids is None:
                self._target.collections.add(name, kept)

    def _chats(self, ids: set[str]) -> None:
        """Copy the chats all of whose turns show nothing but these media."""
        turns = self._source.turns()
        others = {turn["chat"] for turn in turns if shown_in(turn) - ids}
        for turn in turns:
            if turn["chat"] not in others:
                self._target.write.add_turn(turn)


def copied(path: Path, folder: Path, sha256: str, listener: Listener) -> Path | None:
    """Copy a file into a folder and give the copy; None where its bytes are others.

    Raises:
        IngestCancelled: the listener wished it; no copy is left.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target, part = folder / path.name, folder / ".part"
    digest, done = hashlib.sha256(), 0
    try:
        with path.open("rb") as file, part.open("wb") as out:
            stat = os.fstat(file.fileno())
            while block := file.read(_BLOCK_BYTES):
                if listener.stops():
                    raise IngestCancelled("stopped while copying files; run it again to go on")
                digest.update(block)
                out.write(block)
                done += len(block)
                listener.progress("Copying the file", done, stat.st_size, "bytes")
        if digest.hexdigest() != sha256:
            return None
        os.utime(part, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        part.replace(target)
        return target
    finally:
        part.unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()


def _chosen(library: Library, wanted: Wanted) -> list[MediaRow]:
    rows = [row for row in library.store.read.media_rows() if not row.forgetting]
    chosen = [row for row in rows if wanted.media_ids is None or row.media.id in wanted.media_ids]
    if not chosen:
        raise InputError(
            f"the library {library.home} is empty, there is nothing to export; "
            "add something: memqa index FILE"
        )
    return sorted(chosen, key=lambda row: row.media.added_at)


def _check_place(home: Path, folder: Path) -> None:
    if folder == home or home in folder.parents or folder in home.parents:
        raise InputError(f"{folder} and the library {home} lie in each other; name another folder")
    if not folder.parent.is_dir():
        raise InputError(f"there is no folder {folder.parent}; make it, or name another one")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; name a new folder")


def _check_earlier(folder: Path, rows: list[MediaRow], wanted: Wanted) -> None:
    """Refuse a folder that holds anything but an earlier export of the same, or of a part of it."""
    if not folder.exists() or not any(folder.iterdir()):
        return
    another = "name a new folder"
    try:
        earlier = Manifest.read(folder)
    except MemqaError as exc:
        raise InputError(f"{folder} is not empty and no export of memqa; {another}") from exc
    if (folder / "jobs.sqlite").exists():
        raise InputError(f"{folder} was opened as a library since it was exported; {another}")
    new = {row.media.id for row in rows if row.committed_segment > NOTHING_COMMITTED}
    lost = [entry.name for entry in earlier.media if entry.id not in new]
    if lost:
        raise InputError(
            f"{folder} is an earlier export that also holds {', '.join(lost[:3])}"
            f"{' and more' if len(lost) > 3 else ''}; {another}"
        )
    for there, given, option in (
        (any(entry.file for entry in earlier.media), wanted.with_files, "--with-files"),
        (earlier.chats, wanted.with_chats, "--with-chats"),
    ):
        if there and not given:
            raise InputError(
                f"{folder} is an earlier export made {option}; give {option} again, or {another}"
            )


def _check_room(folder: Path, rows: list[MediaRow], wanted: Wanted) -> None:
    needed = _SPARE_BYTES + sum(2 * row.media.bytes for row in rows)
    if wanted.with_files:
        needed += sum(row.size_bytes for row in rows)
    free = shutil.disk_usage(folder.parent).free
    if needed > free:
        raise SetupError(
            f"the export needs about {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free at "
            f"{folder.parent}; name a folder on another disk"
        )


def _put_in_place(unfinished: Path, folder: Path) -> None:
    """Move the export to its place; an earlier one stays until then."""
    earlier = folder.with_name(f".{folder.name}.memqa-earlier")
    shutil.rmtree(earlier, ignore_errors=True)
    if folder.exists():
        folder.rename(earlier)
    unfinished.rename(folder)
    shutil.rmtree(earlier, ignore_errors=True)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    with locked(home / "locks" / "export.lock") as held:
        if not held:
            raise StoreConflict("another export of this library is under way; wait for that one")
        yield


@contextmanager
def _written(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise SetupError(
            f"{folder} cannot be written: {exc.strerror or exc}; free some room or name another "
            "folder"
        ) from exc

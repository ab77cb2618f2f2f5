"""A library, or some media of it, written as one folder: a library that another machine opens.

It is made beside its place and moved there when it is whole, so that an export that was cut short
leaves an earlier one as it was. Only rows that count are copied: nothing that was forgotten goes.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from memqa import placing
from memqa.addresses import is_address
from memqa.alone import leased
from memqa.carried import Carried, Entry, Manifest, version
from memqa.chats import shown_in, turn_from
from memqa.copying import copied, is_there, only_file
from memqa.homes import refuse_address
from memqa.listening import Listener
from memqa.stale import FINISHED
from memqa.store.rows import Row
from memqa.store.schema import FILE_ABSENT, NOTHING_COMMITTED, SCHEMA_VERSION, MediaRow
from models.errors import (
    IngestCancelled,
    InputError,
    MemqaError,
    StoreConflict,
    UnreadableMedia,
)

if TYPE_CHECKING:
    from memqa.opened import Opened
    from memqa.store.source import Source
    from memqa.store.store import Store


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be carried: which media, None for all; whether files and chats go with them."""

    media_ids: tuple[str, ...] | None = None
    with_files: bool = False
    with_chats: bool = False


def export(library: Opened, folder: Path, wanted: Wanted, listener: Listener) -> list[Carried]:
    """Write the folder; see `Library.export`."""
    refuse_address(folder, "`memqa --home s3://BUCKET/PREFIX import DIR` carries it there from one")
    folder = folder.expanduser().resolve()
    rows = _chosen(library, wanted)
    placing.check_place(library.home, folder)
    unfinished = folder.with_name(f".{folder.name}.memqa-export")
    with placing.written(library.home, folder):
        placing.put_back(folder)
        placing.check_earlier(folder, rows, wanted)
        placing.check_room(folder, rows, wanted)
        shutil.rmtree(unfinished, ignore_errors=True)  # an earlier run was killed
        try:
            outcomes = _Export(library, folder, unfinished, wanted, listener).run(rows)
            if any(one.status == "exported" for one in outcomes):
                placing.check_nothing_lost(folder, outcomes)
                placing.put_in_place(unfinished, folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return outcomes


class _Export:
    """One export under way: from where, to where, and whom to tell."""

    def __init__(
        self, library: Opened, folder: Path, place: Path, wanted: Wanted, listener: Listener
    ) -> None:
        from memqa.store.store import Store

        self._library = library
        self._folder, self._place = folder, place
        self._wanted, self._listener = wanted, listener
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
        found = self._library.store.read.media_row(row.media.id)
        if found is None or found.forgetting:
            raise InputError(f"{row.media.name} was forgotten meanwhile")
        if found.committed_segment == NOTHING_COMMITTED:
            raise InputError(
                f"nothing of {row.media.name} is remembered yet; go on with it: "
                f"memqa index {row.media.path}"
            )
        return found

    def _copied(self, row: MediaRow) -> Carried:
        notes: list[str] = []
        file: Path | None = None
        if row.media.status not in FINISHED:
            notes.append("It is not indexed to its end; `memqa index` goes on with it there too.")
            row = replace(row, media=replace(row.media, status="cancelled"))
        if self._wanted.with_files:
            file, why = self._file(row)
            notes += why
        moved = self._moved(row, file) if file else row
        source, stops = self._source(), self._listener.stops
        taken = self._target.receive.take(source, moved, should_stop=stops)
        if taken is None:
            raise IngestCancelled("the export was stopped; nothing of it is left")
        return Carried(
            row.media.path, "exported", taken.media, with_file=file is not None, notes=tuple(notes)
        )

    def _source(self) -> Source:
        """Open the library to read a media that is leased: all tables that it is in are there."""
        from memqa.store.source import Source

        with self._library.store.writing():
            return Source(self._library.home, is_own=True)

    def _moved(self, row: MediaRow, file: Path) -> MediaRow:
        """Say of a media that its file lies where its copy will be."""
        at_last = self._folder / file.relative_to(self._place)
        stat = file.stat()
        notes = [one for one in row.media.notes if not one.startswith(FILE_ABSENT)]
        return replace(
            row,
            media=replace(row.media, path=str(at_last), notes=tuple(notes)),
            aliases=(row.media.path,),
            size_bytes=stat.st_size,
            mtime_ns=stat.st_mtime_ns,
        )

    def _file(self, row: MediaRow) -> tuple[Path | None, list[str]]:
        """Copy the file of a media, if need be out of the earlier export; else say why not."""
        is_here = not is_address(row.media.path)
        why = "is not as it was indexed, and stays behind" if is_here else "is only at its address"
        notes = [f"Its file {why}: {row.media.path}"]
        earlier = only_file(self._folder, row.media.id)
        places = [Path(one) for one in (row.media.path, *row.aliases)]
        for path in [*places, earlier] if earlier else places:
            target = self._place / "uploads" / row.media.id[:12] / path.name
            try:
                if is_there(path) and copied(path, target, row.media.id, self._listener):
                    return target, []
            except UnreadableMedia as exc:
                notes = [f"Its file stays behind: {exc}"]
        return None, notes

    def _collections(self, ids: set[str]) -> None:
        for one in self._library.store.collections.all():
            kept = [id_ for id_ in one.media_ids if id_ in ids]
            if kept or self._wanted.media_ids is None:
                self._target.collections.add(one.name, kept)

    def _chats(self, ids: set[str]) -> None:
        """Copy the chats all of whose turns show nothing but these media."""
        turns = self._library.store.read.turns()
        others = {turn["chat"] for turn in turns if not self._rests_on(ids, turn)}
        for turn in turns:
            if turn["chat"] not in others:
                self._target.write.add_turn(turn)

    def _rests_on(self, ids: set[str], turn: Row) -> bool:
        """Say whether a turn was asked of these media, or found in them, and of no others.

        One that names no media may tell of any: it goes only with the whole library.
        """
        told = shown_in(turn) | {*(turn_from(turn).asked.media or ())}
        return told <= ids and (bool(told) or self._wanted.media_ids is None)


def _chosen(library: Opened, wanted: Wanted) -> list[MediaRow]:
    rows = [row for row in library.store.read.media_rows() if not row.forgetting]
    chosen = [row for row in rows if wanted.media_ids is None or row.media.id in wanted.media_ids]
    if not chosen:
        raise InputError(
            f"the library {library.where} is empty, there is nothing to export; "
            "add something: memqa index FILE"
        )
    return sorted(chosen, key=lambda row: row.media.added_at)

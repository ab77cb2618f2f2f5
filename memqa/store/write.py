"""Writing to a library: one segment of one media at a time, seen whole or not at all.

The order is memories, vectors, states, then ``media.committed_segment``. A writer that dies leaves
rows beyond the committed segment, which no reader sees and ``begin`` removes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
from lancedb.expr import col, lit
from lancedb.table import Table

from memqa.chats import shown_in
from memqa.store import schema
from memqa.store.read import Reader
from memqa.store.rows import media_table, memory_table, searched_text, vector_table
from memqa.store.schema import Commit, MediaRow, Memory, Switch, VectorBatch
from memqa.store.tables import Tables
from memqa.values import Media
from models.errors import StoreConflict
from models.values import ShouldStop


class Writer:
    """Writes media, segments, states and chat turns; one writer at a time over all processes."""

    def __init__(self, tables: Tables, reader: Reader) -> None:
        self._tables = tables
        self._reader = reader

    def begin(self, row: MediaRow) -> MediaRow:
        """Register a media, or take up an unfinished one where its last commit left it.

        What an earlier, interrupted run wrote beyond its last commit is removed.
        """
        with self._tables.writing():
            known = self._reader.media_row(row.media.id)
            # States of other models or settings do not fit: then the work begins anew.
            if known is not None and known.signatures == row.signatures:
                media = replace(
                    known.media, path=row.media.path, status=row.media.status, error=None
                )
                row = replace(
                    known,
                    media=media,
                    settled=False,
                    size_bytes=row.size_bytes,
                    mtime_ns=row.mtime_ns,
                )
            self._put(row)
            self._drop_stale(row)
        return row

    def commit(self, commit: Commit) -> MediaRow:
        """Store one segment and make it visible.

        ``commit.media.memories`` and ``.bytes`` are counted here, whatever they say.

        Raises:
            StoreConflict: the media is gone, or the segment is not the next one.
        """
        with self._tables.writing():
            row = self._next(commit)
            self._write_memories(commit)
            self._write_vectors(commit)
            self._write_states(commit)
            row = self._counted(row, commit)
            self._put(row)
            self._drop_replaced(row, commit)
        return row

    def settle(
        self,
        media: Media,
        *,
        done_states: Sequence[str] = (),
        signatures: Mapping[str, str] = MappingProxyType({}),
    ) -> MediaRow:
        """Say how the work on a media ended; from here on readers see all its rows plainly.

        ``done_states`` are states that only served to resume, ``signatures`` those of models that
        turned out to be needed.
        """
        with self._tables.writing():
            row = self._row(media.id)
            self._drop_stale(row)
            if done_states:
                mine = col("media_id") == lit(media.id)
                self._tables.states.delete(mine & col("name").isin(list(done_states)))
            stored = self._reader.sizes(media.id).total
            media = replace(media, memories=self._count(media.id), bytes=stored)
            settled = row.committed_segment != schema.NOTHING_COMMITTED
            signatures = {**row.signatures, **signatures}
            row = replace(row, media=media, settled=settled, signatures=signatures)
            self._put(row)
        return row

    def drop_beyond(self, media_id: str) -> None:
        """Remove what was written of a media beyond its last commit.

        Raises:
            StoreConflict: the media is gone.
        """
        with self._tables.writing():
            self._drop_stale(self._row(media_id))

    def add_vectors(self, batch: VectorBatch, owners: Sequence[Memory]) -> None:
        """Put vectors of stored memories of one media beside those that other encoders made.

        Raises:
            StoreConflict: the media is gone.
        """
        with self._tables.writing():
            for media_id in {owner.media_id for owner in owners}:
                media = self._row(media_id).media
                self._write_vectors(Commit(0, media, memories=owners, vectors=[batch]))

    def switch(self, switch: Switch) -> MediaRow:
        """Put what other models made in the place of what a media holds, and drop the older.

        Readers see the older rows or the newer ones; only where the outline has another shape
        there is none for a moment. Killed within, it is done again by who began it.

        Raises:
            StoreConflict: the media is gone.
        """
        with self._tables.writing():
            row = self._row(switch.media.id)
            commit = Commit(
                row.committed_segment + 1,
                row.media,
                memories=switch.memories,
                vectors=switch.vectors,
                parents=switch.parents,
                states=switch.states,
            )
            # From here on readers look at each row, and pass over the new elements.
            self._put(replace(row, settled=False))
            self._drop_stale(row)
            self._write_switched(switch, commit)
            has_long = any(memory.level == "long" for memory in switch.memories)
            row = replace(
                row,
                committed_segment=commit.segment,
                long_segment=commit.segment if has_long else row.long_segment,
                signatures=switch.signatures,
                settled=False,
            )
            self._put(row)
            self._drop_replaced(row, commit)
            if switch.ended:
                mine = col("media_id") == lit(row.media.id)
                self._tables.states.delete(mine & col("name").isin(list(switch.ended)))
        return self.tidy(switch.media)

    def tidy(self, media: Media) -> MediaRow:
        """Drop what a finished media holds of models that are not its own, and settle it.

        Raises:
            StoreConflict: the media is gone.
        """
        with self._tables.writing():
            row = self._row(media.id)
            own = {row.signatures.get("text"), row.signatures.get("image")}
            for table in self._tables.all_vectors():
                if self._tables.signature_of(table) not in own:
                    table.delete(col("media_id") == lit(media.id))
            names = self._reader.states(media.id)
            begun = [name for name in names if name.startswith(schema.RENEWING)]
        return self.settle(row.media, done_states=begun)

    def relocate(self, media_id: str, path: str, *, size_bytes: int, mtime_ns: int) -> MediaRow:
        """Note that a media's bytes lie at ``path`` too; the path used so far stays as an alias."""
        with self._tables.writing():
            row = self._row(media_id)
            notes = [one for one in row.media.notes if not one.startswith(schema.FILE_ABSENT)]
            if "://" not in path and schema.NO_COPY in notes:
                notes.remove(schema.NO_COPY)
            row = replace(row, media=replace(row.media, notes=tuple(notes)))
            if path != row.media.path:
                aliases = dict.fromkeys((row.media.path, *row.aliases))
                aliases.pop(path, None)
                row = replace(row, media=replace(row.media, path=path), aliases=tuple(aliases))
            row = replace(row, size_bytes=size_bytes, mtime_ns=mtime_ns)
            self._put(row)
        return row

    def also_at(self, media_id: str, place: str) -> MediaRow:
        """Note that a media's bytes lie at another place too, which is looked at after its own."""
        with self._tables.writing():
            row = self._row(media_id)
            if place not in row.aliases:
                row = replace(row, aliases=(*row.aliases, place))
                self._put(row)
        return row

    def add_turn(self, turn: Mapping[str, Any]) -> None:
        """Keep one turn of a chat, a row as ``schema.CHATS`` declares it."""
        with self._tables.writing():
            _merge(self._tables.chats, pa.Table.from_pylist([dict(turn)], schema=schema.CHATS))

    def keep_turn(self, turn: Mapping[str, Any], *, should_stop: ShouldStop | None = None) -> bool:
        """Keep a turn that was just answered; False where it was stopped before it was kept.

        Asked once nobody else can write: a chat that is deleted after ``should_stop`` wished it
        does not come back.

        Raises:
            StoreConflict: a media that the turn shows something of was forgotten meanwhile.
        """
        with self._tables.writing():
            if should_stop is not None and should_stop():
                return False
            known = {row.media.id for row in self._reader.media_rows() if not row.forgetting}
            if shown_in(turn) - known:
                raise StoreConflict(
                    "something that the answer rests on was forgotten while it was written, so "
                    "the answer is not kept; ask again"
                )
            _merge(self._tables.chats, pa.Table.from_pylist([dict(turn)], schema=schema.CHATS))
        return True

    # One step of a commit each

    def _next(self, commit: Commit) -> MediaRow:
        row = self._row(commit.media.id)
        if row.forgetting or commit.segment != row.committed_segment + 1:
            raise StoreConflict(
                f"segment {commit.segment} of {commit.media.name} does not follow segment "
                f"{row.committed_segment}; another process worked on it, index it again"
            )
        return row

    def _write_memories(self, commit: Commit) -> None:
        if commit.memories:
            _merge(self._tables.memories, memory_table(commit.memories, commit.thumbnails))
        if commit.parents:
            rows = [{"id": id_, "parent_id": parent} for id_, parent in commit.parents.items()]
            table = pa.Table.from_pylist(rows, schema=schema.PARENTS)
            self._tables.memories.merge_insert("id").when_matched_update_all().execute(table)

    def _write_vectors(self, commit: Commit) -> None:
        owners = {memory.id: memory for memory in commit.memories}
        for batch in commit.vectors:
            if not batch.ids:
                continue
            table = self._tables.make_vectors(
                batch.signature, batch.metric, int(batch.vectors.shape[1])
            )
            _merge(table, vector_table(batch, owners))

    def _write_switched(self, switch: Switch, commit: Commit) -> None:
        """Write the rows of a switch; an outline of another shape is taken away before."""
        mine = col("media_id") == lit(switch.media.id)
        self._write_vectors(replace(commit, memories=[*switch.memories, *switch.owners]))
        if switch.gone or switch.parents:
            self._tables.memories.delete(mine & (col("level") == lit("summary")))
        self._write_memories(commit)
        # Last of the rows: by the texts a run that was killed before sees what is still to do.
        self._write_texts(switch)
        if switch.gone:
            for table in self._tables.all_vectors():
                table.delete(mine & col("id").isin(list(switch.gone)))
        self._write_states(commit)

    def _write_texts(self, switch: Switch) -> None:
        # Only these columns: a whole row would have to bring its thumbnail.
        rows = [
            {"id": owner.id, "text": owner.text, "words": searched_text(owner)}
            for owner in switch.owners
            if owner.id in switch.texts
        ]
        if rows:
            table = pa.Table.from_pylist(rows, schema=schema.TEXTS)
            self._tables.memories.merge_insert("id").when_matched_update_all().execute(table)

    def _write_states(self, commit: Commit) -> None:
        # The segment is part of the id: until the commit is done, the older state is the valid one.
        rows = [
            {
                "id": f"{commit.media.id}:{name}:{commit.segment}",
                "media_id": commit.media.id,
                "name": name,
                "segment": commit.segment,
                "blob": blob,
            }
            for name, blob in commit.states.items()
        ]
        if rows:
            _merge(self._tables.states, pa.Table.from_pylist(rows, schema=schema.STATES))

    def _counted(self, row: MediaRow, commit: Commit) -> MediaRow:
        stays, replaced = _sizes(commit)
        has_long = any(memory.level == "long" for memory in commit.memories)
        total = row.media.bytes - row.replaceable_bytes + stays + replaced
        return replace(
            row,
            media=replace(commit.media, bytes=total, memories=self._count(row.media.id)),
            committed_segment=commit.segment,
            long_segment=commit.segment if has_long else row.long_segment,
            replaceable_bytes=replaced,
        )

    # Shared steps

    def _put(self, row: MediaRow) -> None:
        """Write the entry of a media, which says what of its rows is seen, once these are safe."""
        self._tables.ground.secure()
        self._tables.prove()
        _merge(self._tables.media, media_table(row))

    def _row(self, media_id: str) -> MediaRow:
        row = self._reader.media_row(media_id)
        if row is None:
            raise StoreConflict(f"media {media_id[:16]} was forgotten while it was being indexed")
        return row

    def _count(self, media_id: str) -> int:
        return int(self._tables.memories.count_rows((col("media_id") == lit(media_id)).to_sql()))

    def _drop_replaced(self, row: MediaRow, commit: Commit) -> None:
        """Remove what this commit put something newer in the place of."""
        mine = col("media_id") == lit(row.media.id)
        if commit.states:
            older = col("segment") < lit(commit.segment)
            self._tables.states.delete(mine & older & col("name").isin(list(commit.states)))
        if 0 < row.long_segment == commit.segment:
            replaced = (col("level") == lit("long")) & (col("segment") < lit(row.long_segment))
            for table in self._memory_tables():
                table.delete(mine & replaced)

    def _drop_stale(self, row: MediaRow) -> None:
        """Remove what lies beyond the last commit, and what it replaced but did not yet remove."""
        mine, committed = col("media_id") == lit(row.media.id), lit(row.committed_segment)
        self._tables.states.delete(mine & (col("segment") > committed))
        replaced = (col("level") == lit("long")) & (col("segment") < lit(row.long_segment))
        for table in self._memory_tables():
            table.delete(mine & ((col("segment") > committed) | replaced))

    def _memory_tables(self) -> list[Table]:
        return [self._tables.memories, *self._tables.all_vectors()]


def _merge(table: Table, rows: pa.Table) -> None:
    merge = table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
    merge.execute(rows)


def _sizes(commit: Commit) -> tuple[int, int]:
    """Count the bytes of a commit: those that stay, and those the next commit replaces."""
    replaceable = {memory.id for memory in commit.memories if memory.level == "long"}
    stays = sum(len(memory.text.encode()) for memory in commit.memories)
    stays += sum(len(picture) for picture in commit.thumbnails.values())
    replaced = sum(len(blob) for blob in commit.states.values())
    for batch in commit.vectors:
        each = batch.vectors.shape[1] * 2
        gone = sum(id_ in replaceable for id_ in batch.ids)
        stays, replaced = stays + each * (len(batch.ids) - gone), replaced + each * gone
    return stays, replaced

"""Rows that another library made, written into this one: a media is seen whole or not at all.

The order is that of every write: memories, vectors, states, then what makes them seen. A run that
dies leaves rows of a media of which nothing is committed; the next one removes them first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

import pyarrow as pa  # type: ignore[import-untyped]
from lancedb.expr import col, lit
from lancedb.table import Table

from memqa.store.rows import media_table
from memqa.store.schema import NOTHING_COMMITTED, MediaRow
from memqa.store.source import Space
from memqa.store.tables import Tables
from memqa.store.write import Writer
from models.values import ShouldStop


class Rows(Protocol):
    """Where the rows of a media come from: another library's tables, or a parcel of them."""

    def memories(self, row: MediaRow) -> Iterable[pa.Table]:
        """Give the memories of a media, some at a time."""
        ...

    def vectors(self, row: MediaRow) -> Iterable[tuple[Space, pa.Table]]:
        """Give its vectors, whichever encoder made them."""
        ...

    def states(self, row: MediaRow) -> Iterable[pa.Table]:
        """Give its states."""
        ...


class Receiver:
    """Takes media over from a source, each under the lease that its caller holds."""

    def __init__(self, tables: Tables, writer: Writer) -> None:
        self._tables = tables
        self._writer = writer

    def take(self, source: Rows, row: MediaRow, *, should_stop: ShouldStop) -> MediaRow | None:
        """Take one media over as ``row`` says; what was there of it before is replaced.

        Gives None where ``should_stop`` wished it; then nothing of it is seen.
        """
        self._begin(row)
        for table in source.memories(row):
            self._write(self._tables.memories, table)
            if should_stop():
                return None
        for space, table in source.vectors(row):
            with self._tables.writing():
                vectors = self._tables.make_vectors(space.signature, space.metric, space.dim)
                _merge(vectors, table)
            if should_stop():
                return None
        for table in source.states(row):
            self._write(self._tables.states, table)
        self._write(self._tables.media, media_table(replace(row, settled=False)))
        return self._writer.settle(row.media)

    def undo(self, media_id: str, before: MediaRow | None) -> None:
        """Take away what ``take`` wrote of a media; its entry is again as it was ``before``.

        Of that nothing was committed. Chats and collections that know of the media stay.
        """
        with self._tables.writing():
            self._delete(media_id)
            if before is None:
                self._tables.media.delete(col("id") == lit(media_id))
                return
            left = before.media
            if left.status == "indexing":  # by a run that died: the lease was free
                left = replace(left, status="cancelled")
            _merge(self._tables.media, media_table(replace(before, media=left)))

    def knows(self, space: Space) -> bool:
        """Say whether there are vectors of this encoder here.

        Raises:
            StoreMismatch: they are of another length or metric.
        """
        with self._tables.ground.plainly():
            if self._tables.vectors(space.signature) is None:
                return False
        self._tables.make_vectors(space.signature, space.metric, space.dim)
        return True

    def _begin(self, row: MediaRow) -> None:
        """Register the media as one of which nothing is committed, and remove all its rows."""
        hidden = replace(
            row,
            media=replace(row.media, status="indexing", memories=0, bytes=0),
            committed_segment=NOTHING_COMMITTED,
            long_segment=NOTHING_COMMITTED,
            settled=False,
            replaceable_bytes=0,
        )
        with self._tables.writing():
            self._tables.prove()
            _merge(self._tables.media, media_table(hidden))
            self._delete(row.media.id)

    def _delete(self, media_id: str) -> None:
        for table in (self._tables.memories, self._tables.states, *self._tables.all_vectors()):
            table.delete(col("media_id") == lit(media_id))

    def _write(self, table: Table, rows: pa.Table) -> None:
        with self._tables.writing():
            self._tables.prove()
            _merge(table, rows)


def _merge(table: Table, rows: pa.Table) -> None:
    merge = table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
    merge.execute(rows)

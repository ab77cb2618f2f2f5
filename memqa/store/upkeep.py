"""Keeping a library small, fast and honest: compaction, forgetting for good, repair."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
from lancedb.expr import col, lit
from lancedb.table import Table

from memqa.chats import without
from memqa.store import schema
from memqa.store.again import again_if_purged
from memqa.store.collected import Collections
from memqa.store.ground import folder_bytes
from memqa.store.indexes import Indexes
from memqa.store.read import Reader
from memqa.store.rows import Row, media_table
from memqa.store.schema import MediaRow
from memqa.store.tables import Tables
from memqa.values import Media

log = logging.getLogger(__name__)

# Readers hold a version for the milliseconds of one query, and read again where it is gone.
_KEEP_VERSIONS = timedelta(seconds=5)
# Not zero: LanceDB warns at zero, and a millisecond ago means the same.
_KEEP_NOTHING = timedelta(milliseconds=1)
# After so many commits it is looked which tables want compacting.
_MOST_COMMITS = 16
# So many small files, or rows that wait for an index, a table may gather before it is compacted; a
# larger one more, since the rows of up to a million are written anew.
_SMALL_ROWS = 20_000
_FEW, _MOST = (8, 1_000), (64, 10_000)
_FEW_AFAR = (2, 1_000)  # each file that a search reads there is a request
_MOST_VERSIONS = 32
# What older versions may take in any case: less is not worth waiting for.
_LEAST_SPARE_BYTES = 64_000_000


@dataclass(frozen=True, slots=True)
class Disk:
    """What the library takes on disk, in bytes: its tables, and the uploads it keeps.

    ``spare_bytes`` is the part of the tables that older versions and unfinished files take.
    """

    tables_bytes: int
    uploads_bytes: int
    spare_bytes: int = 0


class Upkeep:
    """Compacts, forgets and repairs; holds the write permission while it does."""

    def __init__(
        self,
        tables: Tables,
        reader: Reader,
        collections: Collections,
        *,
        indexes: Indexes,
        spare_share: float,
    ) -> None:
        """``spare_share`` is what older versions may take, as a share of what counts."""
        self._tables = tables
        self._reader = reader
        self._collections = collections
        self._indexes = indexes
        self._spare_share = spare_share
        self._commits = 0
        self._tidied_at: dict[str, int] = {}  # the version of each table that was tidied last

    @property
    def _keep(self) -> timedelta:
        return max(_KEEP_VERSIONS, self._tables.ground.keep)

    def after_commit(self) -> None:
        """Compact now and then, so that a long ingest does not pile up versions."""
        self._commits += 1
        if self._commits % _MOST_COMMITS == 0:
            self._condense()

    def compact(self) -> list[str]:
        """Merge small files, drop what no reader can still hold, make the indexes that are due.

        Gives a line for each index made. While one is made, others read and write as before.
        """
        self._condense()
        done = self._indexes.tend()
        self._shed()
        return done

    def _condense(self) -> None:
        # An index that is being made somewhere would be lost if its table was rewritten.
        with self._indexes.holding() as free, self._tables.writing():
            due = [table for table in self._tidied(free) if self._is_due(table)]
            self._rewrite(due, self._keep)
        self._tables.ground.tidy()

    def _shed(self) -> None:
        """Drop older versions once they take more than their share of the disk."""
        disk = self.disk()
        live = disk.tables_bytes - disk.spare_bytes
        if disk.spare_bytes <= max(_LEAST_SPARE_BYTES, self._spare_share * live):
            return
        time.sleep(_KEEP_VERSIONS.total_seconds())  # then no reader can still hold them
        with self._indexes.holding() as free, self._tables.writing():
            self._rewrite(list(self._tidied(free)), self._keep, abandoned_too=True)

    def forget(self, media_id: str, *, chats_too: bool = True) -> bool:
        """Delete a media with all that was remembered of it, and purge it from the disk.

        It leaves its collections. Chat turns that rest on it go too unless told otherwise, since
        they quote it; from others, what their walk shows of it. Gives False where it is unknown.
        """
        with self._tables.writing():
            row = self._hidden(media_id)
            if row is None:
                return False
            self._delete(row.media, chats_too=chats_too)
            self._clean(self._tables.media)
        return True

    def hide(self, media_id: str) -> MediaRow | None:
        """Begin to forget a media: nobody sees it from here on, and ``repair`` finishes it."""
        with self._tables.writing():
            return self._hidden(media_id)

    def forget_chat(self, chat: str) -> None:
        """Delete a chat, and purge it from the disk."""
        with self._tables.writing():
            self._tables.chats.delete(col("chat") == lit(chat))
            self._clean(self._tables.chats)

    def repair(self) -> list[str]:
        """Finish what a killed process left half forgotten; give a line for each thing done.

        Of one that another media at the same path came in the place of, the chat turns stay.
        """
        done = []
        rows = self._reader.media_rows()
        live = {row.media.path for row in rows if not row.forgetting}
        for row in rows:
            if row.forgetting:
                self.forget(row.media.id, chats_too=row.media.path not in live)
                done.append(f"finished forgetting {row.media.name}")
        return done

    def drop_unused(self) -> int:
        """Drop the vectors tables of models that no media uses and that hold nothing; count them.

        What another run has begun with a model that is new holds rows, and stays.
        """
        with self._tables.writing():
            rows = self._reader.media_rows()
            used = {one for row in rows for one in row.signatures.values()}
            unused = [
                table
                for table in self._tables.all_vectors()
                if self._tables.signature_of(table) not in used and not table.count_rows()
            ]
            return sum(self._tables.drop_vectors(table) for table in unused)

    @again_if_purged
    def disk(self) -> Disk:
        """Measure what the library takes on disk."""
        uploads = folder_bytes(self._tables.home / "uploads")
        tables = list(self._tables.everything())
        taken = self._tables.ground.bytes_of(tables)
        live = sum(_figures(table)["total_bytes"] for table in tables)
        return Disk(taken, uploads, max(0, taken - live))

    def _hidden(self, media_id: str) -> MediaRow | None:
        row = self._reader.media_row(media_id)
        if row is None or row.forgetting:
            return row
        self._tables.prove()
        row = replace(row, forgetting=True)
        merge = self._tables.media.merge_insert("id").when_matched_update_all()
        merge.execute(media_table(row))
        return row

    def _delete(self, media: Media, *, chats_too: bool) -> None:
        mine = col("media_id") == lit(media.id)
        for table in (self._tables.memories, *self._tables.all_vectors(), self._tables.states):
            table.delete(mine)
        self._collections.drop(media.id)
        self._tables.own.drop(media.id)
        if chats_too:
            self._scrub(media)
        self._purge()
        # Last, so that a forgetting cut short is found and finished by ``repair``.
        self._tables.media.delete(col("id") == lit(media.id))

    def _scrub(self, media: Media) -> None:
        """Delete the turns that rest on a media; of the others, what their walk shows of it."""
        pairs = [(turn, without(turn, media.id, media.name)) for turn in self._reader.turns()]
        quoting = [turn["id"] for turn, left in pairs if left is None]
        if quoting:
            self._tables.chats.delete(col("id").isin(quoting))
        changed = [left for turn, left in pairs if left and left["answer"] != turn["answer"]]
        if changed:
            rows = pa.Table.from_pylist(changed, schema=schema.CHATS)
            merge = self._tables.chats.merge_insert("id").when_matched_update_all()
            merge.execute(rows)

    def _purge(self) -> None:
        """Rewrite what is left and remove every older version and every abandoned file.

        The write permission is held: no file that looks abandoned is still being written.
        """
        self._tables.rebuild_text_index()
        with self._indexes.holding() as free:
            for table in self._tables.plain():
                self._clean(table)
            for table in self._tables.all_vectors():
                # What looks abandoned may be the index that somebody is making.
                self._clean(table, abandoned_too=free)

    def _clean(self, table: Table, *, abandoned_too: bool = True) -> None:
        """Remove every version but the newest; the last deletion has to be older than "nothing"."""
        self._tables.ground.let_versions_age(table)
        self._rewrite([table], _KEEP_NOTHING, abandoned_too=abandoned_too)
        if self._tables.drop_future_versions(table):
            table.optimize(cleanup_older_than=_KEEP_NOTHING, delete_unverified=abandoned_too)

    def _rewrite(
        self, tables: Sequence[Table], keep: timedelta, *, abandoned_too: bool = False
    ) -> None:
        """Merge tables' small files, and remove what they replace only once they are safe."""
        for table in tables if not self._tables.ground.is_shared else ():
            table.optimize()
        self._tables.ground.secure()
        for table in tables:
            table.optimize(cleanup_older_than=keep, delete_unverified=abandoned_too)
            self._tidied_at[table.name] = int(table.version)

    def _is_due(self, table: Table) -> bool:
        """Say whether a table has gathered so many small files or new rows that they are felt."""
        stats = _figures(table)
        rows, small = int(stats["num_rows"]), stats["fragment_stats"]["num_small_fragments"]
        is_small = rows < _SMALL_ROWS
        little = _FEW_AFAR if self._tables.ground.is_shared else _FEW
        few, waiting = little if is_small else _MOST
        # Rows that are written again and again leave versions, and no more files than before.
        versions = table.version - self._tidied_at.get(table.name, 0)
        if small >= few or (is_small and versions >= _MOST_VERSIONS):
            return True
        indexed = [index.num_indexed_rows or 0 for index in table.list_indices()]
        return bool(rows - min(indexed, default=rows) >= waiting)

    def _tidied(self, free: bool) -> Iterator[Table]:
        """Give the tables that may be rewritten: not those of which an index is being made."""
        return self._tables.everything() if free else self._tables.plain()


def _figures(table: Table) -> Row:
    """Give a table's figures as they come, which is not as LanceDB declares them."""
    figures: Any = table.stats()
    return dict(figures)

"""What in a library's tables does not belong together, and how it is put right.

A commit spans several tables, so that a process killed at the wrong moment, or a disk that lost a
file, may leave rows without their media, vectors without their memory, or the other way round.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from lancedb.expr import col
from lancedb.table import Table

from memqa.store import schema
from memqa.store.again import again_if_purged
from memqa.store.read import Reader
from memqa.store.rows import media_table
from memqa.store.schema import MediaRow
from memqa.store.tables import Tables

_MOST_ROWS = 100_000_000
_AT_ONCE = 10_000  # ids named in one deletion
_LOST = "some of what was remembered is lost"


@dataclass(frozen=True, slots=True)
class Loose:
    """Rows that belong to nothing, as a table and the condition or the ids that name them."""

    table: str
    rows: int
    media_ids: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()


class Damage:
    """Compares the tables of one library; what mends holds the write permission."""

    def __init__(self, tables: Tables, reader: Reader) -> None:
        self._tables = tables
        self._reader = reader

    # Rows of no media

    @again_if_purged
    def orphans(self) -> list[Loose]:
        """Find rows whose media is not in the library."""
        found = []
        for table in self._with_media():
            counts = Counter(_column(table, "media_id").to_pylist())
            # Read after the rows: what was begun meanwhile is known.
            known = {row.media.id for row in self._reader.media_rows()}
            if strange := {one: many for one, many in counts.items() if one not in known}:
                found.append(Loose(table.name, sum(strange.values()), media_ids=tuple(strange)))
        return found

    def drop_orphans(self) -> None:
        """Delete rows whose media is not in the library."""
        with self._tables.writing():
            tables = {table.name: table for table in self._with_media()}
            for loose in self.orphans():
                for ids in _parts(loose.media_ids):
                    tables[loose.table].delete(col("media_id").isin(ids))

    # Segments half written

    @again_if_purged
    def half_written(self, free: Collection[MediaRow]) -> list[MediaRow]:
        """Find those of the media that hold rows beyond their last commit."""
        last = {row.media.id: row.committed_segment for row in free}
        beyond: set[str] = set()
        for table in self._with_media():
            if table.name == "states":
                continue
            rows = table.search().select(["media_id", "segment"]).limit(_MOST_ROWS).to_arrow()
            pairs = rows.group_by("media_id").aggregate([("segment", "max")]).to_pylist()
            beyond |= {
                pair["media_id"]
                for pair in pairs
                if pair["segment_max"] > last.get(pair["media_id"], pair["segment_max"])
            }
        return [row for row in free if row.media.id in beyond]

    # Vectors and memories that lack each other

    @again_if_purged
    def lone_vectors(self) -> list[Loose]:
        """Find vectors of memories that are not there."""
        found = []
        for table in self._tables.all_vectors():
            # Before the memories, which are written first: what comes meanwhile has its memory.
            ids = _column(table, "id")
            lone = ids.filter(pc.invert(pc.is_in(ids, value_set=self._memory_ids())))
            if len(lone):
                found.append(Loose(table.name, len(lone), ids=tuple(lone.to_pylist())))
        return found

    def drop_lone_vectors(self) -> None:
        """Delete vectors of memories that are not there."""
        with self._tables.writing():
            tables = {table.name: table for table in self._tables.all_vectors()}
            for loose in self.lone_vectors():
                for ids in _parts(loose.ids):
                    tables[loose.table].delete(col("id").isin(ids))

    @again_if_purged
    def without_vectors(self, free: Collection[MediaRow]) -> dict[str, list[str]]:
        """Find memories of finished media that no search by meaning or picture finds, by media.

        A memory that tells something has a vector of the text encoder, an element one of the
        picture encoder.
        """
        found: dict[str, list[str]] = {}
        for signature, condition in self._owed(free):
            table = self._tables.vectors(signature.partition(" ")[2])
            mine = {row.media.id for row in free if _owes(row, signature)}
            query = self._tables.memories.search().where(condition).select(["id", "media_id"])
            rows = query.limit(_MOST_ROWS).to_arrow()
            rows = rows.filter(pc.is_in(rows["media_id"], value_set=pa.array(mine, pa.string())))
            if table is not None:
                there = _column(table, "id")
                rows = rows.filter(pc.invert(pc.is_in(rows["id"], value_set=there)))
            for row in rows.to_pylist():
                found.setdefault(row["media_id"], []).append(row["id"])
        return found

    @staticmethod
    def _owed(free: Collection[MediaRow]) -> list[tuple[str, str]]:
        """Name each encoder that made vectors of these media, and which memories it encodes."""
        conditions = {"text": "level != 'long' AND btrim(text) != ''", "image": "level = 'long'"}
        names = {
            f"{sense} {row.signatures[sense]}"
            for row in free
            for sense in conditions
            if sense in row.signatures
        }
        return [(name, conditions[name.partition(" ")[0]]) for name in sorted(names)]

    # Pictures

    @again_if_purged
    def without_picture(self) -> dict[str, list[str]]:
        """Find memories that should have a small picture and have none, by media."""
        lacking = "has_thumbnail AND thumbnail IS NULL"
        query = self._tables.memories.search().where(lacking).select(["id", "media_id"])
        found: dict[str, list[str]] = {}
        for row in query.limit(_MOST_ROWS).to_list():
            found.setdefault(row["media_id"], []).append(row["id"])
        return found

    def put_pictures(self, pictures: Mapping[str, bytes]) -> None:
        """Give memories their small pictures, JPEGs by id."""
        rows = [{"id": id_, "thumbnail": blob} for id_, blob in pictures.items()]
        with self._tables.writing():
            table = pa.Table.from_pylist(rows, schema=schema.PICTURES)
            self._tables.memories.merge_insert("id").when_matched_update_all().execute(table)

    # Media that lost rows

    @again_if_purged
    def short(self, free: Collection[MediaRow]) -> list[MediaRow]:
        """Find those of the media that hold fewer memories than they were finished with."""
        counts = Counter(_column(self._tables.memories, "media_id").to_pylist())
        return [row for row in free if counts[row.media.id] < row.media.memories]

    def give_up(self, media_id: str) -> None:
        """Let a media count as failed, so that to index its file again begins anew."""
        with self._tables.writing():
            row = self._reader.media_row(media_id)
            if row is not None:
                media = replace(row.media, status="failed", error=_LOST)
                merge = self._tables.media.merge_insert("id").when_matched_update_all()
                # Without signatures nothing of it is taken up.
                merge.execute(media_table(replace(row, media=media, signatures={})))

    def _with_media(self) -> list[Table]:
        return [self._tables.memories, self._tables.states, *self._tables.all_vectors()]

    def _memory_ids(self) -> pa.ChunkedArray:
        return _column(self._tables.memories, "id")


def _owes(row: MediaRow, name: str) -> bool:
    sense, _, signature = name.partition(" ")
    return row.signatures.get(sense) == signature


def _column(table: Table, name: str) -> pa.ChunkedArray:
    return table.search().select([name]).limit(_MOST_ROWS).to_arrow()[name]


def _parts(ids: Sequence[str]) -> list[list[str]]:
    return [list(ids[i : i + _AT_ONCE]) for i in range(0, len(ids), _AT_ONCE)]

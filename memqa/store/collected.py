"""The collections of a library: named sets of media, kept as one small row each.

A name is one name however it is composed or capitalised; it is kept as it was first written.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import pyarrow as pa  # type: ignore[import-untyped]
from lancedb.expr import col, lit

from memqa.store import schema
from memqa.store.again import again_if_purged
from memqa.store.read import Reader
from memqa.store.rows import Row
from memqa.store.tables import Tables
from memqa.values import Collection

_MOST_ROWS = 1_000_000


class Collections:
    """Reads and writes the collections; a write holds the library's write permission."""

    def __init__(self, tables: Tables, reader: Reader) -> None:
        self._tables = tables
        self._reader = reader

    def all(self) -> list[Collection]:
        """Give every collection, by name."""
        known = {media.id for media in self._reader.media()}
        found = [_collection(row, known) for row in self._rows()]
        return sorted(found, key=lambda one: (_key(one.name), one.name))

    def find(self, name: str) -> Collection | None:
        """Give the collection of this name."""
        key = _key(name)
        return next((one for one in self.all() if _key(one.name) == key), None)

    def add(self, name: str, media_ids: Sequence[str]) -> None:
        """Put media into a collection, made where there is none of this name."""
        with self._tables.writing():
            row = self._row(name)
            known = row["media_ids"] or () if row else ()
            self._write(row["name"] if row else name, [*known, *media_ids])

    def take_out(self, name: str, media_ids: Sequence[str]) -> None:
        """Take media out of a collection, which stays, even without any."""
        with self._tables.writing():
            if row := self._row(name):
                self._write(
                    row["name"], [one for one in row["media_ids"] or () if one not in media_ids]
                )

    def remove(self, name: str) -> None:
        """Delete a collection; its media stay."""
        with self._tables.writing():
            self._tables.collections.delete(col("id") == lit(_key(name)))

    def replace(self, media_id: str, by: str) -> None:
        """Put a media in the place of another in every collection that has it."""
        with self._tables.writing():
            for row in self._holding(media_id):
                ids = [by if one == media_id else one for one in row["media_ids"]]
                self._write(row["name"], ids)

    def drop(self, media_id: str) -> None:
        """Take a media out of every collection that has it; the write permission is held."""
        for row in self._holding(media_id):
            self._write(row["name"], [one for one in row["media_ids"] if one != media_id])

    @again_if_purged
    def _rows(self) -> list[Row]:
        return list(self._tables.collections.search().limit(_MOST_ROWS).to_list())

    def _row(self, name: str) -> Row | None:
        key = _key(name)
        return next((row for row in self._rows() if row["id"] == key), None)

    def _holding(self, media_id: str) -> list[Row]:
        return [row for row in self._rows() if media_id in (row["media_ids"] or ())]

    def _write(self, name: str, media_ids: Sequence[str]) -> None:
        row = {"id": _key(name), "name": name, "media_ids": list(dict.fromkeys(media_ids))}
        table = pa.Table.from_pylist([row], schema=schema.COLLECTIONS)
        merge = self._tables.collections.merge_insert("id").when_matched_update_all()
        merge.when_not_matched_insert_all().execute(table)


def _key(name: str) -> str:
    plain = unicodedata.normalize("NFC", " ".join(name.split()))
    return unicodedata.normalize("NFC", plain.casefold())


def _collection(row: Row, known: set[str]) -> Collection:
    ids = row["media_ids"] or ()
    there = tuple(one for one in ids if one in known)
    return Collection(row["name"], there, len(ids) - len(there))

"""The database of a library: opens and creates its tables, checks whom they were written by.

The only door to LanceDB for the other files here; every table is handed out fresh enough to see
what other processes wrote.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import lancedb
import pyarrow as pa  # type: ignore[import-untyped]
from lancedb.index import FTS, BTree
from lancedb.table import LanceTable, Table

from memqa.room import writing_to
from memqa.store import schema
from memqa.store.lock import locked
from models.errors import DiskFull, ReadOnly, StoreConflict, StoreMismatch
from models.ports import Metric

# With positions and stop words, phrases can be found; ICU also cuts scripts without spaces.
TEXT_INDEX = FTS(base_tokenizer="icu/split", with_position=True, remove_stop_words=False, stem=True)
_WRITE_TIMEOUT_S = 120.0
_LAST_VERSION = 2**64 - 1  # Lance names manifests by how far they are from it
KEY = b"lance-schema:unenforced-primary-key:position"  # metadata of the column that is the key


class Tables:
    """The open tables under ``home``; opening creates what is missing.

    Raises:
        StoreMismatch: the library was written with another schema.
        DiskFull, ReadOnly: a table is missing and cannot be made.
    """

    def __init__(self, home: Path, *, consistency_s: float = 0.0) -> None:
        with writing_to(home):
            home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self._lock_path = home / "locks" / "writing.lock"
        self._db = lancedb.connect(
            home / "tables", read_consistency_interval=timedelta(seconds=consistency_s)
        )
        self._vectors: dict[str, tuple[object, Table]] = {}
        try:
            with self.writing():
                self._open_declared()
        except (DiskFull, ReadOnly):
            with writing_to(home):  # a library that is whole can be asked without a write
                self._open_declared()

    def _open_declared(self) -> None:
        self.media = self._open("media", schema.MEDIA)
        self.memories = self._open("memories", schema.MEMORIES)
        self.states = self._open("states", schema.STATES)
        self.chats = self._open("chats", schema.CHATS)
        self.collections = self._open("collections", schema.COLLECTIONS)
        self.index(self.memories)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the library's only write permission, over threads and processes.

        Raises:
            StoreConflict: another process kept it for two minutes.
            DiskFull, ReadOnly: what is written inside finds no room, or may not be written.
        """
        with (
            writing_to(self.home),
            locked(self._lock_path, timeout_s=_WRITE_TIMEOUT_S) as held,
        ):
            if not held:
                raise StoreConflict(
                    f"another process keeps writing to the library {self.home}; try again later"
                )
            yield

    def vectors(self, signature: str) -> Table | None:
        """Give the vectors of one encoder, or None where there are none yet."""
        name = schema.vectors_table(signature)
        there = self._print_of(name)
        if there is None:
            self._vectors.pop(name, None)
            return None
        if name not in self._vectors or self._vectors[name][0] != there:
            if (table := self._opened(name)) is None:
                return None
            self._vectors[name] = there, table
        return self._vectors[name][1]

    def make_vectors(self, signature: str, metric: Metric, dim: int) -> Table:
        """Give the vectors table of one encoder, made on first use.

        Raises:
            StoreMismatch: the encoder now gives vectors of another length or metric.
        """
        declared = schema.vectors_schema(signature, metric, dim)
        table = self.vectors(signature)
        if table is None or not _has_key(table):
            table = self._open(schema.vectors_table(signature), declared)
        same_length = table.schema.field("vector").type == declared.field("vector").type
        kept_by = (table.schema.metadata or {}).get(schema.METRIC_KEY)
        if not same_length or kept_by != metric.encode():
            raise StoreMismatch(
                f"the library {self.home} keeps vectors of another "
                f"{'metric' if same_length else 'length'} for {signature}; index into a new --home"
            )
        return table

    def all_vectors(self) -> list[Table]:
        """Give every vectors table, whichever encoder it belongs to."""
        names = [name for name in self._names() if name.startswith("vectors_")]
        return [table for name in names if (table := self._opened(name)) is not None]

    def signature_of(self, vectors: Table) -> str:
        """Tell which encoder a vectors table belongs to."""
        return str((vectors.schema.metadata or {}).get(schema.SIGNATURE_KEY, b"").decode())

    def drop_vectors(self, vectors: Table) -> None:
        """Remove a vectors table; the write permission is held."""
        self._vectors.pop(vectors.name, None)
        self._db.drop_table(vectors.name)

    def drop_future_versions(self, table: Table) -> bool:
        """Remove the versions of a table that were written before the clock was put back.

        LanceDB never takes them for old. The write permission is held; says whether there were any.
        """
        versions = self.home / "tables" / f"{table.name}.lance" / "_versions"
        newest = versions / f"{_LAST_VERSION - table.version:020d}.manifest"
        others = [path for path in versions.glob("*.manifest") if path != newest]
        if not newest.exists() or len(table.list_versions()) < 2:
            return False
        for path in others:
            path.unlink()
        return bool(others)

    def rebuild_text_index(self) -> None:
        """Build the text index anew, so that words of deleted rows are in no file of it."""
        self.memories.create_index("words", config=TEXT_INDEX, replace=True)

    def _print_of(self, name: str) -> object | None:
        """Tell one table of a name from another made in its place, by its folder."""
        try:
            stat = (self.home / "tables" / f"{name}.lance").stat()
        except FileNotFoundError:
            return None
        return stat.st_ino, stat.st_ctime_ns

    def _names(self) -> list[str]:
        names: list[str] = []
        page: str | None = None
        while True:
            answer = self._db.list_tables(page_token=page)
            names += answer.tables
            page = answer.page_token
            if not page:
                return names

    def _open(self, name: str, declared: pa.Schema) -> Table:
        """Open a table, made first where it is missing or where its making was cut short."""
        table = self._opened(name) if name in self._names() else None
        if table is None:
            table = self._db.create_table(name, schema=declared, exist_ok=True)
        if not _has_key(table):
            # Without it, two processes merging the same new ids double the rows.
            assert isinstance(table, LanceTable)
            table.set_unenforced_primary_key("id")
        return table

    def _opened(self, name: str) -> Table | None:
        """Open a table; None where there is only its folder, as a kill while it was made leaves."""
        try:
            table = self._db.open_table(name)
        except ValueError as exc:
            if "was not found" in str(exc):
                return None
            raise
        return self._checked(table)

    def _checked(self, table: Table) -> Table:
        written = (table.schema.metadata or {}).get(schema.VERSION_KEY, b"?").decode()
        if written != str(schema.SCHEMA_VERSION):
            raise StoreMismatch(
                f"the library {self.home} has schema {written}, this memqa reads schema "
                f"{schema.SCHEMA_VERSION}; index your files again into a new --home"
            )
        return table

    @staticmethod
    def index(memories: Table) -> None:
        """Index the still empty table: searching a table without index is an error."""
        present = {column for index in memories.list_indices() for column in index.columns}
        if "words" not in present:
            memories.create_index("words", config=TEXT_INDEX)
        if "id" not in present:
            memories.create_index("id", config=BTree())


def _has_key(table: Table) -> bool:
    return KEY in (table.schema.field("id").metadata or {})

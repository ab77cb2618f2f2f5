"""The database of a library: opens and creates its tables, checks whom they were written by.

The only door to LanceDB for the other files here; every table is handed out fresh enough to see
what other processes wrote.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
from lancedb.index import FTS, BTree
from lancedb.table import LanceTable, Table

from memqa.room import writing_to
from memqa.store import schema
from memqa.store.ground import ground_of, names_in
from memqa.store.leases import WRITING, Held
from memqa.store.lock import locked
from memqa.store.own import Own
from models.errors import DiskFull, ReadOnly, StoreConflict, StoreMismatch
from models.ports import Metric

# With positions and stop words, phrases can be found; ICU also cuts scripts without spaces.
TEXT_INDEX = FTS(base_tokenizer="icu/split", with_position=True, remove_stop_words=False, stem=True)
_WRITE_TIMEOUT_S = 120.0
_DECLARED = {
    "memories": schema.MEMORIES,
    "states": schema.STATES,
    "media": schema.MEDIA,
    "chats": schema.CHATS,
    "collections": schema.COLLECTIONS,
}
_LAST_VERSION = 2**64 - 1  # Lance names manifests by how far they are from it
KEY = b"lance-schema:unenforced-primary-key:position"  # metadata of the column that is the key


class Tables:
    """The open tables of the library under ``home``; opening creates what is missing.

    Raises:
        StoreMismatch: the library was written with another schema.
        SetupError: it lies on object storage, which does not let us in.
        BackendError: object storage cannot be reached.
        DiskFull, ReadOnly: a table is missing and cannot be made.
    """

    def __init__(self, home: Path, *, consistency_s: float = 0.0) -> None:
        with writing_to(home):
            home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self._lock_path = home / "locks" / "writing.lock"
        self.ground = ground_of(home)
        self.own = Own(home, is_shared=self.ground.is_shared)
        self._db = self.ground.connect(consistency_s)
        self._vectors: dict[str, tuple[object, Table]] = {}
        self._fixed: dict[str, Table] = {}
        self._listed: tuple[float, list[str]] | None = None
        self._held: Held | None = None
        self._left = -1
        if self._is_whole():
            return
        try:
            with self.writing():
                self._open_fixed()
                self.index(self.memories)
        except (DiskFull, ReadOnly):
            # A library that is whole can be asked without a write.
            with writing_to(home), self.ground.plainly():
                self._open_fixed()
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
                    f"another process keeps writing to the library {self.ground.told}; "
                    "try again later"
                )
            with (
                self.ground.plainly(),
                self.ground.leased(WRITING, timeout_s=_WRITE_TIMEOUT_S) as self._held,
            ):
                self._take_up(self._held)
                yield
                self.ground.secure()
            self._left = self._held.left if self._held else -1

    def prove(self) -> None:
        """Make sure that the write permission is still held, before something is made seen.

        Raises:
            StoreConflict: this machine slept, and another one took it.
        """
        if self._held is not None:
            self._held.prove()

    def refresh(self) -> None:
        """See what other machines wrote until now; on a folder that is always so."""
        if self.ground.is_shared:
            self._listed = None
            for table in self._open_now():
                table.checkout_latest()  # type: ignore[no-untyped-call]

    def vectors(self, signature: str) -> Table | None:
        """Give the vectors of one encoder, or None where there are none yet."""
        return self._vectors_named(schema.vectors_table(signature))

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
                f"the library {self.ground.told} keeps vectors of another "
                f"{'metric' if same_length else 'length'} for {signature}; index into a new --home"
            )
        return table

    def all_vectors(self) -> list[Table]:
        """Give every vectors table, whichever encoder it belongs to."""
        names = [name for name in self._names() if name.startswith("vectors_")]
        return [table for name in names if (table := self._vectors_named(name)) is not None]

    def plain(self) -> Iterator[Table]:
        """Yield the tables that every library has."""
        yield from self._fixed.values()

    def everything(self) -> Iterator[Table]:
        """Yield every table."""
        yield from self.plain()
        yield from self.all_vectors()

    def signature_of(self, vectors: Table) -> str:
        """Tell which encoder a vectors table belongs to."""
        return str((vectors.schema.metadata or {}).get(schema.SIGNATURE_KEY, b"").decode())

    def drop_vectors(self, vectors: Table) -> bool:
        """Remove a vectors table; the write permission is held. False where it has to stay.

        Another machine may have it open, and would not know one that came in its place from it.
        """
        if self.ground.is_shared:
            return False
        self._vectors.pop(vectors.name, None)
        self._db.drop_table(vectors.name)
        return True

    def drop_future_versions(self, table: Table) -> bool:
        """Remove the versions of a table that were written before the clock was put back.

        LanceDB never takes them for old. The write permission is held; says whether there were any.
        """
        versions = self.home / "tables" / f"{table.name}.lance" / "_versions"
        # Listed first: an index may be committed without the permission, and is newer than these.
        there = list(versions.glob("*.manifest"))
        newest = versions / f"{_LAST_VERSION - table.version:020d}.manifest"
        others = [path for path in there if path != newest]
        if not newest.exists() or len(table.list_versions()) < 2:
            return False
        for path in others:
            path.unlink()
        return bool(others)

    def rebuild_text_index(self) -> None:
        """Build the text index anew, so that words of deleted rows are in no file of it."""
        self.memories.create_index("words", config=TEXT_INDEX, replace=True)

    def _vectors_named(self, name: str) -> Table | None:
        there = self.ground.print_of(name)
        is_known = name in self._vectors and self._vectors[name][0] == there
        if there is None or not (is_known or name in self._names()):
            self._vectors.pop(name, None)
            return None
        if not is_known:
            if (table := self._opened(name)) is None:
                return None
            self._vectors[name] = there, table
        return self._vectors[name][1]

    def _names(self) -> list[str]:
        """List the tables; where that takes a request, not more often than readers look again."""
        now = time.monotonic()
        if self._listed is None or now - self._listed[0] >= self.ground.look_again_s:
            self._listed = now, names_in(self._db)
        return self._listed[1]

    def _is_whole(self) -> bool:
        """Open the tables without the write permission, where nothing has to be made.

        Taking it costs requests; and who may only read can read.
        """
        if not self.ground.is_shared:
            return False
        with self.ground.plainly():
            if not _DECLARED.keys() <= {*self._names()}:
                return False
            self._open_fixed()
            return not self._unindexed(self.memories)

    def _open_fixed(self) -> None:
        self._fixed = {name: self._open(name, kept) for name, kept in _DECLARED.items()}
        self.media, self.memories = self._fixed["media"], self._fixed["memories"]
        self.states, self.chats = self._fixed["states"], self._fixed["chats"]
        self.collections = self._fixed["collections"]

    def _open_now(self) -> list[Table]:
        return [*self._fixed.values(), *(table for _, table in self._vectors.values())]

    def _take_up(self, held: Held | None) -> None:
        """Begin to write from what is newest."""
        if held is None:
            return
        if held.taken != self._left + 1:  # somebody wrote since we did
            self.refresh()
        if held.was_left:
            self._stop_sleeper()

    def _stop_sleeper(self) -> None:
        """Let no change succeed that another machine began before it fell silent.

        What it is writing looks abandoned, and may be cleaned away under it.
        """
        for table in self.everything():
            table.restore(table.version)

    def _open(self, name: str, declared: pa.Schema) -> Table:
        """Open a table, made first where it is missing or where its making was cut short."""
        table = self._opened(name) if name in self._names() else None
        if table is None:
            table = self._db.create_table(name, schema=declared, exist_ok=True)
            self._listed = None
        if not _has_key(table):
            # Without it, two processes merging the same new ids double the rows.
            assert isinstance(table, LanceTable)
            table.set_unenforced_primary_key("id")
        return table

    def _opened(self, name: str) -> Table | None:
        """Open a table; None where there is only its folder, as a kill while it was made leaves."""
        self.ground.mend(name)
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
                f"the library {self.ground.told} has schema {written}, this memqa reads schema "
                f"{schema.SCHEMA_VERSION}; index your files again into a new --home"
            )
        return table

    @staticmethod
    def _unindexed(memories: Table) -> set[str]:
        present = {column for index in memories.list_indices() for column in index.columns}
        return {"words", "id"} - present

    def index(self, memories: Table) -> None:
        """Index the still empty table: searching a table without index is an error."""
        missing = self._unindexed(memories)
        if "words" in missing:
            memories.create_index("words", config=TEXT_INDEX)
        if "id" in missing:
            memories.create_index("id", config=BTree())


def _has_key(table: Table) -> bool:
    return KEY in (table.schema.field("id").metadata or {})

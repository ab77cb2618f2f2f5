"""Which indexes a table has, from how many rows on, and how far a search looks into them.

Below ``IndexPolicy.from_rows`` a search looks at every vector and misses nothing. Above it vectors
are sorted into cells of like ones, and a search looks into the nearest cells; what came since is
looked at one by one until it is sorted in too. Eight bits a number are enough where the best are
compared again in full, and are looked through many times faster than halves of floats. Figures are
in ``docs/scale.md``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from lancedb.expr import col, lit
from lancedb.index import Bitmap, BTree, IvfSq
from lancedb.table import Table

from memqa.room import writing_to
from memqa.store import schema
from memqa.store.again import again_if_purged
from memqa.store.leases import INDEXING
from memqa.store.lock import locked
from memqa.store.tables import Tables
from models.errors import StoreConflict

log = logging.getLogger(__name__)

_VECTOR = "vector_idx"
_RECALL = "memqa.recall"
_FAILED = (OSError, RuntimeError)


@dataclass(frozen=True, slots=True)
class IndexPolicy:
    """From where on tables are indexed, how fine, and how far a search looks.

    ``from_rows`` is where a search of every vector begins to be felt. A cell holds about
    ``cell_rows`` vectors, of a byte a number. A search looks into ``probes`` cells, and compares
    ``refine`` times as many as are wanted by their whole vectors. The cells are made anew once a
    table has ``regrow`` times the rows that they were made for, or new rows were sorted in
    ``most_parts`` times. ``sample`` questions measure what the index costs in recall.
    """

    from_rows: int = 20_000
    cell_rows: int = 256
    probes: int = 120
    refine: int = 4
    regrow: float = 2.0
    most_parts: int = 8
    sample: int = 20


@dataclass(frozen=True, slots=True)
class IndexState:
    """What the index over one encoder's vectors covers; ``recall`` is as measured when made.

    ``waiting`` rows are looked at one by one; without an index that is all of them, and exact.
    """

    signature: str
    rows: int
    waiting: int
    bytes: int = 0
    parts: int = 0
    recall: float | None = None

    @property
    def is_there(self) -> bool:
        """Say whether there is an index at all."""
        return self.parts > 0


class Indexes:
    """Makes and keeps up the indexes of one library, beside those that are there from the start."""

    def __init__(self, tables: Tables, policy: IndexPolicy | None = None) -> None:
        self._tables = tables
        self.policy = policy or IndexPolicy()
        self._lock_path = tables.home / "locks" / "indexing.lock"

    @contextmanager
    def holding(self) -> Iterator[bool]:
        """Keep others from making an index within the block; gives False while one is made."""
        with locked(self._lock_path) as is_ours, ExitStack() as held:
            yield is_ours and self._is_leased(held)

    def _is_leased(self, held: ExitStack) -> bool:
        """Keep other machines from it too: what one of them makes looks abandoned till it is done.

        Says False where one is at it.
        """
        try:
            held.enter_context(self._tables.ground.leased(INDEXING))
        except StoreConflict:
            return False
        return True

    def tend(self) -> list[str]:
        """Make what is missing or outgrown; give a line for each index made.

        Takes a minute for a million vectors. Meanwhile everybody reads and writes as before, since
        only the last step is a commit. Killed within, it is done again at the next call; while
        another process is at it, there is nothing to do.
        """
        with self.holding() as mine:
            if not mine:
                return []
            return [*self._tend_plain(), *self._tend_vectors()]

    @again_if_purged
    def states(self) -> list[IndexState]:
        """Tell of each encoder's vectors how they are indexed."""
        return [self.state_of(table) for table in self._tables.all_vectors()]

    def state_of(self, table: Table) -> IndexState:
        """Tell how one encoder's vectors are indexed."""
        rows = table.count_rows()
        told = next((one for one in table.list_indices() if one.name == _VECTOR), None)
        signature = self._tables.signature_of(table)
        if told is None:
            return IndexState(signature, rows, rows)
        stats = table.index_stats(_VECTOR)
        waiting = stats.num_unindexed_rows if stats else 0
        noted = (table.schema.field("vector").metadata or {}).get(_RECALL.encode())
        recall = float(noted.split()[0]) if noted else None
        return IndexState(
            signature, rows, waiting, told.size_bytes or 0, told.num_segments or 1, recall
        )

    def missing(self) -> list[str]:
        """Name what has no index although it is large enough for one."""
        plain = [f"{table.name}.{column}" for table, column, _ in self._plain_missing()]
        vectors = [f"{table.name}.vector" for table in self._outgrown()]
        return [*plain, *vectors]

    def lame(self) -> list[str]:
        """Name the indexes that are there and cannot be used, since a file of theirs is lost.

        Raises:
            SetupError, BackendError: object storage is at fault, and the indexes may be well.
        """
        found = []
        for table, index in list(self._each()):
            try:
                self._used(table, index)
            except _FAILED as exc:
                log.info("index %s of %s: %s", index.name, table.name, exc)
                found.append(f"{table.name}.{index.columns[0]}")
        return found

    def rebuild(self, names: Sequence[str]) -> None:
        """Drop indexes by the names that ``lame`` gives, and make those anew that must be there.

        The others are made by ``tend`` where they are due.
        """
        for table, index in list(self._each()):
            if f"{table.name}.{index.columns[0]}" in names:
                with self._tables.writing():
                    table.drop_index(index.name)
        with self._tables.writing():
            self._tables.index(self._tables.memories)

    def _each(self) -> Iterator[tuple[Table, Any]]:
        for table in (self._tables.memories, *self._tables.all_vectors()):
            yield from ((table, index) for index in table.list_indices())

    @again_if_purged
    def _used(self, table: Table, index: Any) -> None:
        """Look something up in an index, so that its files are read."""
        table.index_stats(index.name)
        (column,) = index.columns
        if column == "words":
            table.search("the", query_type="fts").select(["id", "_score"]).limit(1).to_list()
        elif column == "vector":
            width = table.schema.field("vector").type.list_size
            asked = np.full(width, 1 / width, np.float32)
            query: Any = table.search(asked, vector_column_name="vector")
            query = query.distance_type(self._metric(table)).nprobes(self.policy.probes)
            query.select(["id", "_distance"]).limit(1).to_list()
        else:
            table.search().where(col(column) == lit("")).select(["id"]).limit(1).to_list()

    @staticmethod
    def _metric(table: Table) -> Any:
        return (table.schema.metadata or {})[schema.METRIC_KEY].decode()

    def _tend_plain(self) -> list[str]:
        done = []
        for table, column, config in self._plain_missing():
            with self._tables.writing():
                table.create_index(column, config=config)
            done.append(f"indexed {table.name} by {column}")
        return done

    @again_if_purged
    def _plain_missing(self) -> list[tuple[Table, str, Any]]:
        missing: list[tuple[Table, str, Any]] = []
        for table in (self._tables.memories, *self._tables.all_vectors()):
            if table.count_rows() < self.policy.from_rows:
                continue
            there = {column for index in table.list_indices() for column in index.columns}
            wanted = {"id": BTree(), "media_id": BTree(), "level": Bitmap()}
            missing += [(table, name, wanted[name]) for name in wanted if name not in there]
        return missing

    def _tend_vectors(self) -> list[str]:
        return [self._sorted_anew(table) for table in self._outgrown()]

    @again_if_purged
    def _outgrown(self) -> list[Table]:
        return [table for table in self._tables.all_vectors() if self._is_outgrown(table)]

    def _is_outgrown(self, table: Table) -> bool:
        state = self.state_of(table)
        if state.rows < self.policy.from_rows:
            return False
        made_for = self._made_for(table)
        grown = made_for is None or state.rows >= made_for * self.policy.regrow
        return not state.is_there or grown or state.parts > self.policy.most_parts

    def _made_for(self, table: Table) -> int | None:
        """Tell for how many rows the cells were made; None where those are of another size."""
        noted = (table.schema.field("vector").metadata or {}).get(_RECALL.encode())
        _, rows, *cells = map(float, noted.split()) if noted else (0, 0)
        return int(rows) if cells == [self.policy.cell_rows] else None

    def _sorted_anew(self, table: Table) -> str:
        """Sort all vectors of a table into cells, and note what that costs in recall."""
        rows, started = table.count_rows(), time.monotonic()
        metric = self._metric(table)
        config = IvfSq(
            metric, target_partition_size=self.policy.cell_rows, sample_rate=64, max_iterations=20
        )
        try:
            with writing_to(self._tables.home), self._tables.ground.plainly():
                table.create_index("vector", config=config, replace=True)
                recall = self.recall(table, metric)
        except _FAILED as exc:
            # Somebody rewrote the table meanwhile; it is searched as before until the next time.
            log.info("no index over %s this time: %s", table.name, exc)
            # What a machine made while it seemed asleep, others tidied away as abandoned.
            if (name := f"{table.name}.vector") in self.lame():
                self.rebuild([name])
            return f"could not index {table.name} this time, since it was rewritten meanwhile"
        with self._tables.writing():
            noted = {_RECALL: f"{recall:.4f} {rows} {self.policy.cell_rows}"}
            table.update_field_metadata({"path": "vector", "metadata": noted})
        took_s = time.monotonic() - started
        return f"indexed {rows} vectors of {table.name} in {took_s:.0f} s, recall {recall:.2f}"

    def recall(self, table: Table, metric: Any) -> float:
        """Measure which share of the truly nearest ten an index finds.

        A question lies between things: each one asked is a vector of the table with half of
        another one added.
        """
        rows, many = table.count_rows(), self.policy.sample
        places = np.linspace(0, rows - 1, num=2 * many, dtype=int)
        taken = table.take_offsets([int(at) for at in places]).select(["vector"]).to_arrow()
        vectors = np.asarray(taken["vector"].to_pylist(), np.float32)
        shares = []
        for asked in vectors[:many] + vectors[many:] / 2:
            exact = _nearest(table, asked, metric).bypass_vector_index()
            found = _nearest(table, asked, metric).nprobes(self.policy.probes)
            found = found.refine_factor(self.policy.refine)
            right = _ids(exact)
            shares.append(len(right & _ids(found)) / max(1, len(right)))
        return float(np.mean(shares))


def _nearest(table: Table, asked: Any, metric: Any) -> Any:
    query: Any = table.search(asked, vector_column_name="vector")
    return query.distance_type(metric).select(["id", "_distance"]).limit(10)


def _ids(query: Any) -> set[str]:
    return {row["id"] for row in query.to_list()}

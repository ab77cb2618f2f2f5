"""One media's rows on their way from the library that made them to the one that keeps them.

Plain Arrow tables without a file behind them, so that they can be sent to another process or
machine; the library they came from may be gone by the time they are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa  # type: ignore[import-untyped]

from memqa.store.schema import MediaRow
from memqa.store.source import Source, Space


@dataclass(frozen=True, slots=True)
class Parcel:
    """All that a library holds of one media: its row, and the tables of what belongs to it."""

    row: MediaRow
    memory_tables: tuple[pa.Table, ...] = ()
    vector_tables: tuple[tuple[Space, pa.Table], ...] = ()
    state_tables: tuple[pa.Table, ...] = ()

    @classmethod
    def of(cls, source: Source, row: MediaRow) -> Parcel:
        """Read every row of a media; each is proved on the way.

        Raises:
            InputError: the library it is read from is damaged.
        """
        return cls(
            row,
            tuple(source.memories(row)),
            tuple(source.vectors(row)),
            tuple(source.states(row)),
        )

    @property
    def n_bytes(self) -> int:
        """How much travels."""
        vectors = (table for _, table in self.vector_tables)
        tables = (*self.memory_tables, *vectors, *self.state_tables)
        return sum(int(table.nbytes) for table in tables)

    def memories(self, row: MediaRow) -> Sequence[pa.Table]:
        """Give the memories; ``row`` is this parcel's, as it is to be written."""
        return self.memory_tables

    def vectors(self, row: MediaRow) -> Sequence[tuple[Space, pa.Table]]:
        """Give the vectors with the space each table of them is of."""
        return self.vector_tables

    def states(self, row: MediaRow) -> Sequence[pa.Table]:
        """Give the states."""
        return self.state_tables

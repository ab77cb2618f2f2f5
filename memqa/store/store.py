"""One library's store: what reads it, what writes it, what keeps it in order."""

from __future__ import annotations

from pathlib import Path

from memqa.store.collected import Collections
from memqa.store.damage import Damage
from memqa.store.indexes import Indexes, IndexPolicy
from memqa.store.read import Reader
from memqa.store.receive import Receiver
from memqa.store.tables import Tables
from memqa.store.upkeep import Upkeep
from memqa.store.write import Writer


class Store:
    """The tables under ``home`` behind ``read``, ``write``, ``collections`` and ``upkeep``.

    ``receive`` takes media over from another library; ``writing`` holds the write permission, and
    ``own`` knows which media this machine took in.
    ``policy`` says from where on tables are indexed, ``spare_share`` how much of the disk older
    versions may take.

    Raises:
        StoreMismatch: the library was written with another schema.
    """

    def __init__(
        self,
        home: Path,
        *,
        consistency_s: float = 0.0,
        policy: IndexPolicy | None = None,
        spare_share: float = 0.2,
    ) -> None:
        tables = Tables(home, consistency_s=consistency_s)
        self.home = home
        self.read = Reader(tables, policy)
        self.writing = tables.writing
        self.own = tables.own
        self.write = Writer(tables, self.read)
        self.receive = Receiver(tables, self.write)
        self.collections = Collections(tables, self.read)
        self.indexes = Indexes(tables, policy)
        self.damage = Damage(tables, self.read)
        self.upkeep = Upkeep(
            tables, self.read, self.collections, indexes=self.indexes, spare_share=spare_share
        )

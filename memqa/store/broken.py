"""Tables that cannot be read any more: found without opening the library, and what can be done.

A table that still has an older version that can be read goes back to it. One of vectors can be
done without: it is put aside, and what it held is made anew from the memories. What cannot be read
may only have been tidied away meanwhile, so it is looked at again while nobody writes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lancedb.db import DBConnection
from lancedb.table import Table

from memqa.room import writing_to
from memqa.store.durable import torn
from memqa.store.ground import Ground, ground_of, names_in
from memqa.store.leases import WRITING
from memqa.store.lock import locked
from models.errors import ReadOnly, StoreConflict

_FAILED = (OSError, RuntimeError, ValueError)
_WAIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Broken:
    """A table that cannot be read, and why; ``older`` is the newest version that can be.

    That one holds ``rows``; one that holds none is no better than a new table. ``is_torn`` says
    that a write was cut short, and needs only be dropped.
    """

    name: str
    why: str
    older: int | None = None
    rows: int = 0
    is_torn: bool = False

    @property
    def is_derived(self) -> bool:
        """Say whether all that it held can be made anew from the other tables."""
        return self.name.startswith("vectors_")


def broken_tables(home: Path) -> list[Broken]:
    """Read every row of every table, and tell which tables fail.

    Raises:
        StoreConflict: another process keeps writing, so that it cannot be told.
        SetupError, BackendError: object storage is at fault.
    """
    with _opened(home) as look:
        failing = {name: why for name in sorted(names_in(look.db)) if (why := look.why(name))}
        if not failing:
            return []
        try:
            with _stillness(look):
                return [one for name in failing if (one := look.broken(name))]
        except ReadOnly:
            return [Broken(name, why) for name, why in failing.items()]


def mend(home: Path, name: str) -> str:
    """Bring a table back as far as it can be; gives what was done, empty where nothing can be.

    On object storage no table is put aside: another machine may have it open.

    Raises:
        StoreConflict: another process keeps writing.
        SetupError, BackendError: the disk, its permissions or object storage are at fault.
    """
    with _opened(home) as look, _stillness(look):
        found = look.broken(name)
        if found is None:
            return f"the table {name} can be read again"
        if found.is_torn:
            look.ground.mend(name)
            return f"the table {name} is again as it was before a write that was cut short"
        if found.older is not None:
            table = look.db.open_table(name)
            table.checkout(found.older)
            table.restore()
            kept = f"the {found.rows} rows of its version {found.older}"
            return f"the table {name} holds {kept} again; what came later is lost"
        if not found.is_derived or look.ground.is_shared:
            return ""
        aside = home / "damaged" / f"{name}-{int(time.time())}.lance"
        aside.parent.mkdir(exist_ok=True)
        (home / "tables" / f"{name}.lance").rename(aside)
    return f"put the table {name} aside as {aside}"


@dataclass(frozen=True, slots=True)
class _Look:
    """A database that is looked at without opening the library in it."""

    home: Path
    ground: Ground
    db: DBConnection

    def broken(self, name: str) -> Broken | None:
        """Say what is wrong with a table, and how far back it can be read."""
        why = self.why(name)
        if not why:
            return None
        if not self.ground.is_shared and torn(self.home / "tables" / f"{name}.lance"):
            return Broken(name, why, is_torn=True)
        return Broken(name, why, *self._older(name))

    def why(self, name: str) -> str:
        """Read a table whole; tell why that fails, empty where it does not."""
        try:
            _read(self.db.open_table(name))
        except _FAILED as exc:
            if self.ground.is_at_fault(exc):
                raise
            return _short(exc) if self._holds_rows(name, exc) else ""
        return ""

    def _holds_rows(self, name: str, error: Exception) -> bool:
        """Tell a table from the bare folder that a kill leaves: the next opening makes it one."""
        if "was not found" not in str(error):
            return True
        return any((self.home / "tables" / f"{name}.lance" / "data").glob("*"))

    def _older(self, name: str) -> tuple[int | None, int]:
        """Find the newest older version of a table that can be read and holds rows, and count."""
        try:
            table = self.db.open_table(name)
            numbers = sorted((one["version"] for one in table.list_versions()), reverse=True)
        except _FAILED as exc:
            if self.ground.is_at_fault(exc):
                raise
            return None, 0
        for number in numbers[1:]:
            try:
                table.checkout(number)
                if rows := _read(table):
                    return int(number), rows
            except _FAILED as exc:
                if self.ground.is_at_fault(exc):
                    raise
        return None, 0


def _read(table: Table) -> int:
    """Read every row of a table, and count them."""
    query = table.search().limit(max(1, table.count_rows()))
    return sum(batch.num_rows for batch in query.to_batches(batch_size=4096))


@contextmanager
def _opened(home: Path) -> Iterator[_Look]:
    ground = ground_of(home)
    with ground.plainly():
        yield _Look(home, ground, ground.connect(0.0))


@contextmanager
def _stillness(look: _Look) -> Iterator[None]:
    """Let nobody write, and so tidy nothing away, within the block."""
    path = look.home / "locks" / "writing.lock"
    with writing_to(look.home), locked(path, timeout_s=_WAIT_S) as held:
        if not held:
            raise StoreConflict(
                f"another process keeps writing to the library {look.ground.told}; try again later"
            )
        with look.ground.leased(WRITING, timeout_s=_WAIT_S):
            yield


def _short(error: Exception) -> str:
    if not str(error):
        return type(error).__name__
    # Behind the comma stands where in LanceDB's own code it was noticed.
    told = str(error).splitlines()[0].removeprefix("lance error: ").partition(", /")[0]
    return told[:200]

"""Tables that cannot be read any more: found without opening the library, and what can be done.

A table that still has an older version that can be read goes back to it. One of vectors can be
done without: it is put aside, and what it held is made anew from the memories.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from lancedb.table import Table

from memqa.store.durable import torn
from memqa.store.ground import ground_of, names_in
from memqa.store.leases import WRITING
from memqa.store.lock import locked

_FAILED = (OSError, RuntimeError, ValueError)
_WAIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Broken:
    """A table that cannot be read, and why; ``older`` is the newest version that can be.

    ``is_torn`` says that its newest version was cut short, and need only be dropped.
    """

    name: str
    why: str
    older: int | None = None
    is_torn: bool = False

    @property
    def is_derived(self) -> bool:
        """Say whether all that it held can be made anew from the other tables."""
        return self.name.startswith("vectors_")


def broken_tables(home: Path) -> list[Broken]:
    """Read every row of every table, and tell which tables fail."""
    ground = ground_of(home)
    db = ground.connect(0.0)
    found = []
    for name in sorted(names_in(db)):
        try:
            table = db.open_table(name)
        except _FAILED as exc:
            is_torn = not ground.is_shared and bool(torn(home / "tables" / f"{name}.lance"))
            found.append(Broken(name, _short(exc), is_torn=is_torn))
            continue
        if why := _failing(table):
            found.append(Broken(name, why, _older(table)))
    return found


def mend(home: Path, broken: Broken) -> str:
    """Bring a table back as far as it can be; gives what was done, empty where nothing can be.

    On object storage no table is put aside: another machine may have it open.
    """
    ground = ground_of(home)
    with locked(home / "locks" / "writing.lock", timeout_s=_WAIT_S) as held:
        if not held:
            return ""
        if broken.is_torn:
            ground.mend(broken.name)
            return f"the table {broken.name} is again as it was before a write that was cut short"
        if broken.older is not None:
            with ground.leased(WRITING, timeout_s=_WAIT_S):
                table = ground.connect(0.0).open_table(broken.name)
                table.checkout(broken.older)
                table.restore()
            return f"the table {broken.name} is again as it was in its version {broken.older}"
        if not broken.is_derived or ground.is_shared:
            return ""
        aside = home / "damaged" / f"{broken.name}-{int(time.time())}.lance"
        aside.parent.mkdir(exist_ok=True)
        (home / "tables" / f"{broken.name}.lance").rename(aside)
    return f"put the table {broken.name} aside as {aside}"


def _failing(table: Table) -> str:
    """Read a table whole; tell why that fails, empty where it does not."""
    try:
        for _ in table.search().limit(max(1, table.count_rows())).to_batches(batch_size=4096):
            pass
    except _FAILED as exc:
        return _short(exc)
    return ""


def _older(table: Table) -> int | None:
    """Find the newest older version of a table that can be read, and holds something."""
    for number in sorted((one["version"] for one in table.list_versions()), reverse=True)[1:]:
        try:
            table.checkout(number)
            if table.count_rows() and not _failing(table):
                return int(number)
        except _FAILED:
            continue
        finally:
            table.checkout_latest()  # type: ignore[no-untyped-call]
    return None


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__

"""The ground that a library's tables stand on: a folder of this machine, or an address.

It says how LanceDB connects there, how fresh what is read is, how long older versions are kept, who
may write besides, and what a failure there is called.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import lancedb
from lancedb import Session
from lancedb.db import DBConnection
from lancedb.table import Table

from memqa.homes import Address, address_of
from memqa.store.durable import Durable, drop_torn
from memqa.store.leases import WRITING, Held, leases_of
from memqa.store.trouble import HASTY, PATIENT, plainly, trouble
from models.errors import StoreConflict

_LOOK_AGAIN_S = 2.0
_A_MOMENT_S = 0.03
_METADATA_BYTES = 16 * 2**20
_LEAST_INDEX_BYTES, _MOST_INDEX_BYTES = 32 * 2**20, 2 * 2**30
_MOST_AHEAD_S = 60.0


class Ground(Protocol):
    """Where tables lie.

    ``told`` is what a person is told of it, ``keep`` how long older versions have to stay for
    readers elsewhere, ``look_again_s`` after what time a reader looks for what others wrote.
    ``is_shared`` says that other machines may have the library open.
    """

    told: str
    keep: timedelta
    look_again_s: float
    is_shared: bool

    def connect(self, consistency_s: float) -> DBConnection:
        """Open the database."""

    def is_there(self) -> bool:
        """Say whether a library lies here already; makes none."""

    def plainly(self) -> AbstractContextManager[None]:
        """Say in one sentence what goes wrong inside the block where the ground is at fault."""

    def is_at_fault(self, error: Exception) -> bool:
        """Say whether an error is the ground's, so that reading again is of no use."""

    def leased(self, name: str, *, timeout_s: float = 0.0) -> AbstractContextManager[Held | None]:
        """Be the only machine that writes, makes indexes, or works on a media, as its name says.

        Its lock file on this machine is held by the caller.
        """

    def print_of(self, name: str) -> object | None:
        """Tell a table from another made in its place under the same name; None without one."""

    def bytes_of(self, tables: Sequence[Table]) -> int:
        """Measure what tables take."""

    def secure(self) -> None:
        """Come back once everything that is written by now would outlast a power cut."""

    def mend(self, name: str) -> None:
        """Bring a table of which a power cut left only a part back to what it was before."""

    def tidy(self) -> None:
        """Compact what there is besides the tables."""

    def let_versions_age(self, table: Table) -> None:
        """Wait until every version of a table lies in the past, so that it can be cleaned away."""


class Folder:
    """A folder of this machine."""

    keep = timedelta(0)
    look_again_s = 0.0
    is_shared = False

    def __init__(self, home: Path) -> None:
        self._folder = home / "tables"
        self._durable = Durable(self._folder)
        self.told = str(home)

    def connect(self, consistency_s: float) -> DBConnection:
        """Open the database; its folder is made if need be."""
        interval = timedelta(seconds=consistency_s)
        held = _session(2 * sum(map(folder_bytes, self._folder.glob("*/_indices"))))
        return lancedb.connect(self._folder, read_consistency_interval=interval, session=held)

    def is_there(self) -> bool:
        """Look for the folder of the tables."""
        return self._folder.exists()

    def plainly(self) -> AbstractContextManager[None]:
        """Leave errors as they are."""
        return nullcontext()

    def is_at_fault(self, error: Exception) -> bool:
        """Never say so: what goes wrong on a disk may be a version that is gone."""
        return False

    def leased(self, name: str, *, timeout_s: float = 0.0) -> AbstractContextManager[Held | None]:
        """Do nothing more: no other machine writes here."""
        return nullcontext()

    def print_of(self, name: str) -> object | None:
        """Tell a table by its folder."""
        try:
            stat = (self._folder / f"{name}.lance").stat()
        except FileNotFoundError:
            return None
        return stat.st_ino, stat.st_ctime_ns

    def bytes_of(self, tables: Sequence[Table]) -> int:
        """Measure the folder, older versions too."""
        return folder_bytes(self._folder)

    def secure(self) -> None:
        """Hand what is new to the disk."""
        self._durable.secure()

    def mend(self, name: str) -> None:
        """Drop the versions that are not whole."""
        drop_torn(self._folder / f"{name}.lance")

    def tidy(self) -> None:
        """Do nothing: there is nothing besides."""

    def let_versions_age(self, table: Table) -> None:
        """Wait a moment: the clock is the one that dated them."""
        time.sleep(_A_MOMENT_S)


class Bucket:
    """An address on object storage, which several machines may have open at once.

    What others wrote is seen after two seconds at the latest, what this process wrote at once, and
    every write begins with what is newest. Older versions stay for ten minutes.
    """

    keep = timedelta(minutes=10)
    look_again_s = _LOOK_AGAIN_S
    is_shared = True

    def __init__(self, home: Path, address: Address) -> None:
        self._home, self._address = home, address
        self.told = address.address

    def connect(self, consistency_s: float) -> DBConnection:
        """Open the database, after a hasty look whether the endpoint is there and lets us in."""
        uri = f"{self.told}/tables"
        interval = timedelta(seconds=max(consistency_s, self.look_again_s))
        with self.plainly():
            lancedb.connect(uri, storage_options=HASTY)
            return lancedb.connect(
                uri,
                read_consistency_interval=interval,
                storage_options=PATIENT,
                session=_session(_MOST_INDEX_BYTES),
            )

    def is_there(self) -> bool:
        """Look for the tables."""
        with self.plainly():
            return "media" in names_in(self.connect(0.0))

    def plainly(self) -> AbstractContextManager[None]:
        """Say what the endpoint, the bucket or the credentials are at fault with."""
        return plainly(self._address)

    def is_at_fault(self, error: Exception) -> bool:
        """Tell what the endpoint, the bucket or the credentials are at fault with from the rest."""
        return trouble(error, self._address) is not None

    @contextmanager
    def leased(self, name: str, *, timeout_s: float = 0.0) -> Iterator[Held | None]:
        """Hold the lease of this name.

        Raises:
            StoreConflict: another machine kept it.
        """
        leases = leases_of(self._home, self._address)
        with leases.held(name, timeout_s=timeout_s) as held:
            if held is None:
                does = f"keeps writing to {self.told}" if name == WRITING else "works on this file"
                raise StoreConflict(
                    f"another machine ({leases.holder(name) or 'done by now'}) {does}; try again "
                    "when it is done, or, where it was switched off, after 20 minutes"
                )
            yield held

    def print_of(self, name: str) -> object | None:
        """Take every table of a name for the same: none is removed from a library here."""
        return name

    def bytes_of(self, tables: Sequence[Table]) -> int:
        """Sum up what the tables count of themselves as they are now."""
        # LanceDB declares a class here and gives a dictionary.
        found = [dict(table.stats()) for table in tables]  # type: ignore[call-overload]
        return sum(int(one["total_bytes"]) for one in found)

    def secure(self) -> None:
        """Do nothing: what the endpoint took, it keeps."""

    def mend(self, name: str) -> None:
        """Do nothing: an object is there whole or not at all."""

    def tidy(self) -> None:
        """Compact the leases."""
        with self.plainly():
            leases_of(self._home, self._address).tidy()

    def let_versions_age(self, table: Table) -> None:
        """Wait for the clock of whichever machine wrote the newest."""
        newest = max(version["timestamp"].timestamp() for version in table.list_versions())
        time.sleep(_A_MOMENT_S + min(max(newest - time.time(), 0.0), _MOST_AHEAD_S))


def _session(index_bytes: int) -> Session:
    """Bound what LanceDB keeps in memory; by itself it lets go of older versions at 7 GB only.

    An index has to stay there whole, or every search reads it anew.
    """
    indexes = min(max(index_bytes, _LEAST_INDEX_BYTES), _MOST_INDEX_BYTES)
    return Session(indexes, _METADATA_BYTES)


def ground_of(home: Path) -> Ground:
    """Say where the tables of the library under ``home`` lie."""
    address = address_of(home)
    return Bucket(home, address) if address else Folder(home)


def names_in(database: DBConnection) -> list[str]:
    """List the tables of a database."""
    names: list[str] = []
    page: str | None = None
    while True:
        answer = database.list_tables(page_token=page)
        names += answer.tables
        page = answer.page_token
        if not page:
            return names


def folder_bytes(folder: Path) -> int:
    """Measure the files of a folder, whatever goes meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:  # Compaction may remove it while we count.
            continue
    return total

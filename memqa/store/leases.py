"""Leases between machines: who may write to a library on object storage, who indexes what.

All leases of a library stand in the one row of one table, and a change counts only where the row is
as it was read: of two machines that change it at once, one finds nothing to change and looks again.

The rule: a holder gives a sign of life every 15 seconds. Whoever has seen no new one for a minute,
by its own clock, may take the lease; so may whoever finds the last one to be 20 minutes old, since
object storage lets no clock be wrong by more than 15. Processes of one machine come to terms by a
lock file first (`lock.py`): whoever holds that one may take a lease of its own machine at once, for
the holder is dead. A holder that was asleep asks, before it makes anything seen, whether it still
is the holder (`Held.prove`).
"""

from __future__ import annotations

import json
import logging
import platform
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

import lancedb
import pyarrow as pa  # type: ignore[import-untyped]
from lancedb.expr import col, lit
from lancedb.table import Table

from memqa.homes import Address
from memqa.store.trouble import PATIENT, is_conflict, plainly
from models.errors import MemqaError, StoreConflict

log = logging.getLogger(__name__)

WRITING = "writing"
INDEXING = "indexing"
BEAT_S = 15.0
LAPSE_S = 60.0
_OLD_S = 20 * 60.0
_POLL_S = 0.3
_MOST_TRIES = 100
_KEEP = timedelta(minutes=10)
_TABLE = "leases"
_SCHEMA = pa.schema([("id", pa.int64()), ("turn", pa.int64()), ("leases", pa.string())])


@dataclass(frozen=True, slots=True)
class Lease:
    """What stands in the row: a machine, a token that is new each time, the signs of life given.

    ``at`` is the time of the last one by the clock of its machine.
    """

    machine: str
    token: str
    beat: int
    at: float


_All: TypeAlias = Mapping[str, Lease]


class Held:
    """A lease that this process holds; ``was_left`` where another machine held it and fell silent.

    Then that machine may wake up, and must not finish what it was writing. ``taken`` and ``left``
    count the changes of the row: where nobody changed it between, nobody held a lease.
    """

    def __init__(
        self, leases: Leases, name: str, token: str, *, was_left: bool, taken: int
    ) -> None:
        self.name, self.token, self.was_left = name, token, was_left
        self.taken, self.left = taken, -1
        self._leases = leases
        self._told_at = _now()

    def beat(self) -> bool:
        """Give a sign of life; False where the lease is another's by now."""
        now = _now()
        if self._leases.renewed(self) is None:
            return False
        self._told_at = now
        return True

    def prove(self) -> None:
        """Make sure that the lease is still held.

        Raises:
            StoreConflict: it is not.
        """
        silent_s = max(new - old for new, old in zip(_now(), self._told_at, strict=True))
        # Half of what others wait for: what begins now is done before they may begin.
        if silent_s > LAPSE_S / 2 and not self.beat():
            raise StoreConflict(
                "this machine gave no sign of life for too long, and another one writes to the "
                "library now; nothing was changed, do it again"
            )


class Leases:
    """The leases of a library at an address, as this process sees them."""

    def __init__(self, home: Path, address: Address) -> None:
        self._address = address
        node = re.sub(r"[^A-Za-z0-9._-]", "-", platform.node())[:64] or "unnamed"
        self._machine = f"{node}/{address.machine}"
        self._opened: Table | None = None
        self._last: tuple[int, _All] | None = None  # as this process left it
        self._silent: dict[str, tuple[str, int, float]] = {}
        self._changing = threading.RLock()

    @contextmanager
    def held(self, name: str, *, timeout_s: float = 0.0) -> Iterator[Held | None]:
        """Hold a lease inside the block; gives None where another machine holds it.

        The lock file of the same name is held by the caller. It is tried until ``timeout_s`` is
        over.
        """
        deadline = time.monotonic() + timeout_s
        while (held := self._taken(name)) is None and time.monotonic() < deadline:
            time.sleep(_POLL_S * random.uniform(1, 2))
        if held is None:
            yield None
            return
        over = threading.Event()
        threading.Thread(target=self._live, args=(held, over), name="lease", daemon=True).start()
        try:
            yield held
        finally:
            over.set()
            self._let_go(held)

    def holder(self, name: str) -> str:
        """Name the machine that holds a lease and is alive, as far as one look tells; else ""."""
        with plainly(self._address), self._changing:
            _, leases = self._read()
            lease = leases.get(name)
            alive = lease is not None and not self._is_free(name, lease)
        return lease.machine.partition("/")[0] if lease and alive else ""

    def renewed(self, held: Held) -> int | None:
        """Write a sign of life down; None where the lease is not held."""

        def renew(leases: _All) -> _All | None:
            mine = leases.get(held.name)
            if mine is None or mine.token != held.token:
                return None
            return {**leases, held.name: replace(mine, beat=mine.beat + 1, at=time.time())}

        return self._change(renew)

    def tidy(self) -> None:
        """Merge what the changes left behind, and drop what is old of it."""
        try:
            self._table().optimize(cleanup_older_than=_KEEP)
        except RuntimeError as exc:
            if not is_conflict(exc):  # a sign of life came between; the next tidying does it
                raise

    def _taken(self, name: str) -> Held | None:
        token, left = uuid4().hex, False

        def take(leases: _All) -> _All | None:
            nonlocal left
            there = leases.get(name)
            if there is not None and there.token == token:
                return leases  # the answer to our change was lost on the way, not the change
            if there is not None and not self._is_free(name, there):
                return None
            left = there is not None and there.machine != self._machine
            return {**leases, name: Lease(self._machine, token, 0, time.time())}

        with plainly(self._address):
            if (turn := self._change(take)) is None:
                return None
        return Held(self, name, token, was_left=left, taken=turn)

    def _is_free(self, name: str, lease: Lease) -> bool:
        """Say whether nobody can be alive who holds this."""
        if lease.machine == self._machine or time.time() - lease.at > _OLD_S:
            return True
        token, beat, since = self._silent.get(name, ("", 0, 0.0))
        if (token, beat) != (lease.token, lease.beat):
            self._silent[name] = lease.token, lease.beat, time.monotonic()
            return False
        return time.monotonic() - since > LAPSE_S

    def _let_go(self, held: Held) -> None:
        def leave(leases: _All) -> _All | None:
            mine = leases.get(held.name)
            if mine is None or mine.token != held.token:
                return None
            return {name: one for name, one in leases.items() if name != held.name}

        try:
            with plainly(self._address):
                held.left = self._change(leave) or -1
        except (MemqaError, RuntimeError, OSError) as exc:
            # Nothing is lost: it lapses, and what went wrong before has been said.
            log.info("a lease lapses by itself: %s", type(exc).__name__)

    def _live(self, held: Held, over: threading.Event) -> None:
        while not over.wait(BEAT_S):
            try:
                if not held.beat():
                    return
            except (MemqaError, RuntimeError, OSError) as exc:
                log.info("no sign of life could be given: %s", type(exc).__name__)

    def _change(self, change: Callable[[_All], _All | None]) -> int | None:
        """Change the row from what it is, and count it; None where ``change`` gives None."""
        with self._changing:
            for _ in range(_MOST_TRIES):
                is_guess = self._last is not None
                turn, leases = self._last or self._read()
                self._last = None
                if (new := change(leases)) is not None:
                    if self._put(turn, new):
                        self._last = turn + 1, new
                        return turn + 1
                elif not is_guess:
                    return None
        raise StoreConflict(
            f"too many machines write to the library {self._address.address} at once; try again"
        )

    def _put(self, turn: int, leases: _All) -> bool:
        text = json.dumps({name: asdict(one) for name, one in leases.items()})
        where = (col("id") == lit(0)) & (col("turn") == lit(turn))
        try:
            done = self._table().update(
                where=where.to_sql(), values={"turn": turn + 1, "leases": text}
            )
        except RuntimeError as exc:
            if not is_conflict(exc):
                raise
            return False
        return bool(done.rows_updated)

    def _read(self) -> tuple[int, _All]:
        (row,) = self._table().search().limit(2).to_list()
        leases = {name: Lease(**one) for name, one in json.loads(row["leases"]).items()}
        return int(row["turn"]), leases

    def _table(self) -> Table:
        if self._opened is None:
            db = lancedb.connect(
                f"{self._address.address}/leases",
                read_consistency_interval=timedelta(0),
                storage_options=PATIENT,
            )
            first = pa.Table.from_pylist([{"id": 0, "turn": 0, "leases": "{}"}], schema=_SCHEMA)
            if _TABLE in db.list_tables().tables:
                self._opened = db.open_table(_TABLE)
            else:  # of two that make it at once, one does, and both open it
                self._opened = db.create_table(_TABLE, data=first, exist_ok=True)
        return self._opened


@cache
def leases_of(home: Path, address: Address) -> Leases:
    """Give the leases of a library, one object for each in a process."""
    return Leases(home, address)


def _now() -> tuple[float, float]:
    """Tell the time by both clocks: one stands still while the machine sleeps, one can be set."""
    return time.monotonic(), time.time()

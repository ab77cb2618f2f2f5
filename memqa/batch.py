"""Many files on one machine: worker processes take them in, one file each at a time.

Knows who gets which file and what comes of each: a file whose worker crashes, hangs or takes too
much is tried once more by a fresh worker, one that another file of the run blocks waits for that
one. The rows are those that one process would write, whatever the order.
"""

from __future__ import annotations

import queue
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from memqa import batch_lines
from memqa.allowance import Allowance
from memqa.alone import leased
from memqa.batch_child import Child, Inbox
from memqa.batch_lines import Line
from memqa.facts import FileFacts
from memqa.listening import Listener
from memqa.named import Named
from memqa.settings import Settings
from memqa.settled import settle_abandoned, settle_unfinished
from memqa.values import Outcome
from models.errors import (
    BackendError,
    DecodeFailed,
    IngestCancelled,
    InputError,
    StoreConflict,
    UnreadableMedia,
)
from models.values import Progress

if TYPE_CHECKING:
    from memqa.store.store import Store

_LOOK_S = 0.1
_MEASURE_S = 0.5
_MOST_TRIES = 2


@dataclass(slots=True, eq=False)
class _File:
    """One file of the run: its place in it, how often it failed, behind which files it waits."""

    number: int
    named: Named
    tries: int = 0
    behind: frozenset[int] = frozenset()


@dataclass(slots=True, eq=False)
class _Worker:
    """A place for a worker process, with the file it has; ``reason`` is why it was killed."""

    child: Child | None = None
    file: _File | None = None
    taken: Allowance | None = None
    reason: str = ""
    began: float = 0.0


@dataclass(slots=True)
class _Run:
    """How far a run has come; ``taken`` are the places of the files of each media, as they ended.

    ``died`` says that a worker did not end by itself.
    """

    method: str
    store: Store
    line: deque[_File]
    taken: dict[str, list[_File]] = field(default_factory=lambda: defaultdict(list))
    stopping: bool = False
    cancelled: bool = False
    died: bool = False


class Batch:
    """Takes files into the library of ``settings`` by ``workers`` processes.

    Raises:
        InputError: no worker.
    """

    def __init__(self, settings: Settings, *, workers: int, listener: Listener) -> None:
        if workers < 1:
            raise InputError(f"{workers} workers cannot take anything in; let there be 1 or more")
        self._settings = settings
        self._listener = listener
        self._workers = [_Worker() for _ in range(workers)]
        # Not bounded, but short: a worker has one file, and whoever waits for it tells little.
        self._inbox: Inbox = queue.Queue()
        self._measured = time.monotonic()

    def run(
        self, files: Sequence[Named], *, method: str, opened: Callable[[], Store]
    ) -> Iterator[Outcome]:
        """Yield what became of each file, as they end; once stopped, of those under way.

        ``opened`` gives the library's store, put right; the processes start meanwhile.
        """
        yield from filter(None, (named.refusal() for named in files))
        line = deque(
            _File(number, named) for number, named in enumerate(files) if not named.refused
        )
        self._workers = self._workers[: len(line)]
        try:
            for worker in self._workers:
                worker.child = self._child()
            run = _Run(method, opened(), line)
            yield from self._outcomes(run)
        finally:
            self._end()

    def _outcomes(self, run: _Run) -> Iterator[Outcome]:
        try:
            while run.line or self._busy():
                self._hand_out(run)
                if run.stopping and not self._busy():
                    break
                yield from self._heard(run)
                self._watch_limits()
            if run.stopping and run.line and not run.cancelled:
                yield self._never_begun(run.line[0])
        finally:
            run.died |= bool(self._busy())
            self._end()
            if run.died:
                settle_abandoned(run.store)
        self._put_in_order(run)

    def _child(self) -> Child:
        return Child(self._settings, self._inbox, workers=len(self._workers))

    def _busy(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.file is not None]

    # Handing out

    def _look_whether_to_stop(self, run: _Run) -> None:
        if not run.stopping and self._listener.stops():
            run.stopping = True
            for worker in self._busy():
                if worker.child is not None and not worker.reason:
                    worker.child.stop()

    def _hand_out(self, run: _Run) -> None:
        self._look_whether_to_stop(run)
        if run.stopping:
            return
        for worker in self._workers:
            is_free = worker.file is None and not worker.reason
            if is_free and (file := self._next(run.line)) is not None:
                worker.child = worker.child or self._child()
                worker.file, worker.taken = file, Allowance(self._settings.batch)
                worker.began = time.monotonic()
                worker.child.take(file.named.place, run.method)

    def _next(self, line: deque[_File]) -> _File | None:
        """Take the first file out of the line that does not wait behind files under way."""
        under_way = {worker.file.number for worker in self._workers if worker.file is not None}
        for file in line:
            if not file.behind or file.behind - under_way:
                line.remove(file)
                return file
        return None

    # Hearing

    def _heard(self, run: _Run) -> Iterator[Outcome]:
        """Take what the workers told, waiting a moment for the first of it."""
        wait_s = _LOOK_S
        while True:
            try:
                child, line = self._inbox.get(timeout=wait_s)
            except queue.Empty:
                return
            wait_s = 0.0
            worker = next((one for one in self._workers if one.child is child), None)
            if worker is not None and (outcome := self._take(worker, line, run)) is not None:
                run.cancelled |= outcome.status == "cancelled"
                self._hand_out(run)  # whoever takes the outcome may take their time
                yield outcome

    def _take(self, worker: _Worker, line: Line | None, run: _Run) -> Outcome | None:
        file = worker.file
        if line is None:
            return self._died(worker, run)
        if file is None or worker.taken is None:
            return None
        if line["kind"] == "progress":
            progress = batch_lines.progress_from(line, file.named.told)
            worker.taken.moved(progress)
            self._tell(progress)
        elif line["kind"] == "begun":
            worker.taken.begun()
        elif line["kind"] == "length":
            worker.taken.length_s = line["length_s"]
        elif line["kind"] == "outcome":
            worker.file = None
            return self._ended(file, batch_lines.outcome_from(line), run)
        return None

    def _ended(self, file: _File, outcome: Outcome, run: _Run) -> Outcome | None:
        """Give the outcome of a file, or None where it goes back into the line."""
        if not run.stopping:
            if isinstance(outcome.error, StoreConflict):
                file.behind = frozenset(one.file.number for one in self._busy() if one.file)
                if file.behind:
                    self._line_up(file, run, len(run.line))
                    return None
            if isinstance(outcome.error, DecodeFailed) and self._tries_again(file, run):
                return None
        if outcome.media is not None:
            run.taken[outcome.media.id].append(file)
        # A worker may name an address as it was typed, with a password in it.
        return file.named.said(replace(outcome, path=file.named.told))

    def _died(self, worker: _Worker, run: _Run) -> Outcome | None:
        """A worker is gone: give its file a second try, or give it up."""
        child, file = worker.child, worker.file
        assert child is not None, "only a worker with a process dies"
        end = child.kill()
        how = worker.reason or f"was being taken in when its process {end}"
        worker.child, worker.file, worker.reason = None, None, ""
        run.died = True
        if file is None or (not run.stopping and self._tries_again(file, run)):
            return None
        named, elapsed_s = file.named, time.monotonic() - worker.began
        error: Exception
        if run.stopping:
            error = IngestCancelled(f"stopped while {named.name} was being taken in")
        else:
            again = "; it was tried twice" if file.tries == _MOST_TRIES else ""
            error = BackendError(f"{named.name} {how}{again}")
        self._settle(run.store, named.key, error)
        return Outcome(
            named.told, "cancelled" if run.stopping else "failed", error=error, elapsed_s=elapsed_s
        )

    def _tries_again(self, file: _File, run: _Run) -> bool:
        file.tries += 1
        file.behind = frozenset()
        if file.tries < _MOST_TRIES:
            # Soon, so that others work while it hangs again; not at once, for a fault may pass.
            self._line_up(file, run, len(self._workers))
            return True
        return False

    def _line_up(self, file: _File, run: _Run, place: int) -> None:
        run.line.insert(place, file)
        self._tell(Progress("Waiting", 0, None, "", file.named.told))

    def _tell(self, progress: Progress) -> None:
        if self._listener.on_progress is not None:
            self._listener.on_progress(progress)

    @staticmethod
    def _settle(store: Store, key: str, error: Exception) -> None:
        """Leave no half state of a file whose worker is gone."""
        for row in store.read.rows_at(key):
            if row.media.status == "indexing":
                with suppress(StoreConflict), leased(store.home, row.media.id, timeout_s=5):
                    settle_unfinished(store, row.media.id, error)

    # Limits

    def _watch_limits(self) -> None:
        now = time.monotonic()
        if now - self._measured < _MEASURE_S:
            return
        # Whoever fetches the outcomes may have kept us; that is not the files' time.
        elapsed_s, self._measured = min(now - self._measured, 2 * _MEASURE_S), now
        for worker in self._busy():
            if worker.child is None or worker.taken is None or worker.reason:
                continue
            worker.reason = worker.taken.overrun(elapsed_s, worker.child.resident_bytes())
            if worker.reason:
                worker.child.kill()  # its end is told like any other

    # The end

    def _never_begun(self, file: _File) -> Outcome:
        error = IngestCancelled(f"stopped before {file.named.name} was begun")
        return Outcome(file.named.told, "cancelled", error=error)

    def _put_in_order(self, run: _Run) -> None:
        """Where files of the same bytes ended in another order, note their places anew."""
        for media_id, files in run.taken.items():
            in_order = sorted(files, key=lambda file: file.number)
            if in_order == files:
                continue
            for file in in_order:
                if isinstance(file.named.place, str):
                    continue
                with suppress(UnreadableMedia, StoreConflict):  # gone, or forgotten meanwhile
                    facts = FileFacts.of(file.named.place)
                    run.store.write.relocate(
                        media_id,
                        str(facts.path),
                        size_bytes=facts.size_bytes,
                        mtime_ns=facts.mtime_ns,
                    )

    def _end(self) -> None:
        for worker in self._workers:
            if worker.child is not None:
                worker.child.kill()
                worker.child = None

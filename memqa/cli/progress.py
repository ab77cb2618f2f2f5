"""How work in progress is shown on stderr: bars on a terminal, plain lines anywhere else."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Protocol

from memqa.cli import exits
from memqa.cli.words import printable
from models.values import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

LINE_EVERY_S = 10.0
LABEL_WIDTH = 40


class Display(Protocol):
    """Shows which file is worked on and how far each of its stages has come."""

    def begin(self, name: str) -> None:
        """Start a new file."""
        ...

    def update(self, progress: Progress) -> None:
        """Show how far a stage of the current file has come."""
        ...

    def __enter__(self) -> Display: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def display() -> Display:
    """Give bars where stderr is a terminal, lines where it is a file or a pipe."""
    return _Bars() if sys.stderr.isatty() else _Lines()


@contextmanager
def stopped_by_ctrl_c() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into a polite wish; a second one ends the run at once."""
    wish = threading.Event()

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        if wish.is_set():
            raise KeyboardInterrupt
        wish.set()
        exits.complain("stopping; what is remembered so far stays. Ctrl-C again ends it at once.")

    before = signal.signal(signal.SIGINT, ask_to_stop)
    try:
        yield wish
    finally:
        signal.signal(signal.SIGINT, before)


def bars(*, with_time: bool = True) -> Bars:
    """Give bars on stderr that go once they are stopped; a file's name in them is plain text."""
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    return Bars(
        TextColumn(f"{{task.description:{LABEL_WIDTH}}}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        *([TimeRemainingColumn()] if with_time else []),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,  # else results would go to stderr
    )


class _Bars:
    """One bar a stage of the current file; gone while nothing is worked on."""

    def __init__(self) -> None:
        self._bars = bars()
        self._name = ""

    def begin(self, name: str) -> None:
        self._bars.stop()
        for task in self._bars.task_ids:
            self._bars.remove_task(task)
        self._name = printable(name)

    def update(self, progress: Progress) -> None:
        label = f"{self._name}: {progress.stage}"
        task = next((task for task in self._bars.tasks if task.description == label), None)
        task_id = self._bars.add_task(label, total=progress.total) if task is None else task.id
        self._bars.update(task_id, completed=progress.done, total=progress.total)
        self._bars.start()

    def __enter__(self) -> _Bars:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()


class _Lines:
    """One line when a stage begins, then one every few seconds: fit for a log."""

    def __init__(self) -> None:
        self._name = ""
        self._stage = ""
        self._told_at = 0.0

    def begin(self, name: str) -> None:
        self._name, self._stage = printable(name), ""

    def update(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.stage == self._stage and now - self._told_at < LINE_EVERY_S:
            return
        self._stage, self._told_at = progress.stage, now
        share = f" {100 * progress.done / progress.total:.0f} %" if progress.total else ""
        print(f"{self._name}: {progress.stage}{share}", file=sys.stderr, flush=True)

    def __enter__(self) -> _Lines:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

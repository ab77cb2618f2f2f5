"""How many files at once are shown on stderr: a line for each, and one for the whole run.

Where stderr is no terminal there is one plain line now and then.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from pathlib import PurePath
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from memqa.cli.progress import LABEL_WIDTH, LINE_EVERY_S, bars
from memqa.cli.words import printable
from models.values import Progress

if TYPE_CHECKING:
    from rich.progress import TaskID

_LATEST = 32
_SURE_AFTER_S = 3.0


class Pace:
    """How fast files end, told by the latest: many that are known already do not fool it long."""

    def __init__(self, files: int) -> None:
        self._files = files
        self._done = 0
        self._ends = deque([time.monotonic()], maxlen=_LATEST + 1)

    def ended(self) -> None:
        """Count one more file."""
        self._done += 1
        self._ends.append(time.monotonic())

    def line(self) -> str:
        """Say how far the run has come: ``37/200 files, 12 min left``."""
        left = f", {duration(self._left_s())} left" if self._is_sure() else ""
        return f"{self._done}/{self._files} files{left}"

    @property
    def done(self) -> int:
        """How many files have ended."""
        return self._done

    def _is_sure(self) -> bool:
        is_open = 0 < self._done < self._files
        return is_open and time.monotonic() - self._ends[0] >= _SURE_AFTER_S

    def _left_s(self) -> float:
        # Up to now, not to the latest end: a long file counts while it runs.
        each_s = (time.monotonic() - self._ends[0]) / (len(self._ends) - 1)
        return each_s * (self._files - self._done)


def duration(seconds: float) -> str:
    """Write how long something will take, as a person says it: ``40 s``, ``12 min``, ``2 h 5 min``.

    It is a guess, so no more than two parts are told.
    """
    if seconds < 55:
        return f"{max(5, 5 * round(seconds / 5))} s"
    minutes = max(1, round(seconds / 60))
    hours, rest = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {rest} min" if rest else f"{hours} h"


class Many(Protocol):
    """Shows a run over many files."""

    def update(self, progress: Progress) -> None:
        """Show how far a file has come, the one that ``progress`` names."""
        ...

    def ended(self, path: str) -> None:
        """Take a file off; nothing is shown until the next progress."""
        ...

    def __enter__(self) -> Many: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def display_many(files: int) -> Many:
    """Give bars where stderr is a terminal, lines where it is a file or a pipe."""
    return _Bars(files) if sys.stderr.isatty() else _Lines(files)


def _told(progress: Progress, most: int = 200) -> str:
    """Name the file and its stage in so many characters at most; a long name is cut."""
    name, room = printable(PurePath(progress.file).name), most - len(progress.stage) - 2
    return f"{name if len(name) <= room else f'{name[: room - 1]}…'}: {progress.stage}"


class _Bars:
    """A bar for the run, and one for each file under way below it."""

    def __init__(self, files: int) -> None:
        self._pace = Pace(files)
        self._bars = bars(with_time=False)  # the pace of all files tells better
        self._whole = self._bars.add_task(self._pace.line(), total=files)
        self._tasks: dict[str, TaskID] = {}

    def update(self, progress: Progress) -> None:
        label, total = _told(progress, LABEL_WIDTH), progress.total
        if progress.file not in self._tasks:
            self._tasks[progress.file] = self._bars.add_task(label, total=total)
        task = self._tasks[progress.file]
        self._bars.update(task, description=label, completed=progress.done, total=total)
        self._bars.update(self._whole, description=self._pace.line(), completed=self._pace.done)
        self._bars.start()

    def ended(self, path: str) -> None:
        self._pace.ended()
        self._bars.stop()
        if path in self._tasks:
            self._bars.remove_task(self._tasks.pop(path))

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
    """One line every few seconds, with what is worked on just then: fit for a log."""

    def __init__(self, files: int) -> None:
        self._pace = Pace(files)
        self._told_at = float("-inf")

    def update(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._told_at < LINE_EVERY_S:
            return
        self._told_at = now
        share = f" {100 * progress.done / progress.total:.0f} %" if progress.total else ""
        line = f"{self._pace.line()}; {_told(progress)}{share}"
        print(line, file=sys.stderr, flush=True)

    def ended(self, path: str) -> None:
        self._pace.ended()

    def __enter__(self) -> _Lines:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

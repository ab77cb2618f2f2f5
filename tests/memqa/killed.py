"""Takes a file in and kills itself, as a power cut would, at a chosen step of a chosen segment.

``python -m tests.memqa.killed HOME FILE STEP SEGMENT``; a step is the name of a method of Writer,
after which it dies, or ``worker`` to work through the queue instead and die in the outline.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from memqa.library import Library
from memqa.store.write import Writer
from tests.memqa.parts import FakeEngines


def die_after(step: str, segment: int) -> None:
    """Let the n-th call of a step be the last thing this process does."""
    original: Callable[..., Any] = getattr(Writer, step)
    calls = 0

    def last(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        result = original(*args, **kwargs)
        calls += 1
        if calls > segment:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(Writer, step, last)


def main(home: str, file: str, step: str, segment: str) -> None:
    die_after(step, int(segment))
    with Library(Path(home), engines=FakeEngines()) as library:
        print([outcome.status for outcome in library.index([file])])


if __name__ == "__main__":
    main(*sys.argv[1:])

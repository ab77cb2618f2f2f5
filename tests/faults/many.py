"""One of many that use a library at once: ``python -m tests.faults.many ROLE HOME …``.

``read HOME STOP`` asks with four threads until the file STOP is there; ``write HOME FILE…`` takes
files in and forgets every second one; ``work HOME`` works through the queue. Each prints as JSON
what it did, and every error that it met.
"""

from __future__ import annotations

import json
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

from memqa.jobs import Queue
from memqa.library import Library
from tests.memqa.parts import FakeEngines
from tests.memqa.working import main as work

_THREADS = 4


def read(home: str, stop: str) -> dict[str, object]:
    """Ask for everything that a page asks for."""
    library, errors, reads = Library(Path(home), engines=FakeEngines()), [], [0] * _THREADS

    def all_memories() -> None:
        for media in library.media():
            for memory in library.store.read.memories(media.id)[:1]:
                library.thumbnail(memory.id)

    asks: list[Callable[[], object]] = [
        lambda: library.search("amber basin candle"),
        all_memories,
        library.stats,
        library.chats,
        library.collections,
        Queue(Path(home)).all,
        lambda: library.store.read.search_text("zebrafinch"),
    ]

    def ask(number: int) -> None:
        while not Path(stop).exists():
            try:
                asks[reads[number] % len(asks)]()
            except Exception:
                errors.append(traceback.format_exc(limit=-4)[-1500:])
            reads[number] += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"reads": sum(reads), "errors": errors}


def write(home: str, *files: str) -> dict[str, object]:
    """Take files in, and forget every second one."""
    errors, done = [], 0
    with Library(Path(home), engines=FakeEngines()) as library:
        for number, file in enumerate(files):
            (outcome,) = library.index([file])
            if outcome.error is not None:
                errors.append(f"{type(outcome.error).__name__}: {outcome.error}")
                continue
            done += 1
            if number % 2 and outcome.media is not None:
                library.forget(outcome.media.id)
    return {"written": done, "errors": errors}


if __name__ == "__main__":
    role, *rest = sys.argv[1:]
    if role == "work":
        work(*rest)
    else:
        print(json.dumps({"read": read, "write": write}[role](*rest)))

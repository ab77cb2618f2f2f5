"""The parent of a fuzzing run: takes damaged files in one after another, as memqa does.

``python -m tests.faults.taking`` reads a line of JSON for each case and answers one, so that
whoever runs it sees if it crashes or hangs. Its library is the real one; its engines are the fakes.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from memqa.library import Library
from memqa.settings import Settings
from memqa.values import Outcome
from models.errors import MemqaError
from tests.faults.mutate import case
from tests.memqa.parts import FakeEngines

MOST_CHARS = 320  # of a message, without the name in it
_RAW = re.compile(
    r"Traceback|Exception|\bErrno\b|0x[0-9a-f]{4}|\bNone\b|object at|<class|\bat line \d|"
    r"codec can't|[A-Z]\w+Error\b|\bNoneType\b|\.py\b"
)
_SENTENCE_END = re.compile(r"[.!?]\s+[A-Z]")


def faults_of(message: str, name: str) -> list[str]:
    """Say what keeps a message from being one clear sentence for a person."""
    bare = message.replace(name, "FILE")
    found = []
    if not bare.strip():
        found.append("says nothing")
    if _SENTENCE_END.search(bare):
        found.append("is more than one sentence")
    if mark := _RAW.search(bare):
        found.append(f"says {mark[0]!r}, which is for programmers")
    if len(bare) > MOST_CHARS:
        found.append(f"has {len(bare)} characters")
    if any(not char.isprintable() for char in bare):
        found.append("holds what is not printable")
    return found


class Taker:
    """Takes cases into one library, and says of each what became of it and what is amiss."""

    def __init__(self, home: Path, temporary: Path) -> None:
        self._library = Library(home, Settings(), engines=FakeEngines())  # type: ignore[arg-type]
        self._temporary = temporary

    def take(self, path: Path) -> dict[str, Any]:
        """Take one file in."""
        started = time.monotonic()
        (outcome,) = self._library.index([path])
        told: dict[str, Any] = {"outcome": outcome.status, "message": "", "amiss": []}
        if outcome.error is not None:
            told |= {"message": str(outcome.error).replace(path.name, "FILE")}
            told["outcome"] = f"{outcome.status} ({type(outcome.error).__name__})"
        told["amiss"] = [*self._amiss(outcome, path), *self._left()]
        told["notes"] = list(outcome.media.notes) if outcome.media else []
        if outcome.media is not None:
            self._library.forget(outcome.media.id)
        told["seconds"] = round(time.monotonic() - started, 2)
        told["resident_mb"] = round(psutil.Process().memory_info().rss / 2**20)
        return told

    def _amiss(self, outcome: Outcome, path: Path) -> list[str]:
        if outcome.error is None:
            notes = outcome.media.notes if outcome.media else ()
            return [f"a note is not printable: {n!r}" for n in notes if not n.isprintable()]
        if not isinstance(outcome.error, MemqaError):
            return [f"no error of ours: {outcome.error!r}"]
        return [f"the message {fault}" for fault in faults_of(str(outcome.error), path.name)]

    def _left(self) -> list[str]:
        children = psutil.Process().children(recursive=True)
        left = [f"left a child: {child.name()}" for child in children]
        return left + [f"left a file: {one.name}" for one in self._temporary.iterdir()]


def main() -> None:
    """Answer one case a line until stdin ends."""
    place = Path(os.environ["MEMQA_FUZZ_PLACE"])
    temporary = place / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    tempfile.tempdir = str(temporary)
    os.environ["TMPDIR"] = str(temporary)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    taker = Taker(place / "home", temporary)
    (place / "files").mkdir(exist_ok=True)
    for line in sys.stdin:
        wanted = json.loads(line)
        made = case(
            wanted["number"], wanted["kind"], list(map(Path, wanted["seeds"])), seed=wanted["seed"]
        )
        path = place / "files" / made.name
        path.write_bytes(made.data)
        told = {"number": made.number, "kind": wanted["kind"], "how": made.how} | taker.take(path)
        path.unlink()
        answers.write(json.dumps(told) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()

"""Lets the disk be full from a chosen change of a library's files on, and looks at what is said.

``python -m tests.faults.full --count 20 --seed 1`` prints one JSON object: each point with its
verdict. LanceDB, SQLite and Python are refused at their own calls with ENOSPC; a first write that
is refused leaves half of it behind.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.faults.kills import Bench, Verdict
from tests.faults.world import OPERATIONS

_SENTENCE = re.compile(
    r"(DiskFull|BackendError): the disk with [^\n]+ is full: 0 MB are free there; free some room"
)


def fill(bench: Bench, operation: str, at: int) -> Verdict:
    """Let an operation run into a full disk, and say what is wrong with how it ended and after."""
    started = time.monotonic()
    changes, _ = bench.peaceful(operation)
    at, done = bench.struck(operation, "full", at)
    faults = _said(done.returncode, done.stderr, str(bench.world.folder))
    faults += bench.after(operation)
    return Verdict(operation, at, changes, tuple(faults), round(time.monotonic() - started, 2))


def _said(code: int, stderr: str, folder: str) -> list[str]:
    """Say what is wrong with what a person read."""
    said = stderr.strip()
    is_clear = _SENTENCE.search(said) and folder in said and "Traceback" not in said
    return [] if is_clear else [f"it ended by {code} and said: {said[-700:]}"]


def fills(bench: Bench, count: int, seed: int, operations: Sequence[str]) -> list[Verdict]:
    """Fill the disk under operations one after the other, each at a random one of its changes."""
    chance, verdicts = random.Random(seed), []
    for number in range(count):
        operation = operations[number % len(operations)]
        changes, _ = bench.peaceful(operation)
        verdicts.append(fill(bench, operation, chance.randint(1, changes)))
        print(json.dumps(asdict(verdicts[-1])), file=sys.stderr, flush=True)
    return verdicts


def main() -> None:
    """Fill the disk, and print what came of it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--operation", action="append", choices=sorted(OPERATIONS))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="memqa-full-") as folder:
        bench = Bench(Path(folder).resolve() / "world")
        verdicts = fills(bench, given.count, given.seed, given.operation or list(OPERATIONS))
    bad = [one for one in verdicts if one.faults]
    summary = {"points": len(verdicts), "with faults": len(bad), "seed": given.seed}
    print(json.dumps({"summary": summary, "points": [asdict(one) for one in verdicts]}, indent=1))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()

"""Kills a process at a random change of a library's files, and looks at what it left behind.

``python -m tests.faults.kills --count 100 --seed 1`` prints one JSON object: each kill with its
verdict, and how many libraries did not open, lost a finished segment or doubled a row.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.faults import shim
from tests.faults.invariants import Held, held, lost, same, untrue
from tests.faults.world import ABOUT, NEEDLE, OPERATIONS, World, made_in, run
from tests.memqa.parts import bytes_under

ROOT = Path(__file__).parents[2]
_CHILD_S = 300


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one kill did: at which change of how many, or after how long, and what was wrong."""

    operation: str
    at: int
    of: int
    faults: tuple[str, ...]
    seconds: float


def child(
    world: World, operation: str, deed: shim.Deed, at: int = 1
) -> subprocess.CompletedProcess[str]:
    """Do an operation in a process of its own, under the shim."""
    return subprocess.run(
        [sys.executable, "-m", "tests.faults.world", str(world.folder), operation],
        cwd=ROOT,
        env=shim.environment(world.folder, deed, at),
        capture_output=True,
        text=True,
        timeout=_CHILD_S,
    )


class Bench:
    """A world in which one operation after another is cut short, and what each gives in peace."""

    def __init__(self, folder: Path) -> None:
        self.world = made_in(folder)
        with self.world.open() as library:
            self.before = held(library)
        self._peaceful: dict[str, tuple[int, Held]] = {}

    def peaceful(self, operation: str) -> tuple[int, Held]:
        """Give how many changes an operation makes, and what the library holds after it."""
        if operation not in self._peaceful:
            self.world.renew(operation)
            done = child(self.world, operation, "count")
            assert done.returncode == 0, done.stderr
            with self.world.open(operation) as library:
                self._peaceful[operation] = int(done.stdout.split()[-1]), held(library)
        return self._peaceful[operation]

    def kill(self, operation: str, at: int) -> Verdict:
        """Kill an operation at one of its changes and say what is wrong then, and after another."""
        started = time.monotonic()
        changes, _ = self.peaceful(operation)
        at, done = self.struck(operation, "kill", at)
        was_killed = done.returncode == -signal.SIGKILL
        faults = [] if was_killed else [f"it ended by {done.returncode}: {done.stderr[-500:]}"]
        faults += self.after(operation)
        return Verdict(operation, at, changes, tuple(faults), round(time.monotonic() - started, 2))

    def struck(
        self, operation: str, deed: shim.Deed, at: int
    ) -> tuple[int, subprocess.CompletedProcess[str]]:
        """Let an operation meet its fault; earlier where it made fewer changes than in peace."""
        while True:
            self.world.renew(operation)
            done = child(self.world, operation, deed, at)
            if done.returncode or at == 1:
                return at, done
            at = max(1, at * 2 // 3)

    def after(self, operation: str) -> list[str]:
        """Say what is wrong after a fault, and after the operation was done again."""
        try:
            return [*self._left(operation), *self._again(operation)]
        except Exception as exc:  # whatever it is, it is a fault of the library
            return [f"{type(exc).__name__}: {exc}"]

    def _left(self, operation: str) -> list[str]:
        with self.world.open() as library:
            now = held(library)
            about = ABOUT.get(operation, ())
            there = {} if operation == "first" else self.before.media
            spared = [id_ for id_, row in there.items() if row.media.name not in about]
            faults = lost(library, self.before, now, spared) + untrue(library, now)
        for line in self._committed():
            id_, segment = line.split()
            row = now.media.get(id_)
            if row is None or row.committed_segment < int(segment):
                faults.append(f"segment {segment} of {id_[:12]} was committed and is lost")
        return [f"at once: {fault}" for fault in faults]

    def _committed(self) -> Sequence[str]:
        path = self.world.committed
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else ()

    def _again(self, operation: str) -> list[str]:
        run(self.world, operation)
        with self.world.open(operation) as library:
            now = held(library)
            faults = untrue(library, now)
        is_renewed = operation.startswith("reindex")
        faults += same(now, self.peaceful(operation)[1], is_renewed=is_renewed)
        if operation == "forget":
            left = bytes_under(self.world.home, NEEDLE)
            faults += [f"what was forgotten is still in {path.name}" for path in left[:3]]
        return [f"after the next run: {fault}" for fault in faults]


def kills(bench: Bench, count: int, seed: int, operations: Sequence[str]) -> list[Verdict]:
    """Kill operations one after the other, each at a random one of its changes."""
    chance, verdicts = random.Random(seed), []
    for number in range(count):
        operation = operations[number % len(operations)]
        changes, _ = bench.peaceful(operation)
        verdict = bench.kill(operation, chance.randint(1, changes))
        print(json.dumps(asdict(verdict)), file=sys.stderr, flush=True)
        verdicts.append(verdict)
    return verdicts


def main() -> None:
    """Kill, and print what came of it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--operation", action="append", choices=sorted(OPERATIONS))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="memqa-kills-") as folder:
        bench = Bench(Path(folder).resolve() / "world")
        verdicts = kills(bench, given.count, given.seed, given.operation or list(OPERATIONS))
    bad = [one for one in verdicts if one.faults]
    summary = {"kills": len(verdicts), "with faults": len(bad), "seed": given.seed}
    print(json.dumps({"summary": summary, "kills": [asdict(one) for one in verdicts]}, indent=1))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()

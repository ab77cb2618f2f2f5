"""Runs many damaged files through memqa, and tells what became of them.

``python -m tests.faults.fuzz --media 500 --documents 500 --seed 1 [--data DIR] [--jobs N]`` prints
progress on stderr and one JSON object last. ``--only media:17`` makes one case again, ``--keep
DIR`` writes its file, and ``--minutes N`` begins no other file after that time. The exit code is 1
where anything was amiss.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Any, TypeAlias

from tests.faults.mutate import case
from tests.faults.seeds import found, made

LIMIT_S = 240.0  # for one file: a decoder that hangs is ended after 60 s, of which there are three
_GROWN_MB = 250  # what a parent may grow from its tenth file to its last
_ROOT = Path(__file__).resolve().parents[2]

Told: TypeAlias = dict[str, Any]
Wanted: TypeAlias = dict[str, Any]


class Parent:
    """A process that takes files in; it is ended where one takes too long, and started anew."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._started = 0
        self._process: subprocess.Popen[str] | None = None
        self._pump = threading.Thread()
        self._answers: queue.Queue[str] = queue.Queue()

    def take(self, wanted: Wanted, limit_s: float) -> Told:
        """Have one case taken in."""
        process = self._running()
        assert process.stdin is not None
        started = time.monotonic()
        try:
            process.stdin.write(json.dumps(wanted) + "\n")
            process.stdin.flush()
            line = self._answers.get(timeout=limit_s)
        except (queue.Empty, BrokenPipeError):
            line = ""
        if line:
            told: Told = json.loads(line)
            return told
        told = {"number": wanted["number"], "kind": wanted["kind"], "message": "", "notes": []}
        code = process.poll()
        seconds = time.monotonic() - started
        amiss = "the parent hung" if code is None else f"the parent crashed ({code})"
        self.end()
        return told | {"outcome": amiss, "amiss": [amiss], "how": _how(wanted), "seconds": seconds}

    def end(self) -> None:
        """End the process."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._pump.join()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        self._process = None

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            self._started += 1
            place = self._place / str(self._started)
            place.mkdir(parents=True)
            self._answers = queue.Queue()
            with (place / "said").open("w") as said:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "tests.faults.taking"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=said,
                    text=True,
                    env=_environment(place),
                )
            self._pump = threading.Thread(
                target=_pump, args=(self._process, self._answers), daemon=True
            )
            self._pump.start()
        return self._process


def _environment(place: Path) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH", "")]))
    return os.environ | {
        "MEMQA_FUZZ_PLACE": str(place),
        "MEMQA_HOME": str(place / "home"),
        "MEMQA_CONFIG": str(place / "memqa.toml"),
        "PYTHONPATH": path,
    }


def _pump(process: subprocess.Popen[str], answers: queue.Queue[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        answers.put(line)
    answers.put("")


def run(
    wanted: Sequence[Wanted],
    place: Path,
    *,
    jobs: int = 1,
    limit_s: float = LIMIT_S,
    until_s: float = inf,
) -> list[Told]:
    """Take every case in, some in each of ``jobs`` parents; give what became of each.

    None is begun after ``until_s`` of the monotonic clock.
    """
    with ThreadPoolExecutor(jobs) as threads:
        shares = [wanted[at::jobs] for at in range(jobs)]
        work = [
            threads.submit(_share, share, Parent(place / f"parent{at}"), limit_s, until_s)
            for at, share in enumerate(shares)
        ]
        return [told for one in work for told in one.result()]


def _share(wanted: Sequence[Wanted], parent: Parent, limit_s: float, until_s: float) -> list[Told]:
    taken: list[Told] = []
    try:
        for at, one in enumerate(wanted, 1):
            if time.monotonic() > until_s:
                break
            taken.append(parent.take(one, limit_s))
            told = taken[-1]
            if told["amiss"] or at % 25 == 0:
                _say(f"{at}/{len(wanted)} {told['kind']}:{told['number']} {told['amiss']}")
    finally:
        parent.end()
    sizes = [told["resident_mb"] for told in taken if "resident_mb" in told]
    if len(sizes) > 20 and sizes[-1] - max(sizes[:10]) > _GROWN_MB:
        taken[-1]["amiss"].append(f"the parent grew from {max(sizes[:10])} to {sizes[-1]} MB")
    return taken


def report(taken: Sequence[Told]) -> dict[str, Any]:
    """Sum up what became of every case."""
    said = Counter(told["message"] for told in taken if told["message"])
    slow = sorted(taken, key=lambda told: -float(told["seconds"]))[:5]
    amiss = [told for told in taken if told["amiss"]]
    return {
        "files": dict(Counter(str(told["kind"]) for told in taken)),
        "outcomes": {
            kind: dict(Counter(t["outcome"] for t in taken if t["kind"] == kind).most_common())
            for kind in sorted({str(told["kind"]) for told in taken})
        },
        "slowest": [
            {"case": _name(told), "seconds": told["seconds"], "how": told["how"]} for told in slow
        ],
        "resident_mb": max((t["resident_mb"] for t in taken if "resident_mb" in t), default=None),
        "messages": dict(said.most_common()),
        "notes": dict(Counter(note for told in taken for note in told["notes"]).most_common(40)),
        "violations": [
            {"case": _name(told), "amiss": told["amiss"], "how": told["how"]}
            | {"message": told["message"]}
            for told in amiss
        ],
    }


def cases(kind: str, count: int, seeds: Sequence[Path], seed: int) -> Iterator[Wanted]:
    """Name the first ``count`` cases of a kind."""
    for number in range(count):
        yield {"kind": kind, "number": number, "seed": seed, "seeds": list(map(str, seeds))}


def _name(told: Told) -> str:
    return f"{told['kind']}:{told['number']}"


def _how(wanted: Wanted) -> str:
    return case(wanted["number"], wanted["kind"], _paths(wanted), seed=wanted["seed"]).how


def _paths(wanted: Wanted) -> list[Path]:
    return [Path(seed) for seed in wanted["seeds"]]


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def main() -> int:
    """Read the command line, run, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.fuzz")
    parser.add_argument("--media", type=int, default=0)
    parser.add_argument("--documents", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, action="append", default=[])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", action="append", default=[], metavar="KIND:NUMBER")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--minutes", type=float, default=inf, help="begin no file after these")
    asked = parser.parse_args()
    roots = [_ROOT / "memqa" / "examples", *asked.data]
    with tempfile.TemporaryDirectory(prefix="memqa-fuzz-") as folder:
        place = Path(folder)
        seeds = {
            kind: [*made(place / "seeds", kind), *found(kind, roots)]
            for kind in ("media", "documents")
        }
        wanted = [
            one
            for kind, count in (("media", asked.media), ("documents", asked.documents))
            for one in cases(kind, count, seeds[kind], asked.seed)
        ]
        for name in asked.only:
            kind, _, number = name.partition(":")
            wanted.append({**next(cases(kind, 1, seeds[kind], asked.seed)), "number": int(number)})
        if asked.keep:
            _keep(wanted, asked.keep)
        until_s = time.monotonic() + 60 * asked.minutes
        told = report(run(wanted, place / "run", jobs=asked.jobs, until_s=until_s))
    print(json.dumps(told, ensure_ascii=True))
    return 1 if told["violations"] else 0


def _keep(wanted: Sequence[Wanted], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for one in wanted:
        made_one = case(one["number"], one["kind"], _paths(one), seed=one["seed"])
        (folder / made_one.name).write_bytes(made_one.data)


if __name__ == "__main__":
    sys.exit(main())

"""Knows how long people wait while files are indexed, and whether the server's memory stays flat.

``python -m benchmarks.load --data DIR [--minutes 10] [--askers 8] [--files 20] [--from HOME]``.
The askers are threads over one library with warm models, as in the page: each thinks some seconds,
then searches or asks. The files are DIR's clips and documents under other bytes, indexed by the
library's own background worker; when they are done before the time is over, more are. The same
askers are measured without any indexing before and after, two minutes each at most: what is indexed
meanwhile makes the library larger. For the same reason the server's memory is held against that of
a fresh one over the library as it is at the end. Progress goes to stderr; the last thing on stdout
is one JSON object.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from benchmarks.speed import tree_rss_bytes
from memqa.library import Library

THINKS_S = (2.0, 5.0)
ASKS_OF = 4  # one question in so many is asked for an answer, the others are searches
LOOK_EVERY_S = 2.0
SETTLED_S = 60.0  # before it, caches fill
BAR_TIMES = 3.0
FLAT_TIMES = 1.1  # so many times what a fresh server takes
LARGEST_BYTES = 12_000_000
QUESTIONS = (
    "What is shown at the beginning?",
    "a person speaking to others",
    "What does the sign say?",
    "Who disagreed, and why?",
    "a street with cars",
    "What was decided in the end?",
    "How much was spent on it?",
    "a dog in the snow",
    "What happens after the music stops?",
    "the main reason that is given",
)


@dataclass(slots=True)
class Heard:
    """What askers waited for, in seconds, by what they did; and what went wrong."""

    waits_s: dict[str, list[float]] = field(default_factory=lambda: {"search": [], "ask": []})
    errors: list[str] = field(default_factory=list)

    def __add__(self, other: Heard) -> Heard:
        waits_s = {name: waits + other.waits_s[name] for name, waits in self.waits_s.items()}
        return Heard(waits_s, self.errors + other.errors)

    def summary(self) -> dict[str, Any]:
        """Give counts and percentiles in milliseconds."""
        return {name: _percentiles(waits) for name, waits in self.waits_s.items()} | {
            "errors": len(self.errors)
        }


def people(library: Library, askers: int, until: threading.Event, seed: int) -> Heard:
    """Let so many people ask, each at their own pace, until it is over."""
    heard = Heard()

    def ask(number: int) -> None:
        random_ = random.Random(seed + number)
        for turn in itertools.count(number):
            if until.wait(random_.uniform(*THINKS_S)):
                return
            question = QUESTIONS[turn % len(QUESTIONS)]
            kind = "ask" if turn % ASKS_OF == 0 else "search"
            began = time.perf_counter()
            try:
                if kind == "ask":
                    library.ask(question, chat=f"asker {number}")
                else:
                    library.search(question)
            except Exception as exc:  # an error is what is counted here
                heard.errors.append(f"{type(exc).__name__}: {exc}")
            heard.waits_s[kind].append(time.perf_counter() - began)

    threads = [threading.Thread(target=ask, args=(n,), daemon=True) for n in range(askers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return heard


def alone(library: Library, times: int = 30) -> list[float]:
    """Search one after another with nobody else there."""
    waits = []
    for number in range(times):
        began = time.perf_counter()
        library.search(QUESTIONS[number % len(QUESTIONS)])
        waits.append(time.perf_counter() - began)
    return waits


def files_under_other_bytes(data: Path, folder: Path, run: str) -> Iterator[Path]:
    """Give copies of the clips and documents, each with bytes of its own, without end."""
    found = sorted([*data.glob("video/clips/*.mp4"), *data.glob("docs/*/*.pdf"),
                    *data.glob("docs/*/*.txt"), *data.glob("docs/*/*.md")])  # fmt: skip
    small = [one for one in found if one.stat().st_size <= LARGEST_BYTES]
    films = [one for one in small if one.suffix == ".mp4"]
    papers = [one for one in small if one.suffix != ".mp4"]
    if not films or not papers:
        sys.exit(f"benchmarks.load: no clips and documents below {data}; give --data DIR")
    pairs = zip(itertools.cycle(films), itertools.cycle(papers), strict=False)
    for number, path in enumerate(itertools.chain.from_iterable(pairs)):
        copy = folder / f"{run}-{number:03d}-{path.name}"
        shutil.copyfile(path, copy)
        mark = f"{run} {number}".encode()
        with copy.open("ab") as file:
            is_film = path.suffix == ".mp4"
            box = (8 + len(mark)).to_bytes(4) + b"free" + mark  # players pass over such a box
            file.write(box if is_film else b"\n%" + mark + b"\n")
        yield copy


@dataclass(slots=True)
class Load:
    """The worker kept busy, and the memory that the server and all of it take meanwhile."""

    library: Library
    files: Iterator[Path]
    at_once: int
    taken: int = 0
    failed: list[str] = field(default_factory=list)
    rss: list[tuple[float, float, float]] = field(default_factory=list)
    _jobs: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """Queue the files."""
        for path in itertools.islice(self.files, self.at_once):
            self._jobs.append(self.library.add(path, wait=False).id)

    def look(self, began: float) -> None:
        """Note memory, what became of the jobs, and queue more where none is left."""
        self.rss.append((time.monotonic() - began, _rss_mb(), tree_rss_bytes() / 1e6))
        jobs = {job.id: job for job in self.library.jobs()}
        over = [one for one in self._jobs if one in jobs and not jobs[one].is_open]
        for one in over:
            self.taken += jobs[one].state == "done"
            if jobs[one].error:
                self.failed.append(str(jobs[one].error))
            self._jobs.remove(one)
        while len(self._jobs) < 2:
            self._jobs.append(self.library.add(next(self.files), wait=False).id)

    def end(self) -> None:
        """Stop what is left of the work, and wait for its end."""
        for one in self._jobs:
            self.library.cancel(one)
        deadline = time.monotonic() + 60
        while any(job.state == "running" for job in self.library.jobs()):
            if time.monotonic() > deadline:
                break
            time.sleep(1)


def _phase(library: Library, askers: int, seconds: float, load: Load | None) -> Heard:
    """Let people ask for so many seconds, with or without files being indexed."""
    over, heard, began = threading.Event(), list[Heard](), time.monotonic()
    if load is not None:
        load.begin()
    seed = 1000 if load is None else 2000
    asking = threading.Thread(target=lambda: heard.append(people(library, askers, over, seed)))
    asking.start()
    while time.monotonic() - began < seconds:
        time.sleep(LOOK_EVERY_S)
        if load is not None:
            load.look(began)
            print(f"{time.monotonic() - began:6.0f} s  {load.taken} files", file=sys.stderr)
    over.set()
    asking.join()
    if load is not None:
        load.end()
    return heard[0]


def _rss_mb() -> float:
    return float(psutil.Process().memory_info().rss / 1e6)


def _percentiles(waits: Sequence[float]) -> dict[str, float]:
    if len(waits) < 2:
        return {"n": len(waits)}
    cuts = statistics.quantiles(waits, n=20, method="inclusive")
    ms = {"p50_ms": statistics.median(waits), "p95_ms": cuts[18], "max_ms": max(waits)}
    return {"n": len(waits), **{name: round(1000 * one, 1) for name, one in ms.items()}}


def _slope(points: Sequence[tuple[float, float]]) -> float | None:
    """Give the growth by least squares, in MB a minute."""
    if len(points) < 3:
        return None
    xs, ys = zip(*points, strict=True)
    return round(60 * statistics.linear_regression(xs, ys).slope, 2)


def fresh(home: Path, askers: int, seconds: float) -> float:
    """Measure in MB what a server takes that opens the library now and is asked for a while."""
    command = [sys.executable, "-m", "benchmarks.load", "--fresh", str(home)]
    command += ["--askers", str(askers), "--minutes", str(seconds / 60)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.split()[-1])


def measure(library: Library, files: Iterator[Path], given: argparse.Namespace) -> dict[str, Any]:
    """Measure one asker, the askers, and the askers while files are indexed."""
    library.search(QUESTIONS[0])
    library.ask(QUESTIONS[0])
    single = alone(library)
    idle_s = min(120.0, given.minutes * 60 / 2)
    small = _phase(library, given.askers, idle_s, None)
    load = Load(library, files, given.files)
    loaded = _phase(library, given.askers, given.minutes * 60, load)
    large = _phase(library, given.askers, idle_s, None)
    idle = small + large
    settled = [one for one in load.rss if one[0] >= min(SETTLED_S, given.minutes * 30)]
    slope = _slope([(at_s, here) for at_s, here, _ in settled])
    here, anew = _rss_mb(), fresh(library.home, given.askers, idle_s)
    before, after = idle.summary()["search"], loaded.summary()["search"]
    times = round(after["p95_ms"] / before["p95_ms"], 2)
    return {
        "alone": _percentiles(single),
        "idle_before": small.summary(),
        "idle_after": large.summary(),
        "idle": idle.summary(),
        "loaded": loaded.summary(),
        "p95_times_idle": times,
        "files_indexed": load.taken,
        "files_failed": load.failed,
        "errors": [*idle.errors, *loaded.errors][:10],
        "server_rss_mb": [round(one[1]) for one in load.rss[:: max(1, len(load.rss) // 20)]],
        "server_rss_mb_per_minute": slope,
        "server_rss_mb_at_the_end": round(here),
        "server_rss_mb_of_a_fresh_one": round(anew),
        "tree_rss_mb_most": round(max(tree for *_, tree in load.rss)),
        "is_met": times <= BAR_TIMES
        and not idle.errors
        and not loaded.errors
        and load.taken > 0
        and here <= FLAT_TIMES * anew,
    }


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(prog="benchmarks.load", description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--askers", type=int, default=8)
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--from", dest="base", type=Path, help="a library to copy and ask")
    parser.add_argument("--fresh", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.fresh:
        with Library(given.fresh) as library:
            _phase(library, given.askers, given.minutes * 60, None)
            print(_rss_mb())
        return
    if given.data is None:
        parser.error("--data names no folder")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        home, folder = Path(place) / "home", Path(place) / "files"
        folder.mkdir()
        files = files_under_other_bytes(given.data, folder, "load")
        if given.base:
            shutil.copytree(given.base, home)
        with Library(home) as library:
            if not library.media():
                for path in itertools.islice(files, 4):
                    print(f"indexing {path.name} …", file=sys.stderr)
                    library.add(path, on_progress=lambda progress: None)
            found = measure(library, files, given)
    print(json.dumps(found))


if __name__ == "__main__":
    main()

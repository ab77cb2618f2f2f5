"""Knows what worker processes gain on many short files, what they hold, and whom poison harms.

``python -m benchmarks.batch --data DIR [--files N] [--arms one,two] [--clean]``: DIR holds clips
and documents; N short files are made of them, each with bytes of its own, ten of them poisonous
unless ``--clean``. Each arm takes them into a library of its own. The last thing on stdout is one
JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil  # type: ignore[import-untyped]

from benchmarks.poison import POISONS
from memqa.library import Library
from memqa.settings import BatchSettings, load
from models.values import Features

CLIP_S, DOCUMENT_CHARS = 4.0, 4_000
MOST_PDF_BYTES = 130_000
SAMPLE_EVERY_S = 0.25
LIMITS = BatchSettings(
    file_s=240.0, times_length=10.0, silence_s=25.0, resident_bytes=2_500 * 2**20
)
_POISONED = "poisonous"


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to take the files in; ``cores`` is how many of this machine's it may use, 0: all."""

    workers: int
    cores: int = 0


ARMS: Mapping[str, Arm] = {"pinned": Arm(1, 1), "one": Arm(1), "two": Arm(2)}


# The files


def make_files(data: Path, folder: Path, count: int, *, clean: bool) -> None:
    """Write short files of the clips and documents under ``data``, mixed by a fixed seed."""
    makers: list[Callable[[Path, int], Path]] = [
        _clips(data),
        _texts(data),
        _clips(data),
        _texts(data),
    ]
    makers += [_clips(data), _texts(data), _pdfs(data)]
    places = list(range(count))
    random.Random(7).shuffle(places)
    poisons = [] if clean else _poisons(data)
    for number, write in enumerate(poisons):
        write(folder / f"{places.pop():03d} {_POISONED} {number}")
    for number, place in enumerate(sorted(places)):
        makers[number % len(makers)](folder / f"{place:03d}", number)


def _clips(data: Path) -> Callable[[Path, int], Path]:
    """Give a maker of clips: the first seconds of one as they are, with a tag of its own."""
    found = sorted(one for one in data.rglob("clips/*") if one.suffix in (".mp4", ".webm"))

    def make(target: Path, number: int) -> Path:
        source = found[number % len(found)]
        path = target.with_name(f"{target.name} {source.name}")
        with av.open(str(source)) as old, av.open(str(path), "w") as new:
            new.metadata["comment"] = f"copy {number}"
            kept = {
                stream.index: new.add_stream_from_template(stream)
                for stream in (*old.streams.video[:1], *old.streams.audio[:1])
            }
            for packet in old.demux([old.streams[index] for index in kept]):
                if packet.dts is None or float(packet.dts * packet.time_base) > CLIP_S:
                    continue
                packet.stream = kept[packet.stream.index]
                new.mux(packet)
        return path

    return make


def _texts(data: Path) -> Callable[[Path, int], Path]:
    found = sorted(data.rglob("*.txt"))
    found = [one for one in found if one.stat().st_size > 4 * DOCUMENT_CHARS]

    def make(target: Path, number: int) -> Path:
        source = found[number % len(found)]
        text = source.read_text(encoding="utf-8")
        start = (number // len(found) * DOCUMENT_CHARS) % (len(text) - DOCUMENT_CHARS)
        path = target.with_name(f"{target.name} {source.name}")
        path.write_text(f"Copy {number}.\n\n{text[start : start + DOCUMENT_CHARS]}", "utf-8")
        return path

    return make


def _pdfs(data: Path) -> Callable[[Path, int], Path]:
    """Give a maker of PDFs, each with a comment of its own behind its end."""
    found = sorted(one for one in data.rglob("*.pdf") if one.stat().st_size < MOST_PDF_BYTES)

    def make(target: Path, number: int) -> Path:
        source = found[number % len(found)]
        path = target.with_name(f"{target.name} {source.name}")
        path.write_bytes(source.read_bytes() + f"\n% copy {number}\n".encode())
        return path

    return make


def _poisons(data: Path) -> list[Callable[[Path], object]]:
    """Give the makers of ten poisonous files: damaged ones, and those that bring a worker down."""

    def bytes_of(suffix: str, content: bytes) -> Callable[[Path], object]:
        return lambda target: target.with_name(target.name + suffix).write_bytes(content)

    clip = min(data.rglob("clips/*.mp4"), key=lambda path: path.stat().st_size).read_bytes()
    pdf = min(data.rglob("*.pdf"), key=lambda path: path.stat().st_size).read_bytes()
    words = [f"Nothing good comes of this. It says {word}.\n" for word in POISONS]
    return [
        bytes_of(" empty.mp4", b""),
        bytes_of(" headless.mp4", clip.replace(b"moov", b"skip")),  # nothing says what is in it
        bytes_of(" noise.mp4", clip[:64] + random.Random(1).randbytes(100_000)),
        bytes_of(" cut.pdf", pdf[:600]),
        bytes_of(" cut.docx", b"PK\x03\x04" + random.Random(2).randbytes(5_000)),
        bytes_of(" page.mp4", b"<html><body>404 Not Found</body></html>"),
        *(
            bytes_of(f" {word}.txt", text.encode())
            for word, text in zip(POISONS, words, strict=True)
        ),
    ]


# The runs


def take_in(folder: Path, home: Path, arm: Arm) -> dict[str, Any]:
    """Take the files in here, by worker processes; called in a process of its own."""
    if arm.cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arm.cores])
    if any(_POISONED in path.name for path in folder.iterdir()):
        from memqa import batch_child

        batch_child.WORKER = "benchmarks.poison"
    settings = load(home=home).model_copy(update={"batch": LIMITS})
    started = time.perf_counter()
    with Library(home, settings) as library:
        outcomes = []
        for outcome in library.index([folder], workers=arm.workers):
            outcomes.append(outcome)
            took = f"{time.perf_counter() - started:7.1f} s  {outcome.status:9}"
            print(took, Path(outcome.path).name, outcome.error or "", file=sys.stderr, flush=True)
        seconds = time.perf_counter() - started
        failed = {Path(one.path).name: str(one.error) for one in outcomes if one.error}
        return {
            "seconds": round(seconds, 1),
            "statuses": dict(Counter(one.status for one in outcomes)),
            "failed": dict(sorted(failed.items())),
        }


@dataclass(frozen=True, slots=True)
class Rows:
    """What a library remembers, but for when it was taken in; vectors by sense and memory."""

    memories: Mapping[str, str]
    vectors: Mapping[tuple[str, str], Features]

    @classmethod
    def of(cls, home: Path) -> Rows:
        """Read a library."""
        memories: dict[str, str] = {}
        vectors: dict[tuple[str, str], Features] = {}
        with Library(home) as library:
            read = library.store.read
            for row in read.media_rows():
                media = row.media
                memories[media.id] = repr((media.name, media.status, media.notes, media.bytes))
                memories |= {one.id: repr(one) for one in read.memories(media.id)}
                for sense in ("text", "image"):
                    found = read.media_vectors(row.signatures.get(sense, ""), media.id)
                    vectors |= {(sense, id_): vector for id_, vector in found.items()}
        return cls(memories, vectors)


def compared(rows: Sequence[Rows]) -> dict[str, Any]:
    """Say whether libraries hold the same; sums may end otherwise by the number of threads."""
    first, *others = rows
    same = all(
        other.memories == first.memories and other.vectors.keys() == first.vectors.keys()
        for other in others
    )
    furthest = [
        float(np.abs(vector - other.vectors[key]).max())
        for other in others
        for key, vector in first.vectors.items()
        if key in other.vectors
    ]
    return {"same_rows": same, "largest_vector_difference": max(furthest, default=0.0)}


def run(name: str, folder: Path, home: Path) -> dict[str, Any]:
    """Run one arm in a process of its own, and measure the memory of it and all its children."""
    command = [sys.executable, "-m", "benchmarks.batch", "--take-in", str(folder), str(home), name]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peak, over = [0], threading.Event()
    watching = threading.Thread(target=_watch, args=(process.pid, peak, over), daemon=True)
    watching.start()
    assert process.stdout is not None
    told = process.stdout.read()
    over.set()
    watching.join()
    if process.wait():
        sys.exit(f"benchmarks.batch: the run {name!r} failed")
    found: dict[str, Any] = json.loads(told.splitlines()[-1])
    return found | {"peak_rss_bytes": peak[0]}


def _watch(pid: int, peak: list[int], over: threading.Event) -> None:
    while not over.wait(SAMPLE_EVERY_S):
        total = 0
        try:
            whole = psutil.Process(pid)
            for one in (whole, *whole.children(recursive=True)):
                total += _resident(one)
        except psutil.Error:
            continue
        peak[0] = max(peak[0], total)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def told(files: int, arms: Mapping[str, Mapping[str, Any]], *, clean: bool) -> dict[str, Any]:
    """Sum the arms up; a file fails rightly if its name says that it is poisonous."""
    seconds = {name: arm["seconds"] for name, arm in arms.items()}
    failed = [name for arm in arms.values() for name in arm["failed"]]
    alone = all(_POISONED in name for name in failed)
    return {
        "files": files,
        "poisonous": 0 if clean else 10,
        "arms": arms,
        "two_to_one": _ratio(seconds, "two", "one"),
        "two_to_pinned": _ratio(seconds, "two", "pinned"),
        "poisonous_failed_alone": alone and len(failed) == (0 if clean else 10) * len(arms),
        "budget_bytes_per_worker": LIMITS.resident_bytes,
    }


def _ratio(seconds: Mapping[str, float], one: str, other: str) -> float | None:
    known = one in seconds and other in seconds
    return round(seconds[one] / seconds[other], 3) if known else None


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="benchmarks.batch", description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--arms", default=",".join(ARMS), help="of pinned, one, two")
    parser.add_argument("--clean", action="store_true", help="without poisonous files")
    parser.add_argument("--take-in", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.take_in:
        folder, home, name = given.take_in
        print(json.dumps(take_in(Path(folder), Path(home), ARMS[name])))
        return
    if given.data is None or not given.data.is_dir():
        parser.error("--data names no folder")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "files"
        folder.mkdir()
        make_files(given.data, folder, given.files, clean=given.clean)
        arms = {}
        for name in given.arms.split(","):
            print(f"{name}: {ARMS[name]}", file=sys.stderr, flush=True)
            arms[name] = run(name, folder, Path(place) / name)
        found = told(given.files, arms, clean=given.clean)
        found |= compared([Rows.of(Path(place) / name) for name in arms])
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()

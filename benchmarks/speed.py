"""Knows how fast a video becomes memory, what that takes, and how soon a question is answered.

``python -m benchmarks.speed [--data DIR] [--video FILE] [--minutes N]``. Without ``--video`` one is
made by DIR's ``make_long_video.py`` and kept in .bench/. Progress goes to stderr; the last thing on
stdout is one JSON object. Stages are wall seconds; a sense's busy seconds overlap with others'.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from benchmarks.timed import Busy, TimedEngines
from memqa.engines import CatalogEngines
from memqa.library import Library
from memqa.values import Answer, Token
from models.values import Progress

MAKER_OPTIONS = "--size 1280x720 --fps 25 --speech --signs 0.3 --seed 1 --questions 20".split()
SAMPLE_EVERY_S = 0.5
MARK_MINUTE = 10
QUESTIONS = 20
_WINDOW_S = 30.0  # video seconds over which memory at a mark is averaged
_PLAIN = ("What is shown in the video?", "What does the sign say?", "What is being talked about?")


@dataclass(slots=True)
class Watcher:
    """Samples the memory of this process and all its children, and which stage it is in."""

    started: float = field(default_factory=time.perf_counter)
    stage: str = ""
    at_s: float = 0.0
    spent_s: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    samples: list[tuple[float, str, float, int]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    _since: float = 0.0

    def hear(self, progress: Progress) -> None:
        """Note the stage and, while watching, the place in the video."""
        now = time.perf_counter() - self.started
        if progress.stage != self.stage:
            self.spent_s[self.stage or "start"] += now - self._since
            self.stage, self._since = progress.stage, now
            print(f"{now:7.1f} s  {progress.stage}", file=sys.stderr, flush=True)
        if progress.unit == "s":
            self.at_s = max(self.at_s, progress.done)

    def sample(self) -> None:
        """Take samples until ``over``; runs in a thread of its own."""
        while not self.over.wait(SAMPLE_EVERY_S):
            now = time.perf_counter() - self.started
            self.samples.append((now, self.stage, self.at_s, tree_rss_bytes()))

    def finish(self) -> None:
        """Close the last stage."""
        self.over.set()
        self.spent_s[self.stage] += time.perf_counter() - self.started - self._since

    def rss_at(self, place_s: float) -> int | None:
        """Give the median memory while watching the half minute before a place in the video."""
        near = [
            rss
            for _, stage, at_s, rss in self.samples
            if stage in ("Watching", "Listening") and place_s - _WINDOW_S <= at_s <= place_s
        ]
        return round(statistics.median(near)) if near else None


def tree_rss_bytes() -> int:
    """Add up the resident memory of this process and its children; shared pages count twice."""
    total, here = 0, psutil.Process()
    for process in (here, *here.children(recursive=True)):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def find_video(data: Path | None, minutes: float) -> Path:
    """Make the video that is measured, unless an earlier run has."""
    places = [data / part / "make_long_video.py" for part in ("video", ".")] if data else []
    maker = next((place for place in places if place.is_file()), None)
    if maker is None:
        sys.exit("benchmarks.speed: give --video FILE, or --data DIR with a make_long_video.py")
    video = Path(".bench") / f"speed-{minutes:g}min.mp4"
    if not video.exists():
        video.parent.mkdir(exist_ok=True)
        print(f"making {video} …", file=sys.stderr, flush=True)
        part = video.with_name(f"part-{video.name}")
        command = [sys.executable, str(maker), str(part), "--minutes", f"{minutes:g}"]
        subprocess.run([*command, *MAKER_OPTIONS, "--quiet"], check=True, stdout=sys.stderr)
        for made in part.parent.glob(f"{part.stem}.*"):
            made.rename(made.with_name(made.name.removeprefix("part-")))
    return video


def measure_indexing(library: Library, video: Path, busy: Busy) -> dict[str, Any]:
    """Index one video and tell time by stage, memory over time and room on disk."""
    watcher = Watcher()
    thread = threading.Thread(target=watcher.sample, daemon=True)
    thread.start()
    media = library.add(video, on_progress=watcher.hear)
    watcher.finish()
    thread.join()
    duration_s = media.duration_s or 0.0
    took_s = sum(watcher.spent_s.values())
    loading_s = watcher.spent_s.get("Loading models", 0.0)
    disk = library.stats()
    minute, end = watcher.rss_at(MARK_MINUTE * 60), watcher.rss_at(duration_s)
    return {
        "duration_s": round(duration_s, 2),
        "elapsed_s": round(took_s, 2),
        "realtime_x": round(duration_s / took_s, 2),
        "realtime_x_models_loaded": round(duration_s / (took_s - loading_s), 2),
        "stages": {
            stage: {"seconds": round(spent, 2), "realtime_x": _times(duration_s, spent)}
            for stage, spent in watcher.spent_s.items()
        },
        "senses": {
            sense: {
                "busy_s": round(spent, 2),
                "items": busy.items[sense],
                "realtime_x": _times(duration_s, spent),
            }
            for sense, spent in busy.seconds.items()
        },
        "rss_peak_bytes": max((rss for *_, rss in watcher.samples), default=0),
        f"rss_minute_{MARK_MINUTE}_bytes": minute,
        "rss_end_bytes": end,
        "rss_growth_bytes": None if minute is None or end is None else end - minute,
        "rss_over_time": [
            {"elapsed_s": round(now, 1), "video_s": round(at_s, 1), "bytes": rss}
            for now, _, at_s, rss in _thinned(watcher.samples, 120)
        ],
        "memories": media.memories,
        "stored_bytes_per_hour": round(disk.tables_bytes / duration_s * 3600),
    }


def measure_asking(library: Library, video: Path) -> dict[str, Any]:
    """Ask the video's own questions one after another; the first, which loads models, is apart."""
    asked = questions_of(video)
    first = _ask(library, asked[0])
    search_s, word_s, answer_s = [], [], []
    for question in asked:
        started = time.perf_counter()
        library.search(question)
        search_s.append(time.perf_counter() - started)
        word, answer = _ask(library, question)
        answer_s.append(answer)
        if word is not None:
            word_s.append(word)
    return {
        "n": len(asked),
        "with_model_words": len(word_s),
        "first_question_s": round(first[1], 3),
        "search_s": _spread(search_s),
        "first_model_word_s": _spread(word_s),
        "final_state_s": _spread(answer_s),
    }


def questions_of(video: Path) -> list[str]:
    """Take the questions made with a video, kinds mixed; plain ones where there are none."""
    beside = video.with_suffix(".questions.jsonl")
    if not beside.exists():
        return list(_PLAIN)
    rows = [json.loads(line) for line in beside.read_text(encoding="utf-8").splitlines()]
    step = max(1, len(rows) // QUESTIONS)
    return [str(row["question"]) for row in rows[::step]][:QUESTIONS]


def _ask(library: Library, question: str) -> tuple[float | None, float]:
    """Seconds to the first word that the language model wrote, if any, and to the final state."""
    started, word_s = time.perf_counter(), None
    for piece in library.stream(question):
        if isinstance(piece, Token) and word_s is None:
            word_s = time.perf_counter() - started
        elif isinstance(piece, Answer):
            break
    return word_s, time.perf_counter() - started


def _times(duration_s: float, spent_s: float) -> float | None:
    return round(duration_s / spent_s, 2) if spent_s > 0.005 else None


def _spread(seconds: Sequence[float]) -> dict[str, float] | None:
    if not seconds:
        return None
    ordered = sorted(seconds)
    return {
        "median": round(statistics.median(ordered), 3),
        "p95": round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 3),
        "max": round(ordered[-1], 3),
    }


def _thinned(
    samples: Sequence[tuple[float, str, float, int]], most: int
) -> Sequence[tuple[float, str, float, int]]:
    return samples[:: max(1, len(samples) // most)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="How fast, how much memory, how soon answered.")
    parser.add_argument("--data", type=Path, help="folder with make_long_video.py or video/ of it")
    parser.add_argument("--video", type=Path, help="measure this file instead of making one")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long a video to make")
    given = parser.parse_args()
    video = given.video or find_video(given.data, given.minutes)
    with tempfile.TemporaryDirectory(prefix="memqa-speed-") as home, Library(home) as plain:
        busy = Busy()
        engines = TimedEngines(CatalogEngines(plain.settings.models), busy)
        with Library(home, engines=engines) as library:
            indexing = measure_indexing(library, video, busy)
            asking = measure_asking(library, video)
    cores = {"cpu_count": psutil.cpu_count(), "load_1min_at_end": round(psutil.getloadavg()[0], 1)}
    print(json.dumps({"video": video.name, **cores, "indexing": indexing, "asking": asking}))


if __name__ == "__main__":
    main()

"""Knows how the video memories compare at equal bytes: the same frames, the same questions.

``python -m benchmarks.memories --data DIR [--plot FILE.svg]``: DIR as for ``benchmarks.video``.
Each made video is watched once, by the eyes alone; every memory then takes its frames at every
budget and says when something was shown, as in answering, without what words or motion would add.
The last thing on stdout is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from benchmarks.asked import Asked, found, questions
from benchmarks.shares import share
from memqa.cues import is_description
from memqa.engines import CatalogEngines
from memqa.question import understand
from memqa.retrieve import Shown
from memqa.settings import Settings
from models.ports import ImageEncoder
from models.values import Features
from vidmem.memory.contract import Numbers, VideoMemory
from vidmem.memory.methods import METHODS, Making
from vidmem.values import Senses
from vidmem.video import probe
from vidmem.watch import watch

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# By length of video, memory and budget.
Table: TypeAlias = dict[str, dict[str, dict[str, dict[str, Any]]]]

BUDGETS = {"256KB": 2**18, "1MB": 2**20, "4MB": 2**22, "16MB": 2**24}
TYPES = ("when", "when_all", "clip", "needle")
_EARLY_S = 600.0  # from here on a memory's bytes may not grow


@dataclass(frozen=True, slots=True)
class Watched:
    """What the eyes made of a video: features [T, D] at times [T] s, events [E, 2] s."""

    times: Numbers
    features: Features
    events: Numbers
    seconds: float


def look(video: Path, eyes: ImageEncoder) -> Watched:
    """Watch a video as indexing does, without listening or reading."""
    started = time.perf_counter()
    segments = list(watch(probe(video), Senses(image=eyes, reader=None, ears=None)))
    seen = [one for segment in segments for one in segment.observations]
    spans = [event.span for segment in segments for event in segment.events]
    return Watched(
        np.asarray([one.pts_s for one in seen]),
        np.stack([one.feature for one in seen]),
        np.asarray([(span.start_s, span.end_s) for span in spans]),
        time.perf_counter() - started,
    )


@dataclass(slots=True)
class Replay:
    """One memory after the frames of one video, and what that took."""

    memory: VideoMemory
    seconds: float = 0.0
    early_bytes: int = 0

    def feed(self, watched: Watched) -> None:
        """Give it every frame in order."""
        started = time.perf_counter()
        for at_s, feature in zip(watched.times, watched.features, strict=True):
            self.memory.observe(feature[None], float(at_s))
            if at_s <= _EARLY_S:
                self.early_bytes = self.memory.nbytes
        self.seconds = time.perf_counter() - started

    def best_events(self, focus: str, eyes: ImageEncoder, watched: Watched) -> list[float]:
        """Give the centres of the five events that show a focus best."""
        elements = self.memory.elements()
        spans = np.asarray([(one.span.start_s, one.span.end_s) for one in elements])
        fits = eyes.similarity(focus, np.stack([one.feature.mean(axis=0) for one in elements]))
        shown = Shown(spans, fits.astype(np.float64))
        if is_description(focus):
            scores = shown.over(watched.events)
        else:
            scores = shown.attended(self.memory.read(eyes.encode_query(focus)), watched.events)
        best = np.argsort(-scores, kind="stable")[:5]
        return [float(at) for at in watched.events[best].mean(axis=1)]


def compare(asked: Sequence[Asked], eyes: ImageEncoder, budgets: Iterable[str] = BUDGETS) -> Table:
    """Give how often each memory at each budget names the moment, and what that costs.

    By the length of the videos, then by memory, then by budget.
    """
    by_video: dict[Path, list[Asked]] = defaultdict(list)
    for item in asked:
        if item.row["type"] in TYPES and item.row.get("answer_times"):
            by_video[item.video].append(item)
    runs: dict[tuple[str, str, str], _Run] = defaultdict(_Run)
    for video, items in sorted(by_video.items()):
        watched = look(video, eyes)
        print(f"watched {video.name} in {watched.seconds:.0f} s", file=sys.stderr, flush=True)
        length = f"{watched.times[-1] / 60:.0f} min"
        for name in METHODS:
            for budget in ("16MB",) if name == "all" else budgets:
                run = runs[length, name, "any" if name == "all" else budget]
                run.add(name, BUDGETS[budget], watched, items, eyes)
                print(f"  {name} {budget}: {run.line()}", file=sys.stderr, flush=True)
    table: Table = defaultdict(lambda: defaultdict(dict))
    for (length, name, budget), run in runs.items():
        table[length][name][budget] = run.figures()
    return dict(sorted(table.items(), key=lambda row: int(row[0].split()[0])))


class _Run:
    """One memory at one budget over all videos."""

    def __init__(self) -> None:
        self.first: list[bool] = []
        self.among_five: list[bool] = []
        self.elements: list[int] = []
        self.nbytes = self.frames = 0
        self.seconds = self.watching_s = 0.0
        self.steady: list[bool] = []

    def add(
        self, name: str, budget: int, watched: Watched, items: Sequence[Asked], eyes: ImageEncoder
    ) -> None:
        replay = Replay(Making(name, budget, 1, watched.features.shape[1]).make())
        replay.feed(watched)
        self.elements.append(len(replay.memory.elements()))
        self.nbytes = max(self.nbytes, replay.memory.nbytes)
        if watched.times[-1] >= 2 * _EARLY_S:
            self.steady.append(replay.memory.nbytes == replay.early_bytes)
        self.seconds += replay.seconds
        self.watching_s += watched.seconds
        self.frames += len(watched.times)
        best: dict[str, list[float]] = {}
        for item in items:
            focus = understand(item.row["question"]).focus
            if focus not in best:
                best[focus] = replay.best_events(focus, eyes, watched)
            hits = [found(centre, item.row["answer_times"]) for centre in best[focus]]
            self.first.append(hits[0])
            self.among_five.append(any(hits))

    def line(self) -> str:
        return f"{np.mean(self.first):.3f} of {len(self.first)}, {self.seconds:.1f} s"

    def figures(self) -> dict[str, Any]:
        return {
            "n": len(self.first),
            **share("recall@1", self.first),
            **share("recall@5", self.among_five),
            "elements": round(float(np.mean(self.elements)), 1),
            "nbytes": self.nbytes,
            "nbytes_constant_from_minute_10": all(self.steady) if self.steady else None,
            "frames_per_s": round(self.frames / self.seconds),
            "share_of_watching": round(self.seconds / self.watching_s, 4),
        }


def draw(table: Table, to: Path) -> None:
    """Draw recall@1 over bytes, a line a memory, `all` as the ceiling, for each length."""
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams["svg.hashsalt"] = "memqa"  # the same figures draw the same file
    figure = Figure(figsize=(2 + 4 * len(table), 4), layout="constrained")
    for axes, (length, methods) in zip(
        figure.subplots(1, len(table), squeeze=False, sharey=True)[0], table.items(), strict=True
    ):
        for name, runs in methods.items():
            _line(axes, name, runs)
        axes.set(title=length, xlabel="picture memory", ylim=(0, 1))
    figure.axes[0].set_ylabel("recall@1")
    figure.legend(
        *figure.axes[0].get_legend_handles_labels(), loc="outside right upper", fontsize=8
    )
    figure.savefig(to, metadata={"Date": None})


def _line(axes: Axes, name: str, runs: dict[str, dict[str, Any]]) -> None:
    if name == "all":
        low, high = runs["any"]["recall@1_ci95"]
        axes.axhspan(low, high, color="0.9", label="all frames, 95 % interval")
        return
    plain = name in ("uniform", "fifo", "random")
    axes.plot(
        list(runs),
        [run["recall@1"] for run in runs.values()],
        *("--" if plain else "-",),
        marker="o",
        linewidth=1 if plain else 2,
        label=name,
    )


def main() -> None:
    """Compare and print; draw where it is wished."""
    parser = argparse.ArgumentParser(prog="benchmarks.memories", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--plot", type=Path, help="draw recall over bytes as SVG")
    options = parser.parse_args()
    asked = list(questions(options.data, quick=False))
    if not asked:
        sys.exit(f"no questions found in {options.data}")
    table = compare(asked, CatalogEngines(Settings().models).image_encoder())
    if options.plot:
        draw(table, options.plot)
    print(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()

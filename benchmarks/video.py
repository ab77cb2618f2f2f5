"""Knows how to ask made videos and real clips their questions and to judge what comes back.

``python -m benchmarks.video --data DIR [--quick]``: DIR holds ``NAME.mp4|mkv`` beside
``NAME.questions.jsonl`` and ``NAME.truth.json``, and/or clips with ``qa/clip_qa.jsonl``. Progress
goes to stderr; the last thing on stdout is one JSON object. Without ``--quick`` it compares the
memories at equal bytes too (``benchmarks.memories``).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import memqa
from benchmarks.asked import Asked, found, questions
from benchmarks.memories import compare
from benchmarks.shares import share
from memqa.cite import stems
from memqa.library import Library
from memqa.values import Answer, Evidence
from models.values import TimeSpan

CHOICES_PER_TYPE = 10  # questions of a type that are asked a second time, with their choices
_PARTS = ("total", "vectors", "texts", "thumbnails", "states")
_BY_ANSWER = ("order", "count", "now")


@dataclass(slots=True)
class Tally:
    """What was measured for one group."""

    first: list[bool] = field(default_factory=list)
    among_five: list[bool] = field(default_factory=list)
    answered_right: list[bool] = field(default_factory=list)
    with_choices: list[bool] = field(default_factory=list)


def main() -> None:
    """Index what lies in DIR, ask everything, print the figures."""
    parser = argparse.ArgumentParser(prog="benchmarks.video", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="a few questions of each type")
    parser.add_argument("--home", type=Path, help="keep the library here (default: a fresh one)")
    parser.add_argument("--show", action="store_true", help="print every miss on stderr")
    options = parser.parse_args()
    asked = list(questions(options.data, quick=options.quick))
    if not asked:
        sys.exit(f"no questions found in {options.data}")
    with tempfile.TemporaryDirectory() as scratch:
        library = memqa.open(options.home or Path(scratch))
        report = measure(library, asked, show=options.show)
        eyes = library.engines.image_encoder()
        report["methods"] = {} if options.quick else compare(asked, eyes)
        print(json.dumps(report, indent=1))


def measure(library: Library, asked: Sequence[Asked], *, show: bool = False) -> dict[str, Any]:
    """Index the videos, ask the questions, and judge moments and answers by group."""
    indexing = _index(library, sorted({item.video for item in asked}))
    tallies: dict[str, Tally] = defaultdict(Tally)
    left_out = 0
    chosen: Counter[str] = Counter()
    abstained: dict[bool, list[bool]] = {True: [], False: []}
    started, ids = time.perf_counter(), {m.path: m.id for m in library.media()}
    for number, item in enumerate(asked, 1):
        media = ids.get(str(item.video.resolve()))
        if media is None:
            left_out += 1
            continue
        at_s = item.row.get("at_s")
        answer = library.ask(item.row["question"], media=[media], at_s=at_s)
        absent = item.group == "absent"
        abstained[absent].append(answer.state == "unanswered")
        _judge(tallies[item.group], item, answer)
        chosen[item.row["type"]] += bool(item.row.get("choices"))
        if item.row.get("choices") and chosen[item.row["type"]] <= CHOICES_PER_TYPE:
            _judge_choice(library, tallies[item.group], item, media)
        if show and not absent and not tallies[item.group].answered_right[-1]:
            _print_miss(item, answer)
        if number % 20 == 0:
            print(f"asked {number}/{len(asked)}", file=sys.stderr)
    return {
        "groups": {name: _figures(tally) for name, tally in sorted(tallies.items())},
        "count": _counts(asked, tallies),
        "left_out": left_out,
        "absent": share("abstained", abstained[True]),
        **share("false_abstention", abstained[False]),
        "seconds_per_question": round((time.perf_counter() - started) / len(asked), 3),
        **indexing,
    }


def names(answer: str, gold: str) -> bool:
    """Tell whether an answer names the gold words: all its content words, numbers exactly."""
    wanted = stems(gold) or gold.lower().split()
    return bool(wanted) and set(wanted) <= set(stems(answer)) | set(answer.lower().split())


def shows(evidence: Evidence, times: Sequence[Sequence[float]]) -> bool:
    """Tell whether the centre of a moment lies in a true span."""
    locator = evidence.locator
    return isinstance(locator, TimeSpan) and found(locator.centre_s, times)


def _judge(tally: Tally, item: Asked, answer: Answer) -> None:
    times = item.row.get("answer_times") or []
    if times and item.group not in _BY_ANSWER:
        hits = [shows(evidence, times) for evidence in answer.evidence[:5]]
        tally.first.append(bool(hits[:1] and hits[0]))
        tally.among_five.append(any(hits))
    tally.answered_right.append(is_right(item, answer))


def is_right(item: Asked, answer: Answer) -> bool:
    """Judge an answer: by the moment it shows first, or by the words, the number or the order."""
    row, group = item.row, item.group
    if group == "absent":
        return answer.state == "unanswered"
    if answer.state == "unanswered":
        return False
    if group == "seen" and row.get("answer_times"):
        return bool(answer.evidence) and shows(answer.evidence[0], row["answer_times"])
    if group == "count":
        return str(row["answer"]) in _numbers_before_times(answer.text)
    if row["type"] == "order":
        return _named_first(answer.text, row)
    if row["type"] == "sign_where":
        return bool(answer.evidence) and shows(answer.evidence[0], row["answer_times"])
    return names(answer.text, str(row["answer"]))


def _named_first(text: str, row: dict[str, Any]) -> bool:
    places = {choice: text.lower().find(choice.lower()) for choice in row.get("choices", ())}
    places = {choice: place for choice, place in places.items() if place >= 0}
    return bool(places) and min(places, key=lambda choice: places[choice]) == row["answer"]


def _numbers_before_times(text: str) -> list[str]:
    return text.split(" at ")[0].replace(":", " ").replace(".", " ").split()


def _judge_choice(library: Library, tally: Tally, item: Asked, media: str) -> None:
    choices = item.row["choices"]
    answer = library.ask(
        item.row["question"], media=[media], at_s=item.row.get("at_s"), options=choices
    )
    right = answer.option is not None and choices[answer.option] == item.row["answer"]
    tally.with_choices.append(right)


def _figures(tally: Tally) -> dict[str, Any]:
    return {
        "n": len(tally.answered_right),
        **share("recall@1", tally.first),
        **share("recall@5", tally.among_five),
        **share("answer_accuracy", tally.answered_right),
        **share("with_choices", tally.with_choices),
    }


def _counts(asked: Sequence[Asked], tallies: dict[str, Tally]) -> dict[str, Any]:
    golds = Counter(str(item.row["answer"]) for item in asked if item.group == "count")
    constant, times = golds.most_common(1)[0] if golds else ("", 0)
    return {
        **share("exact", tallies["count"].answered_right if golds else []),
        "best_constant": round(times / max(1, golds.total()), 4),
        "constant": constant,
    }


def _index(library: Library, videos: Sequence[Path]) -> dict[str, Any]:
    elapsed, duration = 0.0, 0.0
    for outcome in library.index(videos):
        print(f"{outcome.status}: {outcome.path} {outcome.error or ''}", file=sys.stderr)
        if outcome.media and outcome.status in ("indexed", "partial"):
            elapsed += outcome.elapsed_s
            duration += outcome.media.duration_s or 0.0
    sizes = [library.store.read.sizes(media.id) for media in library.media()]
    total_s = sum(media.duration_s or 0.0 for media in library.media())
    parts = {name: sum(getattr(one, name) for one in sizes) for name in _PARTS}
    parts["on_disk"] = library.stats().tables_bytes
    return {
        "bytes_per_s": {
            name: round(part / total_s, 1) if total_s else None for name, part in parts.items()
        },
        "realtime_x": round(duration / elapsed, 2) if elapsed else None,
    }


def _print_miss(item: Asked, answer: Answer) -> None:
    row = item.row
    where = answer.evidence[0].label if answer.evidence else "nowhere"
    print(
        f"[{row['type']}] {row['question']}\n  gold: {row['answer']} {row.get('answer_times')}\n"
        f"  {answer.state} at {where}: {answer.text}",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()

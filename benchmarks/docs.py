"""Knows how to ask documents their questions: plain BM25, flat retrieval and the walk, one run.

``python -m benchmarks.docs --data DIR [--quick]``: DIR holds ``docs.jsonl`` and
``questions.jsonl``. Progress goes to stderr; the last thing on stdout is one JSON object. Recall
counts distinct places: pages where the gold is pages, fixed windows of turns in a transcript.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import memqa
from benchmarks.shares import share
from memqa.cite import stems
from memqa.cues import content_words
from memqa.library import Library
from memqa.question import understand
from memqa.retrieve import Finder
from memqa.store.schema import Memory
from memqa.values import Answer
from memqa.walks import leaves_of
from models.values import PageSpan

KS = (1, 3, 5, 10)
BUDGET_TOKENS = 1500
WORDS_PER_TOKEN = 0.75
WINDOW_TURNS = {"locomo": 6}  # other transcripts: 20


@dataclass(frozen=True, slots=True)
class Gold:
    """Where the evidence of a question lies: pages, or character spans of turns.

    ``windows`` are the spans into which the transcript is cut for counting.
    """

    pages: frozenset[int] = frozenset()
    spans: tuple[tuple[int, int], ...] = ()
    windows: tuple[tuple[int, int], ...] = ()

    def found_in(self, places: Sequence[PageSpan]) -> float | None:
        """Give the recall: any gold page, or the share of gold turns; None without gold."""
        if self.pages:
            touched = {page for place in places for page in range(place.page, place.page_end + 1)}
            return float(bool(touched & self.pages))
        if not self.spans:
            return None
        hit = [any(_meet(place, span) for place in places) for span in self.spans]
        return sum(hit) / len(hit)


@dataclass(slots=True)
class Way:
    """What was measured for one way of finding, on one source."""

    recalls: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    seconds: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Answers:
    """What was measured for the answers on one source."""

    f1: list[float] = field(default_factory=list)
    options: list[bool] = field(default_factory=list)
    longest: list[bool] = field(default_factory=list)
    precision: list[bool] = field(default_factory=list)
    abstained: dict[bool, list[bool]] = field(default_factory=lambda: {True: [], False: []})
    seconds: list[float] = field(default_factory=list)
    tiers: Counter[str] = field(default_factory=Counter)
    models: Mapping[str, str] = field(default_factory=dict)


def main() -> None:
    """Index what lies in DIR, ask everything, print the figures."""
    parser = argparse.ArgumentParser(prog="benchmarks.docs", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="only the questions marked quick")
    parser.add_argument("--home", type=Path, help="keep the library here (default: a fresh one)")
    options = parser.parse_args()
    rows = list(_rows(options.data / "questions.jsonl"))
    asked = [row for row in rows if row["quick"] or not options.quick]
    asked = [row for row in asked if not row.get("known_bad")]
    documents = {row["doc_id"]: row for row in _rows(options.data / "docs.jsonl")}
    with tempfile.TemporaryDirectory() as scratch:
        library = memqa.open(options.home or Path(scratch))
        print(json.dumps(measure(library, options.data, documents, asked), indent=1))


def measure(
    library: Library,
    data: Path,
    documents: Mapping[str, dict[str, Any]],
    asked: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """Index the documents, find and answer, and judge by source."""
    wanted = {row["doc_id"]: data / documents[row["doc_id"]]["file"] for row in asked}
    for outcome in library.index(sorted(wanted.values())):
        print(f"{outcome.status}: {outcome.path} {outcome.error or ''}", file=sys.stderr)
    ids = {media.path: media.id for media in library.media()}
    ways: dict[str, dict[str, Way]] = defaultdict(lambda: defaultdict(Way))
    answers: dict[str, Answers] = defaultdict(Answers)
    for number, row in enumerate(asked, 1):
        media_id = ids.get(str(wanted[row["doc_id"]].resolve()))
        if media_id is None:
            continue
        gold = gold_of(row, data, documents[row["doc_id"]])
        for name, places, seconds in _found(library, row["question"], media_id):
            _judge_places(ways[row["source"]][name], gold, places, seconds)
        _judge_answer(library, answers[row["source"]], row, gold, media_id)
        if number % 20 == 0:
            print(f"asked {number}/{len(asked)}", file=sys.stderr)
    return {
        "sources": {
            source: {name: _figures(way, answers[source]) for name, way in by_name.items()}
            for source, by_name in sorted(ways.items())
        },
        "tier": _most_common(answers),
        "models": next((dict(one.models) for one in answers.values()), {}),
    }


def gold_of(row: Mapping[str, Any], data: Path, document: Mapping[str, Any]) -> Gold:
    """Read where a question's evidence lies; turns become character spans of the text file."""
    evidence = row.get("evidence") or {}
    if evidence.get("type") == "pages":
        return Gold(pages=frozenset(evidence["pages"]))
    if evidence.get("type") not in ("turn_spans", "turn_ids"):
        return Gold()
    turns = list(_rows(data / document["turns_file"]))
    spans = turn_characters((data / document["file"]).read_text(encoding="utf-8"), turns)
    if evidence["type"] == "turn_ids":
        wanted = set(evidence["turn_ids"])
        chosen = [
            i for i, turn in enumerate(turns) if turn.get("turn_id", turn.get("id")) in wanted
        ]
    else:
        chosen = [i for first, last in evidence["spans"] for i in range(first, last + 1)]
    step = WINDOW_TURNS.get(row["source"], 20)
    cut = [spans[first : first + step] for first in range(0, len(spans), step)]
    return Gold(
        spans=tuple(spans[i] for i in dict.fromkeys(chosen) if i < len(spans)),
        windows=tuple((part[0][0], part[-1][1]) for part in cut),
    )


def turn_characters(text: str, turns: Sequence[Mapping[str, Any]]) -> list[tuple[int, int]]:
    """Find each turn's words in the text of its transcript, in order; half-open spans."""
    spans, at = [], 0
    for turn in turns:
        start = text.find(turn["text"], at)
        start = at if start < 0 else start
        at = start + len(turn["text"])
        spans.append((start, at))
    return spans


def _found(
    library: Library, question: str, media_id: str
) -> Iterator[tuple[str, list[Memory], float]]:
    """Yield what plain BM25, flat fused retrieval and the walk find, best first."""
    reader, engines = library.store.read, library.engines
    media = [item for item in library.media() if item.id == media_id]
    started = time.perf_counter()
    words = " ".join(content_words(question)) or question
    hits = reader.search_text(words, media_ids=[media_id], limit=60, levels=("passage",))
    yield "bm25", [hit.memory for hit in hits], time.perf_counter() - started
    started = time.perf_counter()
    finder = Finder(reader, engines.image_encoder(), engines.text_encoder())
    flat = finder.find(understand(question), media, limit=60)
    yield "flat", [item.memory for item in flat], time.perf_counter() - started
    by_order = {item.memory.order: item.memory for item in flat}
    reached = [by_order[order] for order in leaves_of(finder, flat, question)]
    yield "walk", reached, time.perf_counter() - started


def _judge_places(way: Way, gold: Gold, memories: Sequence[Memory], seconds: float) -> None:
    places = [item.locator for item in memories if isinstance(item.locator, PageSpan)]
    way.seconds.append(seconds)
    if gold.found_in(places) is None:
        return
    distinct = _distinct_pages(places) if gold.pages else _distinct_windows(places, gold.windows)
    for k in KS:
        way.recalls[f"recall@{k}"].append(gold.found_in(distinct[:k]) or 0.0)
    read, budget = [], BUDGET_TOKENS * WORDS_PER_TOKEN
    for memory, place in zip(memories, places, strict=True):
        budget -= len(memory.text.split())
        if budget < 0:
            break
        read.append(place)
    way.recalls["recall_1500_tokens"].append(gold.found_in(read) or 0.0)


def _judge_answer(
    library: Library, tally: Answers, row: Mapping[str, Any], gold: Gold, media_id: str
) -> None:
    options = row.get("options")
    answer = library.ask(row["question"], media=[media_id], options=options)
    tally.seconds.append(answer.timings_s.get("total", 0.0))
    tally.tiers[answer.tier] += 1
    tally.models = answer.models
    silent = answer.state == "unanswered"
    tally.abstained[bool(row["answerable"])].append(silent)
    if options:
        tally.options.append(answer.option == row["answer_index"])
        lengths = [len(option) for option in options]
        tally.longest.append(lengths.index(max(lengths)) == row["answer_index"])
    elif row["answerable"] and row["kind"] == "short":
        tally.f1.append(0.0 if silent else max(f1(answer.text, one) for one in row["answers"]))
    if not silent and row["answerable"] and (gold.pages or gold.spans):
        tally.precision.append(_cites(answer, gold))


def _cites(answer: Answer, gold: Gold) -> bool:
    cited = {one for citation in answer.citations for one in citation.evidence}
    items = [item for item in answer.evidence if item.id in cited]
    places = [item.locator for item in items if isinstance(item.locator, PageSpan)]
    return bool(gold.found_in(places))


def f1(answer: str, gold: str) -> float:
    """Give the token F1 of two texts over their stemmed content words."""
    ours, theirs = Counter(stems(answer)), Counter(stems(gold))
    shared = (ours & theirs).total()
    return 2 * shared / (ours.total() + theirs.total()) if shared else 0.0


def _figures(way: Way, answers: Answers) -> dict[str, Any]:
    figures: dict[str, Any] = {"n": len(way.seconds)}
    for name in (*(f"recall@{k}" for k in KS), "recall_1500_tokens"):
        figures |= share(name, way.recalls.get(name, []))
    figures["seconds"] = round(sum(way.seconds) / max(1, len(way.seconds)), 3)
    return figures | {
        **share("option_accuracy", answers.options),
        **share("longest_option", answers.longest),
        **share("answer_f1", answers.f1),
        **share("citation_precision", answers.precision),
        **share("abstained_unanswerable", answers.abstained[False]),
        **share("abstained_answerable", answers.abstained[True]),
        "seconds_per_answer": round(sum(answers.seconds) / max(1, len(answers.seconds)), 3),
    }


def _distinct_pages(places: Sequence[PageSpan]) -> list[PageSpan]:
    pages = [page for place in places for page in range(place.page, place.page_end + 1)]
    return [PageSpan(page, page, 0, 0) for page in dict.fromkeys(pages)]


def _distinct_windows(
    places: Sequence[PageSpan], windows: Sequence[tuple[int, int]]
) -> list[PageSpan]:
    """Give the windows that the places lie in, in their order; the one shared most comes first."""
    kept: dict[tuple[int, int], None] = {}
    for place in places:
        met = [window for window in windows if _meet(place, window)]
        for window in sorted(met, key=lambda one: -_shared(place, one)):
            kept.setdefault(window)
    return [PageSpan(1, 1, *window) for window in kept]


def _shared(place: PageSpan, window: tuple[int, int]) -> int:
    return min(place.char_end, window[1]) - max(place.char_start, window[0])


def _meet(place: PageSpan, span: tuple[int, int]) -> bool:
    return place.char_start < span[1] and span[0] < place.char_end


def _most_common(answers: Mapping[str, Answers]) -> str:
    tiers = sum((one.tiers for one in answers.values()), Counter[str]())
    return tiers.most_common(1)[0][0] if tiers else ""


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())


if __name__ == "__main__":
    main()

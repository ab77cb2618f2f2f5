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
import zlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import memqa
from benchmarks.gold import Gold, gold_of, rows, subsets_of
from benchmarks.shares import share
from benchmarks.ways import Piece, ways_of
from memqa.cite import stems
from memqa.library import Library
from memqa.values import Answer, Media
from models.values import PageSpan

KS = (1, 3, 5, 10)
BUDGET_TOKENS = 1500
WORDS_PER_TOKEN = 0.75


@dataclass(slots=True)
class Way:
    """What was measured for one way of finding, on one source or a subset of it."""

    recalls: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    seconds: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Answers:
    """What was measured for the answers on one source."""

    f1: list[float] = field(default_factory=list)
    options: list[bool] = field(default_factory=list)
    longest: list[bool] = field(default_factory=list)
    precision: list[float] = field(default_factory=list)
    touches: list[bool] = field(default_factory=list)
    answered: list[bool] = field(default_factory=list)
    abstained: dict[bool, list[bool]] = field(default_factory=lambda: {True: [], False: []})
    abstained_elsewhere: list[bool] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    tokens_share: list[float] = field(default_factory=list)
    tiers: Counter[str] = field(default_factory=Counter)
    models: Mapping[str, str] = field(default_factory=dict)


def main() -> None:
    """Index what lies in DIR, ask everything, print the figures."""
    parser = argparse.ArgumentParser(prog="benchmarks.docs", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="only the questions marked quick")
    parser.add_argument("--home", type=Path, help="keep the library here (default: a fresh one)")
    options = parser.parse_args()
    every = list(rows(options.data / "questions.jsonl"))
    asked = [row for row in every if row["quick"] or not options.quick]
    asked = [row for row in asked if not row.get("known_bad")]
    documents = {row["doc_id"]: row for row in rows(options.data / "docs.jsonl")}
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
    media = taken_in(library, wanted)
    ways: dict[str, dict[str, Way]] = defaultdict(lambda: defaultdict(Way))
    answers: dict[str, Answers] = defaultdict(Answers)
    for number, row in enumerate(asked, 1):
        if row["doc_id"] not in media:
            continue
        source, of = row["source"], media[row["doc_id"]]
        gold = gold_of(row, data, documents[row["doc_id"]])
        groups = [source, *(f"{source}/{subset}" for subset in subsets_of(row, gold))]
        for name, pieces, seconds in ways_of(library, row["question"], of):
            for group in groups if row["answerable"] else [source]:
                _judge_places(ways[group][name], gold, pieces, seconds)
        _judge_answer(library, answers[source], row, gold, of)
        if elsewhere := another(row, media, documents):
            silent = library.ask(row["question"], media=[elsewhere.id]).state == "unanswered"
            answers[source].abstained_elsewhere.append(silent)
        if number % 20 == 0:
            print(f"asked {number}/{len(asked)}", file=sys.stderr)
    return {
        "sources": {
            group: {name: _figures(way, answers.get(group)) for name, way in by_name.items()}
            for group, by_name in sorted(ways.items())
        },
        "all": _all(list(answers.values())),
        "tier": _most_common(answers),
        "models": next((dict(one.models) for one in answers.values()), {}),
    }


def another(
    row: Mapping[str, Any], media: Mapping[str, Media], documents: Mapping[str, dict[str, Any]]
) -> Media | None:
    """Choose another document that cannot answer: of the same source where there is one."""
    others = sorted(doc_id for doc_id in media if doc_id != row["doc_id"])
    same = [one for one in others if documents[one]["source"] == row["source"]]
    # Some stories lie in two sources; a document of the same words would answer.
    told = documents[row["doc_id"]].get("same_story_as")
    able = [one for one in same or others if one != told]
    return media[able[zlib.crc32(row["qid"].encode()) % len(able)]] if able else None


def taken_in(library: Library, wanted: Mapping[str, Path]) -> dict[str, Media]:
    """Index documents by id and give those that could be read."""
    for outcome in library.index(sorted(wanted.values())):
        print(f"{outcome.status}: {outcome.path} {outcome.error or ''}", file=sys.stderr)
    by_path = {media.path: media for media in library.media()}
    return {
        doc_id: by_path[str(path.resolve())]
        for doc_id, path in wanted.items()
        if str(path.resolve()) in by_path
    }


def _judge_places(way: Way, gold: Gold, pieces: Sequence[Piece], seconds: float) -> None:
    way.seconds.append(seconds)
    if not gold.is_known:
        return
    distinct = gold.distinct([piece.found for piece in pieces])
    for k in KS:
        way.recalls[f"recall@{k}"].append(gold.found_in(distinct[:k]) or 0.0)
    read, budget = [], BUDGET_TOKENS * WORDS_PER_TOKEN
    for piece in pieces:
        budget -= piece.words
        if budget < 0:
            break
        read.append(piece.read)
    way.recalls["recall_1500_tokens"].append(gold.found_in(read) or 0.0)
    way.recalls["gold_share_1500_tokens"].append(gold.share_in(read))


def _judge_answer(
    library: Library, tally: Answers, row: Mapping[str, Any], gold: Gold, of: Media
) -> None:
    options = row.get("options")
    answer = library.ask(row["question"], media=[of.id], options=options)
    tally.seconds.append(answer.timings_s.get("total", 0.0))
    tally.tiers[answer.tier] += 1
    tally.models = answer.models
    _count_reading(tally, answer, _words(library, of) / WORDS_PER_TOKEN)
    silent = answer.state == "unanswered"
    tally.abstained[bool(row["answerable"])].append(silent)
    if options:
        tally.options.append(answer.option == row["answer_index"])
        lengths = [len(option) for option in options]
        tally.longest.append(lengths.index(max(lengths)) == row["answer_index"])
    elif row["answerable"] and row["kind"] == "short":
        tally.f1.append(0.0 if silent else max(f1(answer.text, one) for one in row["answers"]))
    if row["answerable"]:
        tally.answered.append(not silent)
    if not silent and row["answerable"] and gold.is_known:
        cited = _cited(answer)
        right = [bool(gold.found_in([place])) for place in cited]
        tally.precision.append(sum(right) / len(right) if right else 0.0)
        tally.touches.append(any(right))


def _count_reading(tally: Answers, answer: Answer, document_tokens: float) -> None:
    """Count what an answer cost: steps that asked a model, and what was read of the document."""
    looks = [step.look for step in answer.walk if step.look]
    # In tier C no model reads; its looks count words.
    is_led = answer.tier in "AB"
    read = sum(look.tokens for look in looks) / (1.0 if is_led else WORDS_PER_TOKEN)
    tally.calls.append((sum(1 for look in looks if look.tokens) if is_led else 0) + _wrote(answer))
    tally.tokens_share.append(read / max(1.0, document_tokens))


def _wrote(answer: Answer) -> int:
    return int("first_word" in answer.timings_s)


def _words(library: Library, of: Media) -> int:
    passages = library.store.read.memories(of.id, levels=["passage"])
    return sum(len(one.text.split()) for one in passages)


def _cited(answer: Answer) -> list[PageSpan]:
    """Give the places that an answer cites, each page or passage once."""
    cited = {one for citation in answer.citations for one in citation.evidence}
    items = [item for item in answer.evidence if item.id in cited]
    return [item.locator for item in items if isinstance(item.locator, PageSpan)]


def f1(answer: str, gold: str) -> float:
    """Give the token F1 of two texts over their stemmed content words."""
    ours, theirs = Counter(stems(answer)), Counter(stems(gold))
    shared = (ours & theirs).total()
    return 2 * shared / (ours.total() + theirs.total()) if shared else 0.0


def _figures(way: Way, answers: Answers | None) -> dict[str, Any]:
    figures: dict[str, Any] = {"n": len(way.seconds)}
    for name in (*(f"recall@{k}" for k in KS), "recall_1500_tokens", "gold_share_1500_tokens"):
        figures |= share(name, way.recalls.get(name, []))
    figures["seconds"] = _mean(way.seconds)
    if answers is None:  # of a subset, the places alone are judged
        return figures
    return figures | {
        **share("option_accuracy", answers.options),
        **share("longest_option", answers.longest),
        **share("answer_f1", answers.f1),
        **_trusted([answers]),
        "calls": _mean(answers.calls),
        "tokens_read_share": _mean(answers.tokens_share),
        "seconds_per_answer": _mean(answers.seconds),
    }


def _trusted(answers: Sequence[Answers]) -> dict[str, Any]:
    """Give how often an answer was given, rightly withheld, and cited a gold place."""
    return {
        **share("citation_precision", [hit for one in answers for hit in one.precision]),
        **share("cites_any_gold", [hit for one in answers for hit in one.touches]),
        **share("answered", [hit for one in answers for hit in one.answered]),
        **share("abstained_unanswerable", [hit for one in answers for hit in one.abstained[False]]),
        **share("abstained_answerable", [hit for one in answers for hit in one.abstained[True]]),
        **share(
            "abstained_other_document", [hit for one in answers for hit in one.abstained_elsewhere]
        ),
    }


def _all(answers: Sequence[Answers]) -> dict[str, Any]:
    unable = [hit for one in answers for hit in (*one.abstained[False], *one.abstained_elsewhere)]
    return {**_trusted(answers), **share("abstained_no_answer_there", unable)}


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / max(1, len(values)), 4)


def _most_common(answers: Mapping[str, Answers]) -> str:
    tiers = sum((one.tiers for one in answers.values()), Counter[str]())
    return tiers.most_common(1)[0][0] if tiers else ""


if __name__ == "__main__":
    main()

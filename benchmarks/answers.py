"""Knows how good answers are, by kind of question, beside a quote of the best place found.

``python -m benchmarks.answers --data DIR [--llm NAME] [--quick]``: DIR, or its folders ``docs`` and
``video``, hold what ``benchmarks.docs`` and ``benchmarks.video`` ask. The baseline of the same run
is the sentence of the first place found that shares most words with the question; no language
model takes part in it. What a sentence cites is judged by where the data say that the evidence
lies, never by the program's own alignment. Progress goes to stderr; the last thing on stdout is one
JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.asked import Asked, questions
from benchmarks.docs import f1, taken_in
from benchmarks.gold import Gold, gold_of, rows
from benchmarks.shares import share
from benchmarks.video import is_right, shows
from memqa.library import Library
from memqa.question import understand
from memqa.quotes import best_sentences
from memqa.settings import load
from memqa.values import Answer, Evidence
from models.values import PageSpan

NAMED = ("seen", "said", "read")


@dataclass(frozen=True, slots=True)
class Judged:
    """What was made of one question; a figure is None where it does not apply.

    ``sentences`` says of each sentence that a grounded answer cites a place for, whether that place
    meets the gold evidence. ``quote`` is the baseline's figure for ``right``.
    """

    group: str
    kind: str
    question: str
    gold: str
    answer: str
    state: str
    is_answerable: bool
    right: float
    quote: float
    option: bool | None = None
    longest: bool | None = None
    options: int = 0
    sentences: tuple[bool, ...] = ()
    timings_s: Mapping[str, float] = field(default_factory=dict)


def main() -> None:
    """Index what lies in DIR, ask everything, print the figures."""
    parser = argparse.ArgumentParser(prog="benchmarks.answers", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--llm", help="the language model, as in the settings (default: theirs)")
    parser.add_argument("--quick", action="store_true", help="a part of the questions")
    parser.add_argument("--home", type=Path, help="keep the library here (default: a fresh one)")
    parser.add_argument("--records", type=Path, help="write every question judged, as JSON lines")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = options.home or Path(scratch)
        settings = load(home=home)
        if options.llm:
            models = settings.models.model_copy(update={"language_model": options.llm})
            settings = settings.model_copy(update={"models": models})
        library = Library(home, settings)
        judged: list[Judged] = []
        told = _told(library, options.data, quick=options.quick)
        for number, one in enumerate(told, 1):
            judged.append(one)
            if number % 20 == 0:
                print(f"asked {number}", file=sys.stderr)
        if not judged:
            sys.exit(f"no questions found in {options.data}")
        if options.records:
            lines = (json.dumps(asdict(one)) + "\n" for one in judged)
            options.records.write_text("".join(lines), encoding="utf-8")
        tier, why = library.tier()
        report = figures(judged) | {
            "tier": tier,
            "why": why,
            "model": library.engines.language_model().name,
        }
        print(json.dumps(report, indent=1))


def figures(judged: Sequence[Judged]) -> dict[str, Any]:
    """Put what was judged together by group and over all."""
    groups: dict[str, list[Judged]] = defaultdict(list)
    for one in judged:
        groups[one.group].append(one)
    short = [one for one in judged if one.kind == "short" and one.is_answerable]
    named = [one for one in judged if one.group in NAMED]
    chosen = [one for one in judged if one.option is not None]
    return {
        "groups": {name: _of(group) for name, group in sorted(groups.items())},
        "names_gold": _beside(named),
        "short_answer_f1": _beside(short),
        "options": {
            **share("accuracy", [bool(one.option) for one in chosen]),
            **share("longest", [bool(one.longest) for one in chosen]),
            "chance": round(_mean([1 / one.options for one in chosen]), 4),
        },
        **_trust(judged),
        "first_word_s": _times(judged, "first_word"),
        "answer_s": _times(judged, "total"),
    }


def _told(library: Library, data: Path, *, quick: bool) -> Iterator[Judged]:
    for folder in (data, data / "docs"):
        if (folder / "questions.jsonl").is_file():
            yield from _of_documents(library, folder, quick=quick)
    for folder in (data, data / "video"):
        yield from _of_videos(library, list(questions(folder, quick=quick)))


def _of_documents(library: Library, data: Path, *, quick: bool) -> Iterator[Judged]:
    every = [row for row in rows(data / "questions.jsonl") if not row.get("known_bad")]
    asked = [row for row in every if row["quick"] or not quick]
    documents = {row["doc_id"]: row for row in rows(data / "docs.jsonl")}
    files = {row["doc_id"]: data / documents[row["doc_id"]]["file"] for row in asked}
    media = taken_in(library, files)
    for row in asked:
        if row["doc_id"] not in media:
            continue
        of, options = media[row["doc_id"]].id, row.get("options") or ()
        answer = library.ask(row["question"], media=[of], options=options or None)
        silent = answer.state == "unanswered"
        golds = row["answers"] if row["answerable"] else []
        lengths = [len(option) for option in options]
        gold = gold_of(row, data, documents[row["doc_id"]])
        yield Judged(
            group=row["source"],
            kind=row["kind"],
            question=row["question"],
            gold=" | ".join(map(str, golds)),
            answer=answer.text,
            state=answer.state,
            is_answerable=bool(row["answerable"]),
            right=0.0 if silent else _best_f1(answer.text, golds),
            quote=_best_f1(_quote(library, row["question"], of), golds),
            option=answer.option == row["answer_index"] if options else None,
            longest=lengths.index(max(lengths)) == row["answer_index"] if options else None,
            options=len(options),
            sentences=cited_right(answer, partial(_meets, gold))
            if gold.is_known and row["answerable"]
            else (),
            timings_s=answer.timings_s,
        )


def _of_videos(library: Library, asked: Sequence[Asked]) -> Iterator[Judged]:
    for outcome in library.index(sorted({item.video for item in asked})):
        print(f"{outcome.status}: {outcome.path} {outcome.error or ''}", file=sys.stderr)
    ids = {media.path: media.id for media in library.media()}
    for item in asked:
        of = ids.get(str(item.video.resolve()))
        if of is None:
            continue
        row = item.row
        answer = library.ask(row["question"], media=[of], at_s=row.get("at_s"))
        times = row.get("answer_times") or []
        yield Judged(
            group=item.group,
            kind=row["type"],
            question=row["question"],
            gold=str(row["answer"]),
            answer=answer.text,
            state=answer.state,
            is_answerable=item.group != "absent",
            right=float(is_right(item, answer)),
            quote=float(_quote_is_right(library, item, of)),
            sentences=cited_right(answer, partial(_shown_in, times)) if times else (),
            timings_s=answer.timings_s,
        )


def _quote(library: Library, question: str, media: str) -> str:
    places = library.search(question, media=[media], limit=1)
    return best_sentences(understand(question), places[0].text, most=1) if places else ""


def _quote_is_right(library: Library, item: Asked, media: str) -> bool:
    """Judge the baseline by the same rule: its first place, and its words."""
    if item.group == "absent":
        return False  # a quote never abstains
    places = library.search(item.row["question"], media=[media], limit=1)
    words = _quote(library, item.row["question"], media)
    return is_right(item, Answer(words, "grounded", tuple(places)))


def cited_right(answer: Answer, is_gold: Callable[[Evidence], bool]) -> tuple[bool, ...]:
    """Say of each sentence that a grounded answer cites places for, whether one is gold."""
    if answer.state != "grounded":
        return ()
    known = {one.id: one for one in answer.evidence}
    return tuple(
        any(is_gold(known[one]) for one in citation.evidence if one in known)
        for citation in answer.citations
    )


def _shown_in(times: Sequence[Sequence[float]], evidence: Evidence) -> bool:
    return shows(evidence, times)


def _meets(gold: Gold, evidence: Evidence) -> bool:
    return isinstance(evidence.locator, PageSpan) and bool(gold.found_in([evidence.locator]))


def _best_f1(text: str, golds: Sequence[str]) -> float:
    return max((f1(text, str(gold)) for gold in golds), default=0.0)


def _of(group: Sequence[Judged]) -> dict[str, Any]:
    able = [one for one in group if one.is_answerable]
    kinds = Counter(one.kind for one in group)
    return {
        "n": len(group),
        **_beside([one for one in able if one.option is None]),
        **share("option_accuracy", [bool(one.option) for one in able if one.option is not None]),
        **_trust(group),
        "kinds": {
            kind: {"n": many, **_beside([one for one in able if one.kind == kind])}
            for kind, many in sorted(kinds.items())
        }
        if len(kinds) > 1
        else {},
    }


def _beside(judged: Sequence[Judged]) -> dict[str, Any]:
    """Give the answers' figure beside that of the quote."""
    return {
        **share("answer", [one.right for one in judged]),
        **share("quote", [one.quote for one in judged]),
    }


def _trust(judged: Sequence[Judged]) -> dict[str, Any]:
    able = [one for one in judged if one.is_answerable]
    unable = [one for one in judged if not one.is_answerable]
    return {
        **share("grounded_cites_gold", [hit for one in judged for hit in one.sentences]),
        **share("grounded", [one.state == "grounded" for one in able]),
        **share("answered", [one.state != "unanswered" for one in able]),
        **share("abstained_without_answer", [one.state == "unanswered" for one in unable]),
        **share("grounded_without_answer", [one.state == "grounded" for one in unable]),
    }


def _times(judged: Sequence[Judged], stage: str) -> dict[str, float]:
    taken = sorted(one.timings_s[stage] for one in judged if stage in one.timings_s)
    if not taken:
        return {}
    late = taken[min(len(taken) - 1, int(0.95 * len(taken)))]
    return {"n": len(taken), "median": round(median(taken), 3), "p95": round(late, 3)}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(1, len(values))


if __name__ == "__main__":
    main()

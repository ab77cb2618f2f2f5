"""Knows how the score that decides to abstain is fitted: on half of the questions, for the others.

``python -m benchmarks.abstention --data DIR [--home DIR]``: asks every question of its own document
and of another one, fits the two logistic scores of ``memqa.trust`` on either half of the questions
and judges the other half where an answer is as likely as _ODDS; the product has its biases moved so
that its own threshold means the same. The last thing on stdout is one JSON object:
the coefficients, and how often is abstained, by source. What the product's own coefficients give
stands beside it, in sample: they were fitted on all of the questions.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

import memqa
from benchmarks.docs import another, taken_in
from benchmarks.gold import rows
from benchmarks.shares import share
from memqa.fuse import Found, Parts
from memqa.library import Library
from memqa.question import understand
from memqa.retrieve import Finder
from memqa.trust import state_of
from memqa.values import Media

# So many questions of this kind are few beside those put to another document.
_RARE = 3.0
_ODDS = 0.52


@dataclass(frozen=True, slots=True)
class Case:
    """A question put to a document, what was found best, and whether that can answer."""

    source: str
    half: int
    has_answer: bool
    is_elsewhere: bool
    parts: Parts
    abstained: bool

    @property
    def group(self) -> str:
        """The source, and what kind of question without an answer it is."""
        if self.has_answer:
            return self.source
        return f"{self.source}/{'other document' if self.is_elsewhere else 'no answer'}"


def main() -> None:
    """Index what lies in DIR, ask everything twice, fit and judge, print the figures."""
    parser = argparse.ArgumentParser(prog="benchmarks.abstention", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--home", type=Path, help="keep the library here (default: a fresh one)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        cases = _cases(memqa.open(options.home or Path(scratch)), options.data)
    print(json.dumps({"n": len(cases), **_report(cases)}, indent=1))


def _cases(library: Library, data: Path) -> list[Case]:
    asked = [row for row in rows(data / "questions.jsonl") if not row.get("known_bad")]
    documents = {row["doc_id"]: row for row in rows(data / "docs.jsonl")}
    paths = {doc_id: data / row["file"] for doc_id, row in documents.items()}
    media = taken_in(library, paths)
    engines = library.engines
    finder = Finder(library.store.read, engines.image_encoder(), engines.text_encoder())
    cases = []
    for row in asked:
        if row["doc_id"] in media:
            cases.append(_case(finder, row, media[row["doc_id"]], is_elsewhere=False))
            if other := another(row, media, documents):
                cases.append(_case(finder, row, other, is_elsewhere=True))
    return cases


def _case(finder: Finder, row: dict[str, Any], media: Media, *, is_elsewhere: bool) -> Case:
    question = understand(row["question"])
    found: Sequence[Found] = finder.find(question, [media])
    return Case(
        source=row["source"],
        half=zlib.crc32(row["qid"].encode()) % 2,
        has_answer=row["answerable"] and not is_elsewhere,
        is_elsewhere=is_elsewhere,
        parts=found[0].parts if found else Parts(),
        abstained=not found or state_of(question, found) == "unanswered",
    )


def _report(cases: Sequence[Case]) -> dict[str, Any]:
    report: dict[str, Any] = {"product": _judged(cases, lambda case: case.abstained)}
    for fitted_on in (0, 1):
        known = [case for case in cases if case.half == fitted_on]
        answers, of_whom, figures = _fit(known)
        report[f"fitted_on_half_{fitted_on}"] = {
            **figures,
            "other_half": _judged(
                [case for case in cases if case.half != fitted_on],
                lambda case, a=answers, w=of_whom: min(a(case), w(case)) < _ODDS,  # type: ignore[misc]
            ),
        }
    return report


def _fit(
    cases: Sequence[Case],
) -> tuple[Callable[[Case], float], Callable[[Case], float], dict[str, Any]]:
    # A question of the wrong person fits its passage; that is for the other score to see.
    matching = [
        c for c in cases if c.has_answer or c.is_elsewhere or c.parts.support.of_whom is None
    ]
    weights = [_RARE if not (c.has_answer or c.is_elsewhere) else 1.0 for c in matching]
    answers = LogisticRegression(class_weight="balanced", max_iter=2000)
    answers.fit([_features(c) for c in matching], [c.has_answer for c in matching], weights)
    personal = [c for c in cases if c.parts.support.of_whom is not None and not c.is_elsewhere]
    of_whom = LogisticRegression(C=10.0, class_weight="balanced")
    if len({c.has_answer for c in personal}) == 2:
        of_whom.fit([[c.parts.support.of_whom] for c in personal], [c.has_answer for c in personal])
    figures = {
        "coefficients": np.round(answers.coef_[0], 2).tolist(),
        "bias": round(float(answers.intercept_[0]), 2),
    }
    if hasattr(of_whom, "coef_"):
        figures["of_whom"] = round(float(of_whom.coef_[0, 0]), 2)
        figures["of_whom_bias"] = round(float(of_whom.intercept_[0]), 2)

    def person(case: Case) -> float:
        share = case.parts.support.of_whom
        if share is None or not hasattr(of_whom, "coef_"):
            return 1.0
        return float(of_whom.predict_proba([[share]])[0, 1])

    return (
        lambda case: float(answers.predict_proba([_features(case)])[0, 1]),
        person,
        figures,
    )


def _features(case: Case) -> list[float]:
    """Give what ``memqa.trust`` weighs: covered, meaning, unknown, strange name, strange number."""
    parts, support = case.parts, case.parts.support
    return [
        parts.covered,
        max(parts.meaning, 0.0),
        support.unknown,
        float(support.strange_name),
        float(support.strange_number),
    ]


def _judged(cases: Sequence[Case], abstains: Callable[[Case], bool]) -> dict[str, Any]:
    by_group: dict[str, list[bool]] = defaultdict(list)
    for case in cases:
        silent = abstains(case)
        by_group[case.group].append(silent)
        by_group["all answerable" if case.has_answer else "all without an answer"].append(silent)
    return {group: share("abstained", hits) for group, hits in sorted(by_group.items())}


if __name__ == "__main__":
    main()

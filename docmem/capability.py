"""Finds out what a language model can do for a walk, and which tier follows from it.

The test of the document-memory design, §6.1: does it keep a format, triage better than retrieval,
gain by reasoning, refuse a wrong passage, copy a fact? And, for videos: does it answer from several
timed notes? Everything else about a model (its size, its name) is ignored.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, zip_longest
from typing import Any, Literal, TypeAlias

import numpy as np

from docmem import prompts
from docmem.extracts import keywords
from docmem.moments import Asked, Kind, moments
from docmem.samples import SAMPLES
from docmem.steps import Query, Read, Tier
from docmem.summarise import telling_sentences
from docmem.tree import Tree
from docmem.voice import Voice
from models.ports import LanguageModel
from models.values import Features

Measure: TypeAlias = Literal[
    "format", "triage", "reason", "refusal", "extraction", "copying", "moments", "declining"
]

_FORMAT, _TRIAGE, _REFUSAL, _EXTRACTION = 0.9, 0.6, 0.7, 0.8
# What is not true of the notes is caught afterwards only in part, so the bars are high. The
# embedded model copies 0.44, keeps to the moment in 0.44 and declines in 0.11 of nine each.
_COPYING, _MOMENTS, _DECLINING = 0.8, 0.8, 0.7
_LEAST_ITEMS = 8  # fewer decide nothing
_PATIENCE = 3  # times the budget that a slow machine may take for them
_MOST_FROM_TREE = 16
_PARTS = 4
_KINDS = 3  # of questions on timed notes
_FACT_TOKENS = 40
_ANSWER_TOKENS = 32
_ACTION = re.compile(r"^\W*action\W*?\s*(-?\d+)\b", re.I | re.M)


@dataclass(frozen=True, slots=True)
class Item:
    """A question, four parts of a document, and which of them (0-based) answers it."""

    question: str
    parts: tuple[str, ...]
    gold: int


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many came out right."""

    right: int = 0
    of: int = 0

    @property
    def value(self) -> float:
        """The share, 0 of nothing."""
        return self.right / self.of if self.of else 0.0

    def plus(self, right: bool) -> Share:
        """Count one more."""
        return Share(self.right + right, self.of + 1)

    def __str__(self) -> str:
        return f"{self.value:.2f} of {self.of}"


@dataclass(frozen=True, slots=True)
class Capability:
    """What a model showed in the test, the tier that follows, and why in words.

    ``triage`` is by scored letters where the model gives scores, else by spoken action with no
    reason; ``reasoned`` is by spoken action after a reason, ``retrieval`` the nearest part by text
    vectors on the same items. ``accepts`` are right passages said to answer, ``refuses`` wrong ones
    said not to. On several timed notes of a video ``copies`` are answers with the right note's
    time, word or value, ``keeps`` those about a given moment, ``declines`` questions that no note
    answers and of which the model says so.
    """

    model: str
    tier: Tier
    why: str
    scores: bool
    items: int
    elapsed_s: float
    format: Share = Share()
    triage: Share = Share()
    retrieval: Share = Share()
    reasoned: Share = Share()
    accepts: Share = Share()
    refuses: Share = Share()
    extraction: Share = Share()
    copies: Share = Share()
    keeps: Share = Share()
    declines: Share = Share()

    def as_json(self) -> dict[str, Any]:
        """Give it as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Capability:
        """Read it from what ``as_json`` gave.

        Raises:
            TypeError: these are other values.
        """
        values: dict[str, Any] = {
            key: Share(**one) if isinstance(one, dict) else one for key, one in data.items()
        }
        return cls(**values)

    @property
    def passed(self) -> frozenset[Measure]:
        """The measures that reach their bar; too few items reach none."""
        spoken = self.reasoned.of >= _LEAST_ITEMS
        bars: dict[Measure, bool] = {
            "format": _enough(self.format, _FORMAT),
            "triage": _enough(self.triage, _TRIAGE) and self.triage.value > self.retrieval.value,
            "reason": spoken and self.reasoned.value >= self.triage.value,
            "refusal": _enough(self.accepts, _REFUSAL) and _enough(self.refuses, _REFUSAL),
            "extraction": _enough(self.extraction, _EXTRACTION),
            "copying": _enough(self.copies, _COPYING),
            "moments": _enough(self.keeps, _MOMENTS),
            "declining": _enough(self.declines, _DECLINING),
        }
        return frozenset(name for name, passed in bars.items() if passed)

    @property
    def may_answer(self) -> bool:
        """Whether it may answer from several pieces of evidence at once, whatever its tier."""
        return {"copying", "moments", "declining"} <= self.passed

    @property
    def answering(self) -> str:
        """Say whether it may answer from several pieces of evidence, and why."""
        figures = (
            f"right value copied {self.copies} (needs {_COPYING}), right moment kept to"
            f" {self.keeps} (needs {_MOMENTS}), no answer given where there is none"
            f" {self.declines} (needs {_DECLINING})"
        )
        if self.may_answer:
            return f"It answers well from several pieces of evidence: {figures}."
        few = min(self.copies.of, self.keeps.of, self.declines.of) < _LEAST_ITEMS
        why = "too little was tried" if few else "below the bar"
        return f"It phrases one piece of evidence at a time, several are {why}: {figures}."


NO_MODEL = Capability("", "D", "No language model is there; findings are quoted.", False, 0, 0.0)


def samples() -> list[Item]:
    """Give the shipped items: each sample's four questions, the parts in an order of their own."""
    items = []
    for number, sample in enumerate(SAMPLES):
        for gold, (_, question) in enumerate(sample):
            turn = -number % _PARTS  # every place is right as often as any other
            order = [*range(turn, _PARTS), *range(turn)]
            parts = tuple(sample[at][0] for at in order)
            items.append(Item(question, parts, order.index(gold)))
    return items


def items_from(tree: Tree, read: Read) -> list[Item]:
    """Make items of a person's own document, without a model.

    The parts are the first sentences of a passage and of three far away from it in the document,
    the question every other one of the keywords of that passage's.
    """
    leaves = [child for node in tree.nodes if node.level == 1 for child in node.children]
    if len(leaves) < 2 * _PARTS:
        return []
    step = max(1, len(leaves) // _MOST_FROM_TREE)
    items = []
    for turn, at in enumerate(range(0, len(leaves), step)):
        far = [leaves[(at + k * len(leaves) // _PARTS) % len(leaves)] for k in range(1, _PARTS)]
        gold = turn % _PARTS
        order = [*far[:gold], leaves[at], *far[gold:]]
        told = telling_sentences([read(leaf) for leaf in order], per_text=1)
        words = keywords(" ".join(told[gold])).split()[::2]
        if len(words) < 3:
            continue
        parts = tuple(" ".join(sentences) for sentences in told)
        items.append(Item(f"What is said about {', '.join(words)}?", parts, gold))
    return items[:_MOST_FROM_TREE]


def try_out(
    model: LanguageModel,
    encode: Callable[[Sequence[str]], Features],
    *,
    own: Sequence[Item] = (),
    own_moments: Sequence[Asked] = (),
    budget_s: float = 60.0,
    clock: Callable[[], float] = time.monotonic,
) -> Capability:
    """Put a model to the test, on the shipped items and a person's own, for about ``budget_s``.

    Every measure is taken on one item, and each kind of question asked of timed notes once, before
    the next item is begun, so that a slow model is judged by fewer items, not by fewer measures; it
    gets up to three times as long for the fewest items that decide anything. What a model plainly
    cannot do is not tried to the end. ``encode`` gives vectors [N, D], L2-normalised, for what
    retrieval alone would choose.

    Raises:
        ChatModelUnavailable: the model failed.
    """
    began = clock()
    found = Capability(model.name, "C", "", Voice(model).scorer is not None, 0, 0.0)
    timed = _rounds(moments(), own_moments)
    for item, questions in zip_longest(_mixed(samples(), own), timed):
        patience = 1 if found.items >= _LEAST_ITEMS else _PATIENCE
        if clock() - began > budget_s * patience:
            break
        if item is not None:
            found = _tried(found, Voice(model), item, encode)
        for asked in questions or ():
            found = _answered(found, Voice(model), asked)
    found = replace(found, elapsed_s=round(clock() - began, 1))
    tier, why = _tier(found)
    return replace(found, tier=tier, why=why)


def _mixed(ours: Sequence[Item], own: Sequence[Item]) -> Iterator[Item]:
    """Take in turns, so that both kinds are there however early the test ends."""
    for at in range(max(len(ours), len(own))):
        yield from chain(ours[at : at + 1], own[at : at + 1])


def _rounds(ours: Sequence[Asked], own: Sequence[Asked]) -> Iterator[Sequence[Asked]]:
    """Give one shipped question of each kind at a time, and one of a person's own."""
    for at in range(max(len(ours) // _KINDS, len(own))):
        yield [*ours[_KINDS * at : _KINDS * (at + 1)], *own[at : at + 1]]


def _tried(
    so_far: Capability,
    voice: Voice,
    item: Item,
    encode: Callable[[Sequence[str]], Features],
) -> Capability:
    """Take all measures on one item."""
    query, gold = Query(item.question), item.gold
    parts = voice.fit_all(item.parts, item.question)
    if voice.scorer:
        liked, _ = voice.choose(item.question, parts)
        chosen = int(np.argmax(liked))
    else:
        plain = _action(voice, query, parts, reason=False)
        chosen = -1 if plain is None else plain
    vectors = encode([item.question, *parts])
    nearest = int(np.argmax(vectors[1:] @ vectors[0]))
    wrong = parts[gold - 1]
    if not _hopeless(so_far.format, _FORMAT):
        spoken = _action(voice, query, parts, reason=True)
        so_far = replace(
            so_far,
            format=so_far.format.plus(spoken is not None),
            reasoned=so_far.reasoned.plus(spoken == gold),
        )
    if not _hopeless(so_far.extraction, _EXTRACTION):
        copied = _copies(voice, parts[gold])
        so_far = replace(so_far, extraction=so_far.extraction.plus(copied))
    return replace(
        so_far,
        items=so_far.items + 1,
        triage=so_far.triage.plus(chosen == gold),
        retrieval=so_far.retrieval.plus(nearest == gold),
        accepts=so_far.accepts.plus(_answers(voice, query, parts[gold])),
        refuses=so_far.refuses.plus(not _answers(voice, query, wrong)),
    )


def _answered(so_far: Capability, voice: Voice, asked: Asked) -> Capability:
    """Count one question on timed notes, unless its kind is beyond the model."""
    share, bar = _OF_KIND[asked.kind](so_far)
    if _hopeless(share, bar):
        return so_far
    messages = prompts.told(asked.question, [str(note) for note in asked.notes])
    share = share.plus(asked.is_answered_by(voice.say(messages, max_tokens=_ANSWER_TOKENS)))
    if asked.kind == "copy":
        return replace(so_far, copies=share)
    if asked.kind == "moment":
        return replace(so_far, keeps=share)
    return replace(so_far, declines=share)


_OF_KIND: Mapping[Kind, Callable[[Capability], tuple[Share, float]]] = {
    "copy": lambda found: (found.copies, _COPYING),
    "moment": lambda found: (found.keeps, _MOMENTS),
    "absent": lambda found: (found.declines, _DECLINING),
}


def _action(voice: Voice, query: Query, parts: Sequence[str], *, reason: bool) -> int | None:
    """Give the part named in a free reply; None where no legal action is named."""
    messages = prompts.triage(query, "", parts, may_go_back=False, reason=reason)
    named = _ACTION.findall(voice.say(messages))
    return int(named[-1]) if named and 0 <= int(named[-1]) < len(parts) else None


def _answers(voice: Voice, query: Query, text: str) -> bool:
    """Tell whether the model finds an answer in a text: by its scores, else by what it says."""
    if voice.scorer:
        return voice.yes(query.text, text) > 0
    said = voice.say(prompts.helps(query.text, text), max_tokens=4)
    return said.lower().lstrip("\"'* ").startswith("yes")


def _copies(voice: Voice, text: str) -> bool:
    """Tell whether the model copies a fact: three parts, every word and number out of the text."""
    first = voice.say(prompts.fact(text), max_tokens=_FACT_TOKENS).partition("\n")[0]
    parts = [part.strip() for part in first.strip("| ").split("|")]
    known = set(re.findall(r"\w+", text.lower()))
    said = re.findall(r"\w+", " ".join(parts).lower())
    return len(parts) == 3 and all(parts) and set(said) <= known


def _hopeless(share: Share, bar: float) -> bool:
    """Tell whether a measure is so far below its bar that trying on would waste the time."""
    return share.of >= _LEAST_ITEMS and share.value < bar / 2


def _enough(share: Share, bar: float) -> bool:
    return share.of >= _LEAST_ITEMS and share.value >= bar


def _tier(found: Capability) -> tuple[Tier, str]:
    """Give the tier by the table of §6.1, and the figures that decided."""
    passed = found.passed
    if {"format", "triage", "reason", "refusal"} <= passed:
        return "A", f"It triages and reasons well: {_figures(found)}."
    if found.scores and {"triage", "refusal"} <= passed:
        return "B", f"Its probabilities choose well, its words do not: {_figures(found)}."
    if found.items < _LEAST_ITEMS:
        return "C", f"Only {found.items} items were tried in {found.elapsed_s:.0f} s: too few."
    lacking = [name for name in ("format", "triage", "refusal") if name not in passed]
    return "C", f"It may not choose ({', '.join(lacking)} below the bar): {_figures(found)}."


def _figures(found: Capability) -> str:
    return (
        f"legal replies {found.format} (needs {_FORMAT}); right part {found.triage} (needs"
        f" {_TRIAGE} and more than retrieval's {found.retrieval.value:.2f}), with a reason"
        f" {found.reasoned.value:.2f}; right passages accepted {found.accepts}, wrong ones refused"
        f" {found.refuses.value:.2f} (both need {_REFUSAL})"
    )

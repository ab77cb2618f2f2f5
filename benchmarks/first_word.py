"""Knows how long a language model takes to its first word, and what keeping prompts saves.

``python -m benchmarks.first_word [--llm NAME] [--quick]``: made notes of several lengths are asked
about. Progress goes to stderr; the last thing on stdout is one JSON object. Compare figures only
within one run: other work on the machine changes them all.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from memqa.prompts import answer_messages
from models import catalog
from models.ports import LanguageModel, OptionScorer
from models.specs import EMBEDDED
from models.values import Message

_LENGTHS_TOKENS = (100, 300, 600, 1200)
_REPEATS = 3
_QUESTIONS = (
    "When did the depot open?",
    "How many trains went there in a day?",
    "Who kept the north yard?",
)


def main() -> None:
    """Time every length, cold and warm, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--llm", default=EMBEDDED, help="name of the language model")
    parser.add_argument("--quick", action="store_true", help="two lengths, once each")
    args = parser.parse_args()
    started = time.perf_counter()
    model = catalog.language_model(args.llm)
    load_s = time.perf_counter() - started
    _tell(f"{model.name} loaded in {load_s:.2f} s")
    list(model.stream([Message("user", "Hello")], max_tokens=1))
    lengths = _LENGTHS_TOKENS[:2] if args.quick else _LENGTHS_TOKENS
    made = itertools.count()
    figures = [
        _figures(model, tokens, made, 1 if args.quick else _REPEATS)
        for tokens in lengths
        if tokens < model.context_tokens * 0.8
    ]
    print(
        json.dumps(
            {
                "model": model.name,
                "context_tokens": model.context_tokens,
                "cpus": os.cpu_count(),
                "load_s": round(load_s, 2),
                "lengths": figures,
            }
        )
    )


def _figures(
    model: LanguageModel, tokens: int, made: Iterator[int], repeats: int
) -> dict[str, Any]:
    """Give the medians for notes of about so many tokens, other notes at each repeat."""
    rounds = [_round(model, _notes(model, tokens, next(made))) for _ in range(repeats)]
    figures = {
        "prompt_tokens": _length(model, _notes(model, tokens, next(made))),
        **{name: round(float(np.median([r[name] for r in rounds])), 3) for name in rounds[0]},
    }
    figures["read_tokens_per_s"] = round(figures["prompt_tokens"] / figures["cold_s"], 1)
    _tell(" ".join(f"{name} {figure}" for name, figure in figures.items()))
    return figures


def _round(model: LanguageModel, notes: Sequence[str]) -> dict[str, float]:
    """Ask about new notes, then about the same, then again after another prompt came between."""
    first, second, third = _QUESTIONS
    times = {
        "cold_s": _first_word_s(model, answer_messages(first, notes)),
        "same_notes_s": _first_word_s(model, answer_messages(second, notes)),
    }
    if isinstance(model, OptionScorer):
        model.score(answer_messages(first, ()), ["in 1911", "in 1954"], per_token=True)
    else:
        list(model.stream(answer_messages(first, ()), max_tokens=1))
    times["same_notes_after_another_prompt_s"] = _first_word_s(model, answer_messages(third, notes))
    return times


def _first_word_s(model: LanguageModel, messages: Sequence[Message]) -> float:
    started = time.perf_counter()
    reply = model.stream(messages, max_tokens=8)
    next(reply, None)
    taken = time.perf_counter() - started
    list(reply)
    return taken


def _notes(model: LanguageModel, tokens: int, seed: int) -> list[str]:
    """Make notes that no earlier call made, cut to about so many tokens."""
    years = np.random.default_rng(seed).integers(1700, 2000, 200)
    notes: list[str] = []
    for place, year in enumerate(years):
        notes.append(f"Set {seed}, note {place}: the depot's yard {place} opened in {year}.")
        if model.count_tokens("\n".join(notes)) >= tokens:
            break
    return notes


def _length(model: LanguageModel, notes: Sequence[str]) -> int:
    asked = answer_messages(_QUESTIONS[0], notes)
    return model.count_tokens("\n".join(message.content for message in asked))


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

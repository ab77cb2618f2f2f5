"""The command ``demo``: the whole way in a minute, with the sample media that travel in memqa."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from memqa import examples
from memqa.cli import exits, words
from memqa.cli import index as indexing
from memqa.cli.options import AsJson, Home, open_library

if TYPE_CHECKING:
    from memqa.library import Library

QUESTIONS = (
    ("something seen", "When are the water bottles shown?"),
    ("something said", "What should my fellow Americans ask?"),
    ("the document", "Which Wikipedia dump does HOVER use?"),
)


def demo(context: typer.Context, home: Home = None, as_json: AsJson = False) -> None:
    """Index a sample video and a sample PDF, and ask three questions about them.

    Works in a folder of its own that is gone afterwards, unless --home names one to keep.

    \b
    Examples:
      memqa demo
      memqa demo --home ~/memqa-demo
    """
    with ExitStack() as stack:
        chosen = home or context.obj
        if chosen is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="memqa-demo-"))
            chosen = Path(folder)
        library = stack.enter_context(open_library(context, chosen))
        code = _remember(library, as_json=as_json)
        if code == exits.DONE:
            for topic, question in QUESTIONS:
                _answer(library, topic, question, as_json=as_json)
    raise typer.Exit(code)


def _remember(library: Library, *, as_json: bool) -> int:
    """Take in both samples; the exit code says how that went."""
    outcomes = []
    # Here, so that the models are loaded once for this and for the questions.
    for outcome in indexing.run(library, [examples.VIDEO, examples.DOCUMENT], by=0):
        if as_json:
            words.print_json(outcome.as_json())
        else:
            print(words.outcome_line(outcome), flush=True)
        outcomes.append(outcome)
    return exits.code_of_batch(outcomes)


def _answer(library: Library, topic: str, question: str, *, as_json: bool) -> None:
    answer = library.ask(question)
    if as_json:
        words.print_json({"question": question, **answer.as_json()})
        return
    print(f"\nAsked about {topic}: {question}")
    words.print_answer(answer)

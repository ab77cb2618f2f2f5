"""The command ``tier``: what the language model may decide, and the test that finds out."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from memqa.cli import words
from memqa.cli.options import AsJson, Home, open_library


def tier(
    context: typer.Context,
    test: Annotated[
        bool, typer.Option("--test", help="Find out now; takes a while.", show_default=False)
    ] = False,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long to test.")] = 60.0,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Say what the language model may decide, from A (it leads the walk) to D (it is not used).

    And whether it may answer from several places at once, such as the moments of a video.

    \b
    Examples:
      memqa tier
      memqa tier --test
      MEMQA_TIER=C memqa ask "What is the budget?"
    """
    with open_library(context, home) as library:
        if test:
            print(f"testing the language model for about {seconds:.0f} s …", file=sys.stderr)
            found = library.test_model(budget_s=seconds)
            if as_json:
                words.print_json(found.as_json() | {"may_answer": found.may_answer})
                return
        name, why = library.tier()
        may_answer, because = library.may_answer()
    if as_json:
        told = {"tier": name, "why": why, "may_answer": may_answer, "may_answer_why": because}
        words.print_json(told)
    else:
        print(f"tier {name}\n{why}\nanswers from {'several places' if may_answer else 'one place'}")
        if because != why:
            print(because)

"""The command ``doctor``: is everything in place."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from memqa.cli import exits, words
from memqa.cli.options import AsJson, Home, open_library

_MARKS = {"ok": "ok     ", "note": "note   ", "problem": "PROBLEM"}


def doctor(
    context: typer.Context,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Mend what is damaged in the library, and say what cannot be.",
            show_default=False,
        ),
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Check that everything is in place: models, packages, the disk, and a library that is whole.

    Leaves with 3 where something is missing. Needs no network; loads no model,
    unless a repair has to make vectors anew.

    \b
    Examples:
      memqa doctor
      memqa doctor --repair
      memqa doctor --json
    """
    with open_library(context, home) as library:
        found = library.doctor(whole=True, repair=repair)
    if as_json:
        words.print_json([asdict(check) for check in found])
    else:
        for check in found:
            print(f"{_MARKS[check.finding]}  {check.name:24} {words.plain(check.detail)}")
            if check.remedy:
                print(f"         {'':24} to do: {words.plain(check.remedy)}")
    if any(check.finding == "problem" for check in found):
        raise typer.Exit(exits.SETUP_AT_FAULT)

"""The command ``doctor``: is everything in place."""

from __future__ import annotations

from dataclasses import asdict

import typer

from memqa.cli import exits, words
from memqa.cli.options import AsJson, Home, open_library

_MARKS = {"ok": "ok     ", "note": "note   ", "problem": "PROBLEM"}


def doctor(context: typer.Context, home: Home = None, as_json: AsJson = False) -> None:
    """Check that everything is in place: models, packages, the library's folder, the disk.

    Leaves with 3 where something is missing. Loads no model and needs no network.

    \b
    Examples:
      memqa doctor
      memqa doctor --json
    """
    with open_library(context, home) as library:
        found = library.doctor()
    if as_json:
        words.print_json([asdict(check) for check in found])
    else:
        for check in found:
            print(f"{_MARKS[check.finding]}  {check.name:24} {check.detail}")
            if check.remedy:
                print(f"         {'':24} to do: {check.remedy}")
    if any(check.finding == "problem" for check in found):
        raise typer.Exit(exits.SETUP_AT_FAULT)

"""The command ``settings``: what is set, where it comes from, and where to set it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from memqa.cli import exits, words
from memqa.cli.options import AsJson, Home


def settings(
    context: typer.Context,
    is_all: Annotated[
        bool, typer.Option("--all", help="Those left as they are, too.", show_default=False)
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show what is set, where it comes from, and where the settings file lies.

    A flag wins over the environment, that over the file. The file is TOML; MEMQA_CONFIG names
    another one. In the environment two underscores stand between the parts of a name.

    \b
    Examples:
      memqa settings --all
      MEMQA_VIDEO__FRAMES_PER_S=2 memqa settings
      memqa settings --json
    """
    from memqa import effective
    from memqa.whereabouts import config_path

    found = effective.effective(home or context.obj)
    for note in effective.strange_variables():
        exits.complain(f"note: {note}")
    path = config_path()
    if as_json:
        told = {"file": str(path), "settings": [asdict(one) for one in found]}
        words.print_json(told)
        return
    there = "" if path.exists() else " (not there yet)"
    print(f"settings file: {words.printable(str(path))}{there}")
    shown = [one for one in found if is_all or one.source != "default"]
    rows = [(one.name, words.printable(str(one.value)), one.source, one.variable) for one in shown]
    if rows:
        words.print_table(("setting", "value", "from", "variable"), rows)
    else:
        print("all settings are as they come; memqa settings --all shows them")

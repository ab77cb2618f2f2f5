"""The command ``reindex``: what other models made than those in use is made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from memqa.cli import exits, words
from memqa.cli.options import AsJson, Home, open_library
from memqa.cli.progress import display, stopped_by_ctrl_c

if TYPE_CHECKING:
    from memqa.reindex import Reindexed


def reindex(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MEDIA",
            help="Id, start of an id, file name, path or collection; else all that need it.",
            show_default=False,
        ),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Bring files up to date after a change of models: only what the new models see otherwise.

    Another text encoder needs no file: the stored texts are encoded. Another picture encoder needs
    the video's file, whose pictures alone are decoded. Another transcriber or text reader takes the
    file in again as a whole. `memqa list` shows what is by other models.

    Ctrl-C stops cleanly, and the next run goes on there.

    \b
    Examples:
      memqa reindex
      memqa reindex talk.mp4 report.pdf
      MEMQA_MODELS__TEXT_ENCODER=NAME memqa reindex --json
    """
    outcomes: list[Reindexed] = []
    with open_library(context, home) as library, stopped_by_ctrl_c() as wish, display() as shown:
        from memqa.reindex import chosen as chosen_of

        chosen = chosen_of(library, names or None)
        titles = [
            words.printable(one.name if len(chosen) == 1 else f"[{n}/{len(chosen)}] {one.name}")
            for n, one in enumerate(chosen, 1)
        ]
        shown.begin(titles[0] if titles else "")
        found = library.reindex(names or None, on_progress=shown.update, should_stop=wish.is_set)
        for number, outcome in enumerate(found, 1):
            shown.begin(titles[number] if number < len(titles) else "")
            outcomes.append(outcome)
            if as_json:
                words.print_json(outcome.as_json())
            else:
                print(words.reindexed_line(outcome), flush=True)
    if not outcomes and not as_json:
        typer.echo("All is up to date with the models in use.", err=True)
    raise typer.Exit(exits.code_of_batch(outcomes))

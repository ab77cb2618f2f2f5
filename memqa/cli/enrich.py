"""The command ``enrich``: a language model that passed its test shortens the summaries of files."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from memqa.cli import words
from memqa.cli.options import AsJson, Home, open_library
from memqa.cli.progress import display, stopped_by_ctrl_c

if TYPE_CHECKING:
    from memqa.enrich import Enriched


def enrich(
    context: typer.Context,
    names: Annotated[
        list[str],
        typer.Argument(metavar="ID_OR_PATH...", help="Id, start of an id, file name or path."),
    ],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Let the language model shorten the summaries of files, where it passed `memqa tier --test`.

    Each of its sentences is checked: what the file does not say is dropped, and where nothing is
    left the extract stays. Ctrl-C stops cleanly, and the next run goes on there.

    \b
    Examples:
      memqa enrich report.pdf
      memqa enrich talk.mp4 3fa9c1 --json
    """
    with open_library(context, home) as library, stopped_by_ctrl_c() as wish, display() as shown:
        # All names are looked up first: a wrong one must not cost the others' time.
        for media in {media.id: media for media in map(library.show, names)}.values():
            shown.begin(words.printable(media.name))
            made = library.enrich(media.id, on_progress=shown.update, should_stop=wish.is_set)
            shown.begin("")
            if as_json:
                words.print_json({"id": media.id, "path": media.path, **asdict(made)})
            else:
                print(f"{words.printable(media.path)}  {_told(made)}", flush=True)


def _told(made: Enriched) -> str:
    return (
        f"{made.rewritten} of {made.rewritten + made.kept} summaries in the model's words, "
        f"{made.dropped_sentences} sentences dropped"
    )

"""The command ``enrich``: what the models in use can add to files, captions and summaries."""

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
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=0,
            metavar="N",
            help="Write at most N captions a video.",
            show_default=False,
        ),
    ] = None,
    budget_minutes: Annotated[
        float | None,
        typer.Option(
            "--budget-minutes",
            min=0,
            metavar="MINUTES",
            help="Spend about so long on the captions of a video.",
            show_default=False,
        ),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Let the models in use say more of files: captions of videos, shorter summaries of all.

    A model that sees describes the events of a video, spread over its whole length where a limit
    ends the run early. A language model that passed `memqa tier --test` shortens summaries; each of
    its sentences is checked: what the file does not say is dropped, and where nothing is left the
    extract stays. Ctrl-C stops cleanly, and the next run goes on there.

    \b
    Examples:
      memqa enrich report.pdf
      memqa enrich talk.mp4 3fa9c1 --json
      memqa enrich film.mp4 --budget-minutes 10
    """
    budget_s = None if budget_minutes is None else 60 * budget_minutes
    with open_library(context, home) as library, stopped_by_ctrl_c() as wish, display() as shown:
        # All names are looked up first: a wrong one must not cost the others' time.
        for media in {media.id: media for media in map(library.show, names)}.values():
            shown.begin(words.printable(media.name))
            made = library.enrich(
                media.id,
                most_captions=limit,
                budget_s=budget_s,
                on_progress=shown.update,
                should_stop=wish.is_set,
            )
            shown.begin("")
            if as_json:
                words.print_json({"id": media.id, "path": media.path, **asdict(made)})
            else:
                print(f"{words.printable(media.path)}  {_told(made)}", flush=True)


def _told(made: Enriched) -> str:
    summaries = f"{made.rewritten} of {made.rewritten + made.kept} summaries in the model's words"
    told = [f"{summaries}, {made.dropped_sentences} sentences dropped"]
    if events := made.captions + made.without_caption:
        told.append(f"{made.captions} of {events} events with a caption")
    return "; ".join([*told, *map(words.printable, made.notes)])

"""The commands ``ask`` and ``search``: a question goes in, an answer and its places come out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from memqa.cli import words
from memqa.cli.options import AsJson, Home, OfMedia, ask_of, open_library, seconds
from memqa.stale import search_notes
from memqa.values import Answer, Step, Token

if TYPE_CHECKING:
    from rich.live import Live


class Mode(StrEnum):
    """Whether a question is about a whole media or about one moment of it."""

    auto = "auto"
    whole = "global"
    moment = "moment"


def ask(
    context: typer.Context,
    question: Annotated[
        str, typer.Argument(metavar="QUESTION", help="What you want to know, in your own words.")
    ],
    media: OfMedia = None,
    at: Annotated[
        str | None,
        typer.Option(metavar="SECONDS", help="Ask as of this time (751 or 12:31) of a video."),
    ] = None,
    mode: Annotated[Mode, typer.Option(help="The whole media, or one moment.")] = Mode.auto,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="One of several possible answers. Repeat for each."),
    ] = None,
    walk: Annotated[
        bool, typer.Option("--walk", help="Show how it was found.", show_default=False)
    ] = False,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="NODE",
            help="Look below this branch of the walk only, as --walk names it: n2-1, or of several"
            " files report.pdf:n2-1.",
        ),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Ask a question; get an answer, how far to trust it, and the places it rests on.

    \b
    Examples:
      memqa ask "What did she say about the budget?"
      memqa ask "What is on the table?" --media talk.mp4 --at 12:31
      memqa ask "How much was net revenue?" -m report.pdf --json
      memqa ask "How much was net revenue?" -m report.pdf --walk --resume n1-3
      memqa ask "Which reports mention layoffs?" --media reports
      memqa ask "Which colour is the car?" --option red --option blue
    """
    at_s = None if at is None else seconds(at)
    with open_library(context, home) as library:
        pieces = library.stream(
            question,
            media=ask_of(library, media),
            at_s=at_s,
            mode=mode.value,
            options=option or None,
            resume=resume,
        )
        answer = last(pieces) if as_json or not sys.stdout.isatty() else watched(pieces)
    for note in answer.fallbacks:
        print(f"memqa: note: {words.plain(note)}", file=sys.stderr)
    if as_json:
        words.print_json(answer.as_json())
    else:
        words.print_answer(answer, options=option or (), steps=walk)


def search(
    context: typer.Context,
    query: Annotated[
        str, typer.Argument(metavar="QUERY", help="Words to look for, or what they mean.")
    ],
    media: OfMedia = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most this many places.")] = 10,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Find the moments and pages that fit some words; no language model is used.

    \b
    Examples:
      memqa search "red car"
      memqa search "operating income" --media report.pdf --limit 3 --json
    """
    with open_library(context, home) as library:
        wanted = library.scope(ask_of(library, media)).media_ids
        found = library.search(query, media=media or None, limit=limit)
        # Now that the encoders are loaded, all that is stale is known.
        for note in search_notes([m for m in library.media() if wanted is None or m.id in wanted]):
            print(f"memqa: note: {words.printable(note)}", file=sys.stderr)
    if as_json:
        words.print_json([item.as_json() for item in found])
        return
    for item in found:
        print(words.evidence_line(item, query))
    if not found:
        print("Nothing found.", file=sys.stderr)


def last(pieces: Iterator[Step | Token | Answer]) -> Answer:
    """Run an answer to its end without showing the way."""
    answer = None
    for piece in pieces:
        if isinstance(piece, Answer):
            answer = piece
    assert answer is not None, "a stream ends with its Answer"
    return answer


def watched(pieces: Iterator[Step | Token | Answer]) -> Answer:
    """Show steps and words as they come; what is shown is wiped for the answer proper."""
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(), transient=True, refresh_per_second=12) as screen:
        return last(_shown(pieces, screen))


def _shown(
    pieces: Iterator[Step | Token | Answer], screen: Live
) -> Iterator[Step | Token | Answer]:
    from rich.text import Text

    text = ""
    for piece in pieces:
        if isinstance(piece, Token):
            text += piece.text
            screen.update(Text(words.plain(text)))
        elif isinstance(piece, Step) and not text:
            screen.update(Text(words.plain(f"… {piece.name}: {piece.detail}"), style="dim"))
        yield piece

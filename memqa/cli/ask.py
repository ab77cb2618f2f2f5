"""The commands ``ask`` and ``search``: a question goes in, an answer and its places come out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from memqa.calls import Ask, Found, Note, Reply, Search
from memqa.cli import exits, words
from memqa.cli.options import AsJson, Home, OfMedia, replies_to, seconds
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
    call = Ask(
        question,
        media=tuple(media) if media else None,
        at_s=None if at is None else seconds(at),
        mode=mode.value,
        options=tuple(option) if option else None,
        resume=resume,
    )
    pieces = _after_notes(replies_to(context, home, call))
    answer = last(pieces) if as_json or not sys.stdout.isatty() else watched(pieces)
    for note in answer.fallbacks:
        print(f"memqa: note: {words.printable(note)}", file=sys.stderr)
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
    call = Search(query, media=tuple(media) if media else None, limit=limit)
    (found,) = _after_notes(replies_to(context, home, call))
    assert isinstance(found, Found), "a search ends with what it found"
    if as_json:
        words.print_json([item.as_json() for item in found.evidence])
        return
    for item in found.evidence:
        print(words.evidence_line(item, query))
    if not found.evidence:
        print("Nothing found.", file=sys.stderr)


def _after_notes(replies: Iterator[Reply]) -> Iterator[Reply]:
    """Say the notes that come first on stderr; give what comes after them."""
    for reply in replies:
        if not isinstance(reply, Note):
            return chain([reply], replies)
        exits.complain(f"note: {reply.text}")
    return iter(())


def last(pieces: Iterator[Reply]) -> Answer:
    """Run an answer to its end without showing the way."""
    answer = None
    for piece in pieces:
        if isinstance(piece, Answer):
            answer = piece
    assert answer is not None, "a stream ends with its Answer"
    return answer


def watched(pieces: Iterator[Reply]) -> Answer:
    """Show steps and words as they come; what is shown is wiped for the answer proper."""
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(), transient=True, refresh_per_second=12) as screen:
        return last(_shown(pieces, screen))


def _shown(pieces: Iterator[Reply], screen: Live) -> Iterator[Reply]:
    from rich.text import Text

    text = ""
    for piece in pieces:
        if isinstance(piece, Token):
            text += piece.text
            screen.update(Text(words.plain(text)))
        elif isinstance(piece, Step) and not text:
            screen.update(Text(words.plain(f"… {piece.name}: {piece.detail}"), style="dim"))
        yield piece

"""The options that several commands share, and how a command opens the library they name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memqa.cli import exits
from memqa.homes import home_named

if TYPE_CHECKING:
    from memqa.calls import Call, Reply
    from memqa.library import Library

_CLOCK = re.compile(r"(?:(?P<h>\d+):)?(?P<m>\d{1,2}):(?P<s>[0-5]?\d(?:\.\d+)?)")

Home = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        parser=home_named,
        help="The library to use: a folder, or an address like s3://BUCKET/PREFIX (default:"
        " MEMQA_HOME, else your user data folder).",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.", show_default=False)]
OfMedia = Annotated[
    list[str] | None,
    typer.Option(
        "--media",
        "-m",
        metavar="NAME",
        help="Only this media: id, start of an id, file name or path; or the media of this"
        " collection. May be repeated.",
        show_default=False,
    ),
]


def open_library(context: typer.Context, home: Path | None) -> Library:
    """Open the library named by the command's own ``--home``, else by the one before it."""
    import memqa

    return memqa.open(home or context.obj)


def ask_of(library: Library, media: list[str] | None) -> list[str] | None:
    """Give the media named, and say on stderr where a name could mean a collection as well."""
    for note in library.scope(media or None).notes:
        exits.complain(f"note: {note}")
    return media or None


def replies_to(context: typer.Context, home: Path | None, call: Call) -> Iterator[Reply]:
    """Have a memqa that keeps the library open already reply, else the library opened here."""
    from memqa import door

    # What more there is to say with --verbose is only said in this process.
    is_verbose = bool(context.find_root().params.get("verbose"))
    answered = None if is_verbose else door.knock(home or context.obj, call)
    return _replies_here(context, home, call) if answered is None else answered


def _replies_here(context: typer.Context, home: Path | None, call: Call) -> Iterator[Reply]:
    from memqa.calls import replies

    with open_library(context, home) as library:
        yield from replies(library, call)


def seconds(text: str) -> float:
    """Read a time as ``751``, ``12:31`` or ``1:02:11.5``.

    Raises:
        typer.BadParameter: the text is no time.
    """
    try:
        found = _CLOCK.fullmatch(text.strip())
        value = (
            int(found["h"] or 0) * 3600 + int(found["m"]) * 60 + float(found["s"])
            if found
            else float(text)
        )
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise typer.BadParameter(f"{text!r} is no time; write seconds (751) or a clock (12:31).")
    return value

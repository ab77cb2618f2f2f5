"""The commands ``export`` and ``import``: a library, or some media, as a folder for elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memqa.cli import exits, words
from memqa.cli.options import AsJson, Home, open_library
from memqa.cli.progress import display, stopped_by_ctrl_c

if TYPE_CHECKING:
    from memqa.carried import Carried


def export(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make.")],
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MEDIA",
            help="Id, start of an id, file name, path or collection; else the whole library.",
            show_default=False,
        ),
    ] = None,
    with_files: Annotated[
        bool,
        typer.Option(
            "--with-files",
            help="Copy the files too, to play and show them there.",
            show_default=False,
        ),
    ] = False,
    with_chats: Annotated[
        bool,
        typer.Option(
            "--with-chats", help="Copy the chats about these media too.", show_default=False
        ),
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write media as one folder that another machine opens.

    Without any named, the whole library. There, `memqa import DIR` takes it into a library, and
    `memqa --home DIR …` opens it as one; do that only with a folder that you trust, since only an
    import checks what is in it. Collections go with their media; the places of the files on this
    machine are kept in it. An earlier export of the same is replaced, any other folder has to be
    empty or new.

    \b
    Examples:
      memqa export /media/stick/lectures
      memqa export talk-for-ada talk.mp4 slides.pdf --with-files
      memqa export backup --with-files --with-chats --json
    """
    started = time.monotonic()
    with open_library(context, home) as library, stopped_by_ctrl_c() as wish, display() as shown:
        shown.begin("export")
        outcomes = library.export(
            folder,
            names or None,
            with_files=with_files,
            with_chats=with_chats,
            on_progress=shown.update,
            should_stop=wish.is_set,
        )
        shown.begin("")
    for outcome in outcomes:
        _tell(outcome, as_json=as_json)
    _tell_sum(outcomes, started, as_json=as_json)
    if not as_json and any(one.status == "exported" for one in outcomes):
        print(f"to open it elsewhere: memqa import {words.printable(folder.name)}")
    raise typer.Exit(_code(outcomes))


def import_(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder that `memqa export` made.")
    ],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take in what `memqa export` wrote on another machine. What is known already stays as it is.

    What is in the folder is checked, media by media; one that is at fault does not stop the others.
    Files that came with it are copied into the library; where none came, its memories can be asked
    all the same. Media that other models indexed are as after a change of models: `memqa reindex`.

    \b
    Examples:
      memqa import /media/stick/lectures
      memqa --home ~/lectures import talk-for-ada --json
    """
    started = time.monotonic()
    outcomes: list[Carried] = []
    with open_library(context, home) as library, stopped_by_ctrl_c() as wish, display() as shown:

        def tell(outcome: Carried) -> None:
            outcomes.append(outcome)
            shown.begin("import")
            _tell(outcome, as_json=as_json)

        shown.begin("import")
        try:
            library.import_from(
                folder, on_outcome=tell, on_progress=shown.update, should_stop=wish.is_set
            )
        finally:  # what was taken in stays, whatever ended the run
            shown.begin("")
            if outcomes:
                _tell_sum(outcomes, started, as_json=as_json)
        stale = sum(bool(one.stale) for one in library.media())
    if stale:
        exits.complain(
            f"note: {stale} media here were indexed with other models than those in use; bring "
            "them up to date: memqa reindex"
        )
    raise typer.Exit(_code(outcomes))


def _tell(outcome: Carried, *, as_json: bool) -> None:
    if as_json:
        words.print_json(outcome.as_json())
    else:
        print(_line(outcome), flush=True)


def _tell_sum(outcomes: Sequence[Carried], started: float, *, as_json: bool) -> None:
    counts = Counter(outcome.status for outcome in outcomes)
    if as_json:
        elapsed_s = round(time.monotonic() - started, 3)
        words.print_json({"summary": {"media": len(outcomes), **counts, "elapsed_s": elapsed_s}})
    elif len(outcomes) > 1:
        print(", ".join(f"{many} {status}" for status, many in counts.items()))


def _line(outcome: Carried) -> str:
    name = words.printable(outcome.path)
    if outcome.error is not None:
        return f"{outcome.status:9} {name}: {words.printable(str(outcome.error))}"
    media = outcome.media
    known = [words.length(media), f"{media.memories} memories"] if media else []
    known += ["with its file"] if outcome.with_file else []
    line = f"{outcome.status:9} {name}  {', '.join(filter(None, known))}"
    return "\n".join([line, *(f"          note: {words.printable(one)}" for one in outcome.notes)])


def _code(outcomes: Sequence[Carried]) -> int:
    failed = [one for one in outcomes if one.error is not None]
    if len(failed) == len(outcomes) == 1 and failed[0].error is not None:
        return exits.code_of(failed[0].error)
    return exits.FAILED if failed else exits.DONE

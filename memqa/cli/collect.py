"""The commands about collections: ``collect``, ``collections``, ``uncollect``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from memqa.cli import words
from memqa.cli.options import AsJson, Home, open_library

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memqa.values import Collection, Media

_NAME = typer.Argument(metavar="NAME", help="The collection's name; capitals do not matter.")
_MEDIA = typer.Argument(
    metavar="MEDIA...", help="Id, start of an id, file name or path; or another collection."
)
_SOME_MEDIA = typer.Argument(
    metavar="MEDIA...", help="What to take out of it; without any, the collection goes."
)


def collect(
    context: typer.Context,
    name: Annotated[str, _NAME],
    media: Annotated[list[str], _MEDIA],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Put media into a collection, to ask them together; it is made where there is none.

    Its name then goes wherever a file's name goes: after --media. A file of that name comes first.

    \b
    Examples:
      memqa collect reports annual.pdf quarter.pdf
      memqa collect reports talk.mp4
      memqa ask "Which reports mention layoffs?" --media reports
    """
    with open_library(context, home) as library:
        found = library.collect(name, media)
        by_id = {item.id: item for item in library.media()}
    _tell(found, by_id, as_json=as_json)


def collections(context: typer.Context, home: Home = None, as_json: AsJson = False) -> None:
    """List the collections and what is in them.

    \b
    Examples:
      memqa collections
      memqa collections --json
    """
    with open_library(context, home) as library:
        found = library.collections()
        by_id = {item.id: item for item in library.media()}
    if as_json:
        words.print_json([asdict(one) for one in found])
        return
    for one in found:
        _tell(one, by_id, as_json=False)
    if not found:
        typer.echo("There is no collection. Make one: memqa collect NAME FILE", err=True)


def uncollect(
    context: typer.Context,
    name: Annotated[str, _NAME],
    media: Annotated[list[str] | None, _SOME_MEDIA] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take media out of a collection, or remove the collection. The media stay remembered.

    \b
    Examples:
      memqa uncollect reports quarter.pdf
      memqa uncollect reports
    """
    with open_library(context, home) as library:
        found = library.uncollect(name, media or None)
        by_id = {item.id: item for item in library.media()}
    if as_json:
        words.print_json(asdict(found))
    elif media:
        _tell(found, by_id, as_json=False)
    else:
        print(f"removed {words.printable(found.name)}; its media are still remembered")


def _tell(found: Collection, by_id: Mapping[str, Media], *, as_json: bool) -> None:
    if as_json:
        words.print_json(asdict(found))
        return
    many = len(found.media_ids)
    gone = f", {found.missing} no longer in the library" if found.missing else ""
    print(f"{words.printable(found.name)}  {many} {'file' if many == 1 else 'files'}{gone}")
    for media in (by_id[one] for one in found.media_ids if one in by_id):
        short, kind, length, *_ = words.media_row(media)
        print(f"  {short}  {kind:8}  {length:>7}  {words.printable(media.name)}")

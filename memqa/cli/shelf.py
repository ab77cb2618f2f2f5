"""The commands about what is remembered: ``list``, ``show``, ``forget``, ``stats``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memqa.cli import words
from memqa.cli.account import print_account, print_attention
from memqa.cli.options import AsJson, Home, open_library
from memqa.stale import indexed_with_others
from models.values import clock

if TYPE_CHECKING:
    from docmem.tree import SummaryNode, Tree
    from memqa.values import Media

_TITLES = {
    "duration_s": "length",
    "tables_bytes": "memory",
    "uploads_bytes": "uploads",
    "spare_bytes": "older versions",
    "indexed": "vectors indexed",
    "recall": "search by meaning",
}
_ID = typer.Argument(metavar="ID", help="Id, start of an id, file name or path.")


def list_media(context: typer.Context, home: Home = None, as_json: AsJson = False) -> None:
    """List what the library remembers.

    \b
    Examples:
      memqa list
      memqa list --json
    """
    with open_library(context, home) as library:
        media = library.media()
    if as_json:
        words.print_json([asdict(item) for item in media])
    elif media:
        titles = ("id", "kind", "length", "state", "path")
        words.print_table(titles, [words.media_row(item) for item in media])
    else:
        typer.echo("This library is empty. Add something: memqa index FILE", err=True)


def show(
    context: typer.Context,
    name: Annotated[str, _ID],
    memory: Annotated[
        bool,
        typer.Option(
            "--memory",
            help="Also what is remembered: the picture memory's elements, and the outline.",
            show_default=False,
        ),
    ] = False,
    density: Annotated[
        str | None,
        typer.Option(metavar="QUESTION", help="Also where in a video a question's attention lies."),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show what is known of one file, and what its memory holds.

    \b
    Examples:
      memqa show talk.mp4
      memqa show 3fa9c1 --memory
      memqa show talk.mp4 --density "water bottle"
    """
    with open_library(context, home) as library:
        media = library.show(name)
        # a video that is still being watched has no outline yet
        is_whole = media.status in ("indexed", "partial")
        tree = library.outline(media.id) if memory and is_whole else None
        account = library.memory(media.id) if memory and media.kind == "video" else None
        spread = None if density is None else library.density(density, media=media.id)
    if as_json:
        more: dict[str, Any] = {"outline": _outline(tree)} if tree else {}
        more |= {"memory": account.as_json()} if account else {}
        more |= {} if spread is None else {"density": [asdict(one) for one in spread]}
        words.print_json(asdict(media) | more)
        return
    _print_media(media)
    if account is not None:
        print_account(account)
    if tree is not None:
        _print_outline(tree)
    if spread is not None:
        print_attention(spread)


def forget(
    context: typer.Context,
    names: Annotated[list[str], _ID],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Forget media: every memory of them leaves the disk. The files themselves stay untouched.

    What was uploaded lies in the library alone, and goes with it.

    \b
    Examples:
      memqa forget talk.mp4
      memqa forget 3fa9c1 77b0e2
    """
    from memqa.uploads import is_upload

    with open_library(context, home) as library:
        # All names are looked up first: a wrong one must not leave the job half done.
        chosen = {media.id: media for media in map(library.show, names)}
        for media_id, media in chosen.items():
            library.forget(media_id)
            if not as_json:
                is_own = is_upload(library.home, Path(media.path))
                told = ", and deleted its upload" if is_own else ""
                print(f"forgot {words.printable(media.path)}{told}")
    if as_json:
        words.print_json({"forgotten": list(chosen)})


def stats(context: typer.Context, home: Home = None, as_json: AsJson = False) -> None:
    """Say how much is remembered and how much room it takes.

    \b
    Examples:
      memqa stats
    """
    with open_library(context, home) as library:
        figures = asdict(library.stats())
    if as_json:
        words.print_json(figures)
        return
    for name, value in figures.items():
        print(f"{_TITLES.get(name, name):24} {_figure(name, value)}")


def _figure(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_figure(name, part)}" for key, part in value.items()) or "none"
    if name == "duration_s":
        return clock(value)
    if name == "recall":
        found = "finds {:.1%} of what is nearest, as measured when its index was made"
        return "exact" if value is None else found.format(value)
    return words.size(value) if "bytes" in name and isinstance(value, int | float) else str(value)


def _outline(tree: Tree) -> dict[str, Any]:
    return {"root": tree.root, "nodes": [asdict(node) for node in tree.nodes]}


def _print_media(media: Media) -> None:
    facts = {
        "id": media.id,
        "path": media.path,
        "kind": media.kind,
        "length": words.length(media),
        "state": words.state(media),
        "memories": str(media.memories),
        "size": words.size(media.bytes),
        "method": media.method,
        "added": media.added_at,
        "error": media.error or "",
    }
    for name, value in facts.items():
        if value:
            print(words.printable(f"{name:9} {value}"))
    for note in (*media.notes, *filter(None, [indexed_with_others(media)])):
        print(f"note      {words.printable(note)}")


def _print_outline(tree: Tree) -> None:
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree as Branches

    nodes = {node.id: node for node in tree.nodes}

    def entry(node: SummaryNode) -> Text:
        where = "" if node.id == tree.root else f"{words.place(node.locator)}  "
        by = f"  (written by {node.written_by})" if node.written_by else ""
        return Text(words.plain(f"{where}{node.text}{by}"))

    def grow(node_id: str, branches: Branches) -> None:
        for child in nodes[node_id].children:
            if child in nodes:
                node = nodes[child]
                grow(child, branches.add(entry(node)))

    if tree.root in nodes:
        top = Branches(entry(nodes[tree.root]))
        grow(tree.root, top)
        Console().print(top)

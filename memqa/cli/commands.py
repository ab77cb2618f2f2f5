"""Which commands there are, a line each; a command's module is imported when it is called.

So ``memqa --help``, completion in the shell and every other command pay for none of them.
"""

from __future__ import annotations

import importlib
from typing import Any

import typer
from typer.core import TyperGroup

# Each with where its function (or Typer) lies, and the first sentence of its own help.
COMMANDS = {
    "index": ("index:index", "Watch, hear and read files, and remember them."),
    "ask": (
        "ask:ask",
        "Ask a question; get an answer, how far to trust it, and the places it rests on.",
    ),
    "search": (
        "ask:search",
        "Find the moments and pages that fit some words; no language model is used.",
    ),
    "list": ("shelf:list_media", "List what the library remembers."),
    "show": ("shelf:show", "Show what is known of one file, and what its memory holds."),
    "enrich": (
        "enrich:enrich",
        "Let the models in use say more of files: captions of videos, shorter summaries of all.",
    ),
    "reindex": (
        "reindex:reindex",
        "Bring files up to date after a change of models: only what the new models see otherwise.",
    ),
    "forget": ("shelf:forget", "Forget media: every memory of them leaves the disk."),
    "collect": (
        "collect:collect",
        "Put media into a collection, to ask them together; it is made where there is none.",
    ),
    "collections": ("collect:collections", "List the collections and what is in them."),
    "uncollect": (
        "collect:uncollect",
        "Take media out of a collection, or remove the collection.",
    ),
    "chat": (
        "chat:chat",
        "Ask question after question; each may lean on those before, and the chat is kept.",
    ),
    "watch": (
        "watch:watch",
        "Index what lies in a folder, then whatever arrives in it or changes, until Ctrl-C.",
    ),
    "export": (
        "carry:export",
        "Write the library, or some media of it, as one folder that another machine opens.",
    ),
    "import": ("carry:import_", "Take in what `memqa export` wrote on another machine."),
    "stats": ("shelf:stats", "Say how much is remembered and how much room it takes."),
    "models": (
        "models:models",
        "List the models that can be used, which are in use (*), and what each one needs.",
    ),
    "doctor": (
        "doctor:doctor",
        "Check that everything is in place: models, packages, the library's folder, the disk.",
    ),
    "tier": (
        "tier:tier",
        "Say what the language model may decide, from A (it leads the walk) to D (it is not used).",
    ),
    "serve": (
        "doctor:serve",
        "Open the web page: the same library, with a player and a page viewer.",
    ),
    "demo": (
        "demo:demo",
        "Index a sample video and a sample PDF, and ask three questions about them.",
    ),
}


class CommandsOnCall(TyperGroup):
    """A group whose commands stand there by name and help; the one that is called is imported."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        """Find the command that is called, or whose options a shell wants to complete."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command if name is None else loaded(name), rest


def loaded(name: str) -> Any:
    """Import a command and give it as Typer's own command; Any, for its class is Typer's affair."""
    module, _, attribute = COMMANDS[name][0].partition(":")
    found = getattr(importlib.import_module(f"memqa.cli.{module}"), attribute)
    if isinstance(found, typer.Typer):
        return typer.main.get_command(found)
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(name)(found)
    return typer.main.get_command(alone)


def announce(app: typer.Typer) -> None:
    """Put the commands into the app's help and under its completion."""
    for name, (_, sentence) in COMMANDS.items():
        app.command(name, help=sentence)(_called_by_its_name)


def _called_by_its_name() -> None:
    raise AssertionError("a command is imported before it is called")

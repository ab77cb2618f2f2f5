"""Which commands there are, a line each; a command's module is imported when it is called.

So ``memqa --help``, completion in the shell and every other command pay for none of them.
"""

from __future__ import annotations

import importlib
from typing import Any

import typer
from typer.core import TyperGroup

# Each with where its function (or Typer) lies, and a line that is not cut off in 80 columns.
COMMANDS = {
    "index": ("index:index", "Watch, hear and read files, and remember them."),
    "ask": ("ask:ask", "Ask a question: an answer, and the places it rests on."),
    "search": ("ask:search", "Find moments and pages by words; no language model is used."),
    "chat": ("chat:chat", "Ask question after question, in a chat that is kept."),
    "list": ("shelf:list_media", "List what the library remembers."),
    "show": ("shelf:show", "Show what is known of one file, and what its memory holds."),
    "forget": ("shelf:forget", "Forget media: every memory of them leaves the disk."),
    "watch": ("watch:watch", "Index what arrives in a folder, until Ctrl-C."),
    "collect": ("collect:collect", "Put media into a collection, to ask them together."),
    "collections": ("collect:collections", "List the collections and what is in them."),
    "uncollect": ("collect:uncollect", "Take media out of a collection, or remove it."),
    "export": ("carry:export", "Write media as one folder that another machine opens."),
    "import": ("carry:import_", "Take in what `memqa export` wrote on another machine."),
    "models": ("models:models", "List the models there are, fetch them, put them in use."),
    "enrich": ("enrich:enrich", "Let the models describe videos and shorten summaries."),
    "reindex": ("reindex:reindex", "Bring files up to date after a change of models."),
    "tier": ("tier:tier", "Say what the language model may decide, from A to D."),
    "settings": ("settings:settings", "Show what is set, and where it comes from."),
    "stats": ("shelf:stats", "Say how much is remembered and how much room it takes."),
    "doctor": ("doctor:doctor", "Check that everything is in place."),
    "serve": ("serve:serve", "Open the web page: the same library, with a player."),
    "users": ("serve:users", "List, add and remove who may log in to the web page."),
    "demo": ("demo:demo", "Index two sample files and ask three questions of them."),
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

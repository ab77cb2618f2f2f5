"""The command ``chat``: question after question, each leaning on those before.

At a terminal it has a line editor with history; fed from a pipe or a file it reads a question a
line. The models are loaded once, while the person types the first question.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from memqa.chats import is_visitors
from memqa.cli import exits, words
from memqa.cli.options import AsJson, Home, OfMedia, open_library, seconds
from memqa.doorkeeper import open_door
from memqa.warm import warm_up
from models.errors import InputError, MemqaError

if TYPE_CHECKING:
    from memqa.cli.talk import Talk
    from memqa.library import Library

_MOST_NAME_CHARACTERS = 80


def chat(
    context: typer.Context,
    media: OfMedia = None,
    at: Annotated[
        str | None,
        typer.Option(metavar="SECONDS", help="Ask as of this time (751 or 12:31) of a video."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--chat",
            metavar="NAME",
            help="Go on with this chat: its name, or its first question; made where there is none.",
            show_default=False,
        ),
    ] = None,
    last: Annotated[
        bool,
        typer.Option("--last", help="Go on with the chat used last.", show_default=False),
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Ask question after question, in a chat that is kept.

    Each may lean on those before. Type /help in it for what else it can do. Fed from a pipe it
    answers a question a line.

    \b
    Examples:
      memqa chat
      memqa chat --media talk.mp4 --chat budget
      memqa chat --last
      memqa chat --json < questions.txt
    """
    at_s = None if at is None else seconds(at)
    with open_library(context, home) as library:
        if not library.media():
            raise InputError(
                f"the library {library.where} is empty; add something first: memqa index FILE"
            )
        chosen = _chat_of(library, name, is_last=last)
        from memqa.cli.talk import Talk

        talk = Talk(library, chosen, media, at_s=at_s, as_json=as_json)
        if sys.stdin.isatty():
            with open_door(library):
                _converse(library, talk, chosen)
            return
        raise typer.Exit(_read(talk))


def _chat_of(library: Library, name: str | None, *, is_last: bool) -> str:
    """Find the chat that is meant, by its name or its first question; a new one has a new name."""
    if name is not None and is_last:
        raise InputError("--chat and --last name two chats; give one of them")
    kept = library.chats() if name is not None or is_last else []
    # Whoever else has chats by the page would read what is asked in one of theirs.
    own = [one for one in kept if not is_visitors(one.id)]
    if is_last:
        if not own:
            raise InputError("there is no chat yet to go on with; start one: memqa chat")
        return own[0].id
    if name is None:
        return uuid4().hex[:12]
    fitting = [one.id for one in kept if name == one.id] or [
        one.id for one in own if name.casefold() == one.title.casefold()
    ]
    if fitting:
        return fitting[0]
    if not name.strip() or not name.isprintable() or len(name) > _MOST_NAME_CHARACTERS:
        raise InputError(
            f"{name!r} cannot name a chat; give up to {_MOST_NAME_CHARACTERS} printable characters"
        )
    return name


def _read(talk: Talk) -> int:
    """Answer what comes in, a line each; give the exit code of the last that could not be."""
    code = exits.DONE
    for line in sys.stdin:
        try:
            if not talk.say(line):
                break
        except MemqaError as error:
            exits.complain(str(error))
            code = exits.code_of(error)
    return code


def _converse(library: Library, talk: Talk, chosen: str) -> None:
    """Talk with a person at a terminal until they leave."""
    turns = len(library.turns(chosen))
    media = library.media()
    before = f", going on after {turns} question{'s' if turns != 1 else ''}" if turns else ""
    print(f"Ask about {talk.asked}{before}. /help says what else, Ctrl-D leaves.", file=sys.stderr)
    warm_up(library)
    with _stopped_by_ctrl_c(talk):
        for line in _lines(library.home, [*talk.commands, "/quit"], [one.name for one in media]):
            try:
                if not talk.say(line):
                    return
            except KeyboardInterrupt:
                kept = "is kept in the chat" if talk.is_kept() else "is not kept"
                exits.complain(f"stopped; the answer {kept}. Ctrl-D leaves.")
            except MemqaError as error:
                exits.complain(str(error))


@contextmanager
def _stopped_by_ctrl_c(talk: Talk) -> Iterator[None]:
    """Have Ctrl-C end the answer, not the conversation."""

    def stop(number: int, frame: FrameType | None) -> None:
        talk.stopped.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _lines(home: Path, commands: list[str], names: list[str]) -> Iterator[str]:
    """Yield what a person types, with history (Ctrl-R, arrow keys) kept for the next time."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
    from prompt_toolkit.completion import WordCompleter
    from prompt_toolkit.history import FileHistory

    plain = [words.printable(name) for name in names]
    session: PromptSession[str] = PromptSession(
        history=FileHistory(str(_history(home))),
        auto_suggest=AutoSuggestFromHistory(),
        completer=WordCompleter([*commands, *plain], WORD=True),
        complete_while_typing=False,
    )
    while True:
        try:
            yield session.prompt("> ")
        except KeyboardInterrupt:
            continue  # clears the line, as a shell does
        except EOFError:
            return


def _history(home: Path) -> Path:
    """Give the file of earlier questions, which nobody else on this machine may read."""
    path = home / "chat_history"
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    path.chmod(0o600)
    return path

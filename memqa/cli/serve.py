"""The commands ``serve`` and ``users``: open the web page, and say who may log in to it."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

from memqa.cli import exits
from memqa.cli.options import Home
from models.errors import InputError


def serve(
    context: typer.Context,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 opens it to your network.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 7860,
    auth: Annotated[
        str | None,
        typer.Option(
            metavar="USER[:PASSWORD]",
            help="Let one person log in. Without a password it is asked for; MEMQA_AUTH says the"
            " same, and stands in no list of processes.",
        ),
    ] = None,
    auth_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Let the users in a file log in, each with chats of their own; see memqa users.",
        ),
    ] = None,
    open_to_all: Annotated[
        bool,
        typer.Option(
            "--open-to-all", help="Let everyone in who reaches --host.", show_default=False
        ),
    ] = False,
    cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Serve by TLS: the certificate.")
    ] = None,
    key: Annotated[Path | None, typer.Option(metavar="FILE", help="Serve by TLS: its key.")] = None,
    home: Home = None,
) -> None:
    """Open the web page: the same library, with a player and a page viewer.

    It listens to this machine only. To open it to a network, name who may log in, or say that
    everyone may. SECURITY.md tells what visitors can and cannot do.

    \b
    Examples:
      memqa serve
      memqa serve --port 8080 --auth ada
      memqa serve --host 0.0.0.0 --auth-file team.txt --cert cert.pem --key key.pem
    """
    from memqa import ui
    from memqa.ui.terms import Terms

    terms = Terms(host, port, auth, auth_file, open_to_all, cert, key)
    ui.launch(home or context.obj, terms)


def users(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="The file of users; --add makes it where there is none."
        ),
    ],
    add: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Add a user, or give one another password; asks for it."),
    ] = None,
    remove: Annotated[str | None, typer.Option(metavar="NAME", help="Remove a user.")] = None,
) -> None:
    """List, add and remove who may log in to the web page.

    Only hashes of the passwords are written. A running page goes on with the users that it began
    with. With a pipe at its input, the password is the first line of it.

    \b
    Examples:
      memqa users team.txt --add ada
      memqa users team.txt
      memqa users team.txt --remove ada
    """
    from memqa import users as accounts

    known = accounts.read(file) if file.exists() or not add else {}
    if add and any(one != add and one.casefold() == add.casefold() for one in known):
        raise InputError(f"there is a user of that name in {file}, written otherwise")
    if remove and remove not in known:
        raise InputError(f"there is no user {remove!r} in {file}")
    if add:
        known[add] = accounts.checked(add, _new_password(add))
    if remove:
        del known[remove]
    if add or remove:
        accounts.write(file, known)
        exits.complain(f"kept in {file}; a page that is being served takes it when it starts anew.")
    else:
        for name in known:
            print(name)


def _new_password(name: str) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass(f"New password for {name}: ")
    if getpass.getpass("Once more: ") != password:
        raise InputError("the two differ; nothing was changed")
    return password

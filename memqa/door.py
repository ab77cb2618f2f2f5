"""The door of a library that another process has open: where it is, and how one knocks on it.

A process that keeps a library open and its models warm (the page's server, a chat, a watcher)
answers other processes of the same person, which then need to load nothing. The door is a Unix
socket in a folder that only this person can enter (``whereabouts.private_folder``); the socket
itself has mode 0600. Nobody else on the machine can knock, nothing listens on a network, and what
goes over it is JSON, a line a message. ``doorkeeper.py`` opens it.

The socket's name says whose door it is: the library's folder, the settings (``MEMQA_*`` and the
settings file) and the code. Who runs with others finds no door and goes its own way.

So does, without a word, whoever runs on Windows, where there is no door; whoever asks a model on
another machine, since that something is sent there is said where it is asked; and whoever has a
model named by a path that starts from the folder one is in. ``memqa chat`` opens a door only where
a person types: fed by a pipe it opens none.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO

from memqa.calls import Call, Reply, as_json, read
from memqa.homes import home_named
from memqa.store.lock import locked
from memqa.whereabouts import (
    AUTH_VARIABLE,
    CONFIG_VARIABLE,
    config_path,
    default_home,
    private_folder,
)
from models import errors

MOST_BYTES = 2**20  # of a call; a longer one is answered at home
_VERSION = 1  # of what is said at the door
_MOST_PATH_BYTES = 100  # a socket's path must fit into 104 bytes on macOS, 108 on Linux
_PARTS = ("memqa", "models", "vidmem", "docmem")
_ASIDE = ("ui", "cli", "notebook", "__pycache__")  # folders whose code answers nothing
_HOME = "MEMQA_HOME"
# As the library's folder, as the file's bytes, and not at all: it says nothing of answers.
_TOLD_OTHERWISE = (_HOME, CONFIG_VARIABLE, AUTH_VARIABLE)
_TAKEN_WITHIN_S = 2.0  # a process that is stopped, or all too busy, is not waited for
_REPLY_WITHIN_S = 600.0


def place_of(home: Path, *, make: bool = False) -> Path | None:
    """Say where the door of a library is, open or not; None where there can be none.

    With ``make`` its folder is made.
    """
    folder = private_folder(make=make) if hasattr(socket, "AF_UNIX") else None
    if folder is None:
        return None
    try:
        place = folder / f"{_key(home)}.sock"
    except OSError:  # an upgrade is under way
        return None
    return place if len(os.fsencode(place)) <= _MOST_PATH_BYTES else None


def lock_of(place: Path) -> Path:
    """Say which file a process holds locked for as long as it keeps the door."""
    return place.with_suffix(".lock")


def home_of(named: Path | None) -> Path | None:
    """Say which library is meant, without reading all settings; None where they are not readable.

    The order is that of ``settings.load``.

    Raises:
        SetupError: what is named is an address, and cannot be one.
    """
    home: str | Path | None = named
    if home is None:
        by_variable = {name.upper(): value for name, value in os.environ.items()}
        home = by_variable[_HOME] if _HOME in by_variable else _home_in_file()
    with suppress(OSError, RuntimeError):
        return home_named(home) if home is not None else None
    return None


def knock(named: Path | None, call: Call) -> Iterator[Reply] | None:
    """Have the process behind the door answer; None where there is none, or it will not.

    The replies come as the library gives them, and raise what it raised. Who stops reading them
    stops the work.

    Raises:
        BackendError: the other process ended in mid-answer.
    """
    home = home_of(named)
    place = place_of(home) if home is not None else None
    if place is None or not place.exists():
        return None
    try:
        line = json.dumps({**as_json(call), "from": os.getcwd()}).encode() + b"\n"
        return _spoken(place, line) if len(line) <= MOST_BYTES else None
    except ConnectionRefusedError:
        sweep(place)
    except (OSError, ValueError):
        pass  # it ended, does not answer, or says what we do not understand: go our own way
    return None


def sweep(place: Path) -> bool:
    """Remove the door that a dead process left; say whether there is none now."""
    with locked(lock_of(place)) as is_dead:
        if is_dead:
            place.unlink(missing_ok=True)
            lock_of(place).unlink(missing_ok=True)
    return is_dead


def _spoken(place: Path, line: bytes) -> Iterator[Reply] | None:
    """Say the call; give the replies to come once it is taken on, None where it is refused."""
    visit = socket.socket(socket.AF_UNIX)
    try:
        visit.settimeout(_TAKEN_WITHIN_S)
        visit.connect(str(place))
        visit.sendall(line)
        heard = visit.makefile("rb")
        is_taken = "taken" in json.loads(heard.readline() or b"{}")
    except BaseException:
        visit.close()
        raise
    if not is_taken:
        visit.close()
        return None
    visit.settimeout(_REPLY_WITHIN_S)
    return _heard(visit, heard)


def _heard(visit: socket.socket, heard: IO[bytes]) -> Iterator[Reply]:
    """Read replies to the last one."""
    with visit, heard:
        while True:
            try:
                data = json.loads(heard.readline())
            except (OSError, ValueError) as exc:
                raise errors.BackendError(
                    "The memqa that keeps this library open stopped in mid-answer. Ask again."
                ) from exc
            if "end" in data:
                return
            if "error" in data:
                raise _error(*data["error"])
            yield read(data)


def _error(name: str, text: str) -> errors.MemqaError:
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, errors.MemqaError):
        return kind(text)
    return errors.BackendError(text)


def _home_in_file() -> str | Path | None:
    import tomllib

    try:
        found = tomllib.loads(config_path().read_text(encoding="utf-8")).get("home")
    except FileNotFoundError:
        return default_home()
    except (OSError, ValueError):  # whoever loads the settings says what is wrong
        return None
    return default_home() if found is None else str(found)


def _key(home: Path) -> str:
    """Tell a library, the settings it runs with, and the code that runs it, from all others."""
    settings = sorted(
        (name.upper(), value)
        for name, value in os.environ.items()
        if name.upper().startswith("MEMQA_") and name.upper() not in _TOLD_OTHERWISE
    )
    try:
        file = config_path().read_bytes()
    except OSError:
        file = b""
    told = [_VERSION, str(home), settings, file.hex(), *_code()]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:24]


@cache
def _code() -> tuple[str, int, int]:
    """Tell the code that answers from all other: where it lies, its files and their times.

    It is looked at once, for a process keeps the code that it began with.
    """
    root = Path(__file__).parents[1]
    folders, many, times_ns = [str(root / part) for part in _PARTS], 0, 0
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.name.endswith(".py"):
                    many, times_ns = many + 1, times_ns + entry.stat().st_mtime_ns
                elif entry.name not in _ASIDE and entry.is_dir():
                    folders.append(entry.path)
    return str(root), many, times_ns

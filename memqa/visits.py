"""Answers who knocks at the door of a library: hears a call, checks it, and says what comes of it.

Whoever knocks may do no more than a person at the command line: a call is checked, of bounded size,
and must come soon.
"""

from __future__ import annotations

import json
import logging
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memqa import settings
from memqa.calls import CALLS, Ask, Call, replies, unforeseen, written
from memqa.door import MOST_BYTES
from models.errors import BackendError, MemqaError, SetupError
from models.specs import Server, parse

if TYPE_CHECKING:
    from memqa.library import Library

log = logging.getLogger(__name__)

_CALL_WITHIN_S = 5.0
_HEARD_WITHIN_S = 30.0  # who does not read a reply for so long has gone
_MOST_VISITS = 16  # at once


def is_as_set(library: Library) -> bool:
    """Say whether a library opened now, by anyone of this person, would have the same settings."""
    try:
        return settings.load(home=library.home) == library.settings
    except (SetupError, OSError):  # whoever opens it now is told what is wrong
        return False


def taken_on(library: Library, call: Call, where: str) -> Call | None:
    """Give a call as it reads from here; None where whoever makes it should answer it alone.

    ``where`` is the folder that it is made from: paths start there.
    """
    if not is_as_set(library):
        return None
    names = library.settings.models
    speaking = filter(None, (names.language_model, names.captioner))
    models = [parse("language_model", name) for name in speaking]
    if isinstance(call, Ask) and any(isinstance(m, Server) and not m.is_here for m in models):
        return None  # that something is sent to another machine is said where it is asked
    rows = library.store.read.media_rows() if call.media else ()
    known = {path for row in rows for path in (row.media.path, *row.aliases)}
    media = []
    for name in call.media or ():
        here, there = _path(Path(), name), _path(Path(where), name)
        is_other = here != there and bool(known & {here, there})
        if is_other and (there not in known or library.store.collections.find(name)):
            return None
        media.append(there if is_other else name)
    return replace(call, media=tuple(media) or None)


def _path(folder: Path, name: str) -> str:
    """Read a name as a path from a folder; empty where it can be none."""
    with suppress(OSError, RuntimeError, ValueError):
        return str((folder / Path(name).expanduser()).resolve())
    return ""


def _call_of(line: bytes) -> tuple[Call, str]:
    """Read a call, and the folder it is made from; raises ValueError where it is none."""
    from pydantic import TypeAdapter

    data = json.loads(line)
    if not isinstance(data, dict) or data.get("call") not in CALLS:
        raise ValueError("no call")
    where, kind = str(data.pop("from", "")), CALLS[data.pop("call")]
    call: Call = TypeAdapter(kind).validate_python(data)
    return call, where


def _line(visit: socket.socket) -> bytes:
    """Hear one line, to its end, in time and of bounded size; raises OSError without it."""
    until, heard = time.monotonic() + _CALL_WITHIN_S, bytearray()
    while b"\n" not in heard:
        left_s = until - time.monotonic()
        if left_s <= 0 or len(heard) > MOST_BYTES:
            raise TimeoutError("no call came")
        visit.settimeout(left_s)
        part = visit.recv(2**16)
        if not part:
            raise ConnectionError("gone before the call was made")
        heard += part
    return bytes(heard.partition(b"\n")[0])


class _HungUp(Exception):
    """Whoever knocked is gone, or reads nothing any more."""


if sys.platform != "win32":

    class Keeper(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        """Lets in so many at once; who comes beyond that is sent away, and goes alone."""

        daemon_threads = True
        block_on_close = False
        request_queue_size = _MOST_VISITS

        def __init__(self, library: Library, place: Path) -> None:
            self.library = library
            self._place = place
            self._chairs = threading.Semaphore(_MOST_VISITS)
            super().__init__(str(place), _Visit)

        def server_bind(self) -> None:
            """Take the place, for this person alone."""
            super().server_bind()
            self._place.chmod(0o600)  # until then its folder alone keeps others out

        def process_request(self, request: Any, client_address: Any) -> None:
            """Let in who comes, while there is a chair."""
            if self._chairs.acquire(blocking=False):
                super().process_request(request, client_address)
            else:
                self.shutdown_request(request)

        def process_request_thread(self, request: Any, client_address: Any) -> None:
            """Answer, and give the chair back."""
            try:
                super().process_request_thread(request, client_address)
            finally:
                self._chairs.release()

    class _Visit(socketserver.BaseRequestHandler):
        """One call and its replies."""

        request: socket.socket
        server: Keeper

        def handle(self) -> None:
            try:
                call, where = _call_of(_line(self.request))
            except (OSError, ValueError) as exc:
                log.info("no call at the door: %s", exc)
                return
            self.request.settimeout(_HEARD_WITHIN_S)
            with suppress(_HungUp):
                self._answer(call, where)

        def _answer(self, call: Call, where: str) -> None:
            library = self.server.library
            try:
                taken = taken_on(library, call, where)
                if taken is None:
                    self._say({"refused": True})
                    return
                self._say({"taken": True})
                with closing(replies(library, taken)) as pieces:
                    for piece in pieces:
                        self._say(written(piece))
                self._say({"end": True})
            except MemqaError as exc:
                self._say({"error": [type(exc).__name__, str(exc)]})
            except _HungUp:
                raise
            except Exception as exc:  # it must reach whoever waits, not end the door
                log.exception("unexpected at the door")
                self._say({"error": [BackendError.__name__, unforeseen(exc)]})

        def _say(self, message: Mapping[str, Any]) -> None:
            try:
                self.request.sendall(json.dumps(message).encode() + b"\n")
            except OSError as exc:
                raise _HungUp from exc

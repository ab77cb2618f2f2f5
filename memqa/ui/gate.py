"""What may be asked of the server at all, and what one request, and one visitor, may cost.

The page needs few of the addresses that Gradio opens; the others, with which one could reach into
another's session or queue work, are not there.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memqa.ui.limits import AtOnce, Often, in_words
from memqa.ui.uploads import IDLE_S, sweep
from memqa.ui.visitors import visitor
from memqa.ui.words import size

if TYPE_CHECKING:
    from memqa.library import Library
    from memqa.ui.places import Places

_FILE = "/gradio_api/file="
_CALL = frozenset({"/gradio_api/component_server", "/gradio_api/component_server/"})
_UPLOAD = "/gradio_api/upload"
_READ = re.compile(
    r"/|/(assets|static|svelte)/.+|(/gradio_api)?/theme\.css|/robots\.txt"
    r"|/gradio_api/(startup-events|file=.+)"
)
_MOST_CALL_BYTES = 16_000_000  # a piece of a recording is the largest
_FRAME_BYTES = 1_000_000  # of what stands around a file that is sent
_CALL_WITHIN_S = 120.0
_CALLS = (1200, 60.0)
_CALLS_AT_ONCE = 24
_UPLOADS = (60, 60.0)
_UPLOADS_AT_ONCE = 4


class Gate:
    """ASGI middleware in front of Gradio; ``cache`` is where what is sent arrives."""

    def __init__(self, app: ASGIApp, *, library: Library, places: Places, cache: Path) -> None:
        self._app, self._library, self._places, self._cache = app, library, places, cache
        self._calls, self._calls_at_once = Often(*_CALLS), AtOnce(_CALLS_AT_ONCE)
        self._uploads, self._uploads_at_once = Often(*_UPLOADS), AtOnce(_UPLOADS_AT_ONCE)
        self._coming_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what the page asks, within its limits; refuse all else in a sentence."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._answer(scope, receive, noted)
        except _Refusal as refusal:
            if not has_begun:
                answer = PlainTextResponse(refusal.sentence, refusal.status, refusal.headers)
                await answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        scope = {**scope, "query_string": b""}  # nothing that the page needs is asked by one
        if path in _CALL or path == _UPLOAD:
            _check_method(method, ("POST",))
            await (self._upload if path == _UPLOAD else self._call)(scope, receive, send)
        elif _READ.fullmatch(path):
            _check_method(method, ("GET", "HEAD"))
            if path.startswith(_FILE) and not self._places.shows(path.removeprefix(_FILE)):
                _refuse(404, "There is no such file on show.")
            await self._app(scope, receive, send)
        else:
            _refuse(404, "There is nothing here; the page is at /.")

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, who = Headers(scope=scope), visitor().counted_as
        if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            _refuse(415, "The page sends JSON, and only that is read here.")
        if _length(headers) > _MOST_CALL_BYTES:
            _refuse(413, "This is too much to be read at once.")
        if who:
            _wait(self._calls.take(who), "This page asks too much")
        with self._calls_at_once.one(who) as is_in:
            if who and not is_in:
                _refuse(429, "Too much is asked at once; wait for some of it to be answered.")
            read = _bounded(receive, most_bytes=_MOST_CALL_BYTES, within_s=_CALL_WITHIN_S)
            await self._app(scope, read, send)

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        who, length = visitor().counted_as, _length(Headers(scope=scope))
        most = self._library.settings.limits.max_upload_bytes
        if length > most + _FRAME_BYTES:
            _refuse(413, f"Files of up to {size(most)} are taken here.")
        await anyio.to_thread.run_sync(sweep, self._cache)
        self._check_room(length)
        if who:
            _wait(self._uploads.take(who), "Too many files are sent")
        with self._uploads_at_once.one(who) as is_in:
            if who and not is_in:
                _refuse(429, "Several files are being sent already; wait for one to arrive.")
            with self._expected(length):
                await self._app(scope, _bounded(receive, most_bytes=length), send)

    @contextmanager
    def _expected(self, length: int) -> Iterator[None]:
        self._coming_bytes += length
        try:
            yield
        finally:
            self._coming_bytes -= length

    def _check_room(self, length: int) -> None:
        """Refuse what would leave too little of the disk, with what is on its way already."""
        free = shutil.disk_usage(self._cache).free - self._coming_bytes
        if free - length < self._library.settings.limits.min_free_bytes:
            _refuse(507, "The disk of this library is nearly full; forget something first.")


class _Refusal(Exception):
    """Ends a request with a sentence for whoever made it."""

    def __init__(self, status: int, sentence: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.headers = status, sentence, headers


def _bounded(receive: Receive, *, most_bytes: int, within_s: float | None = None) -> Receive:
    """Read no more than so many bytes, none of them later than allowed."""
    come, is_whole = 0, False
    ends_at = None if within_s is None else time.monotonic() + within_s

    async def read() -> Message:
        nonlocal come, is_whole
        if is_whole:  # what is waited for now is that the browser goes away
            return await receive()
        left_s = IDLE_S if ends_at is None else min(IDLE_S, ends_at - time.monotonic())
        try:
            message = await asyncio.wait_for(receive(), max(left_s, 0.0))
        except TimeoutError:
            _refuse(408, "What was sent did not arrive in time; try again.")
        come += len(message.get("body", b""))
        is_whole = not message.get("more_body", False)
        if come > most_bytes:
            _refuse(413, "More was sent than was announced.")
        return message

    return read


def _length(headers: Headers) -> int:
    told = headers.get("content-length", "")
    if not (told.isascii() and told.isdecimal()):
        _refuse(411, "Say how long it is: Content-Length is missing.")
    return int(told)


def _check_method(method: str, allowed: tuple[str, ...]) -> None:
    if method not in allowed:
        _refuse(405, "This cannot be done here.", {"Allow": ", ".join(allowed)})


def _wait(wait_s: float, what: str) -> None:
    if wait_s > 0:
        _refuse(429, f"{what}; wait {in_words(wait_s)}.", {"Retry-After": f"{wait_s + 1:.0f}"})


def _refuse(status: int, sentence: str, headers: dict[str, str] | None = None) -> NoReturn:
    raise _Refusal(status, sentence, headers)

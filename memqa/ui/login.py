"""The way in: says of each request who is being answered, and where there are users, only them.

Without users, whoever sits at this machine is the owner; all others are told apart by a secret
that their browser is given, so that nobody reads another's chats.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import secrets
from http.cookies import SimpleCookie
from urllib.parse import parse_qs

import anyio.to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request, cookie_parser
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memqa.chats import OF_USER, OF_VISITOR
from memqa.ui import sessions
from memqa.ui.guard import is_forwarded
from memqa.ui.limits import in_words
from memqa.ui.login_page import login_html
from memqa.ui.sessions import Sessions, Tries
from memqa.ui.visitors import OWNER, Visitor, answer, household
from memqa.users import Users

log = logging.getLogger(__name__)

_MOST_FORM_BYTES = 8192
_MOST_WAITING = 16  # for a password to be looked at
_FORM_WITHIN_S = 30.0
_YEAR_S = 365 * 24 * 3600
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_STARTING = "/gradio_api/startup-events"  # what the server asks of itself before it is open


class Login:
    """ASGI middleware; ``local`` says that the page listens to this machine only."""

    def __init__(self, app: ASGIApp, *, users: Users | None, local: bool) -> None:
        self._app, self._users, self._local = app, users, local
        self._sessions, self._tries = Sessions(), Tries()
        self._one_at_a_time = asyncio.Lock()
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say who is being answered, or ask who it is."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._users is None:
            await self._let_in_anyone(scope, receive, send)
        else:
            await self._let_in_users(self._users, scope, receive, send)

    async def _let_in_anyone(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._local and not is_forwarded():
            answer(OWNER)
            await self._app(scope, receive, send)
            return
        cookie = _cookie_of("visitor", scope)
        given = _read(scope, cookie)
        secret = given if _SECRET.fullmatch(given) else secrets.token_urlsafe(32)
        key = f"{OF_VISITOR}{hashlib.sha256(secret.encode()).hexdigest()[:24]}"
        answer(Visitor(key, address=_address(scope)))

        async def send_with_secret(message: Message) -> None:
            if message["type"] == "http.response.start" and secret != given:
                header = _set(scope, cookie, secret, lives_s=_YEAR_S)
                MutableHeaders(scope=message).append("Set-Cookie", header)
            await send(message)

        await self._app(scope, receive, send_with_secret)

    async def _let_in_users(self, users: Users, scope: Scope, receive: Receive, send: Send) -> None:
        path, cookie = scope["path"], _cookie_of("session", scope)
        secret = _read(scope, cookie)
        name = self._sessions.name_of(secret)
        response: Response | None = None
        if scope["method"] == "POST" and path == "/login":
            response = await self._log_in(users, scope, receive)
        elif path == "/login":
            response = Response(status_code=303, headers={"Location": "./"})
        elif scope["method"] == "POST" and path == "/logout":
            self._sessions.end(secret)
            response = _to_the_page(_set(scope, cookie, "", lives_s=0))
        elif name is not None:
            key = f"{OF_USER}{name}" if users.are_apart else ""
            answer(Visitor(key, name, _address(scope)))
        elif path == "/":
            response = HTMLResponse(login_html(), status_code=401)
        elif path != _STARTING:
            response = PlainTextResponse("Log in first: open the page anew.", status_code=401)
        await (response or self._app)(scope, receive, send)

    async def _log_in(self, users: Users, scope: Scope, receive: Receive) -> Response:
        form = await _form(Request(scope, receive))
        name, password = form.get("name", [""])[0].strip(), form.get("password", [""])[0]
        address = _address(scope)
        if self._waiting >= _MOST_WAITING:
            return _again("Too many log in at this moment. Try again soon.", name, 503)
        self._waiting += 1
        try:
            async with self._one_at_a_time:
                if (wait_s := self._tries.wait_s(address, name)) > 0:
                    said = f"Too many tries. Wait {in_words(wait_s)}, then try again."
                    return _again(said, name, 429)
                is_theirs = await anyio.to_thread.run_sync(users.admit, name, password)
                if not is_theirs:
                    self._tries.failed(address, name)
                    log.warning("somebody at %s failed to log in", address)
                    return _again("This name and password do not go together.", name, 401)
                self._tries.succeeded(address, name)
        finally:
            self._waiting -= 1
        secret = self._sessions.begin(name)
        cookie = _cookie_of("session", scope)
        return _to_the_page(_set(scope, cookie, secret, lives_s=round(sessions.LIFE_S)))


async def _form(request: Request) -> dict[str, list[str]]:
    """Read the few fields of a form; one that is too large, slow or strange has none."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/x-www-form-urlencoded":
        return {}
    sent = b""
    try:
        async with asyncio.timeout(_FORM_WITHIN_S):
            async for piece in request.stream():
                sent += piece
                if len(sent) > _MOST_FORM_BYTES:
                    return {}
        return parse_qs(sent.decode(), max_num_fields=8)
    except (TimeoutError, ValueError):
        return {}


def _again(said: str, name: str, status: int) -> Response:
    return HTMLResponse(login_html(said, name=name[:64]), status_code=status)


def _to_the_page(cookie: str) -> Response:
    """Lead to the page by an address of its own, which a proxy may have put below its own."""
    return Response(status_code=303, headers={"Location": "./", "Set-Cookie": cookie})


def _address(scope: Scope) -> str:
    return household(scope["client"][0] if scope.get("client") else "")


def _cookie_of(what: str, scope: Scope) -> str:
    """Name a cookie; with the port, since browsers send one to all ports of a machine."""
    return f"memqa-{what}-{(scope.get('server') or ('', 0))[1]}"


def _read(scope: Scope, cookie: str) -> str:
    return cookie_parser(Headers(scope=scope).get("cookie", "")).get(cookie, "")


def _set(scope: Scope, cookie: str, value: str, *, lives_s: int) -> str:
    made: SimpleCookie = SimpleCookie({cookie: value})
    made[cookie]["httponly"], made[cookie]["samesite"] = True, "Lax"
    made[cookie]["path"], made[cookie]["max-age"] = "/", lives_s
    if scope.get("scheme") == "https":
        made[cookie]["secure"] = True
    return made[cookie].OutputString()

"""Who may talk to the page: only the page itself, and never with anyone else's help.

Gradio lets a request of a foreign web site through and only hides the answer from it; for a server
that can forget media that is not enough. The policy sent along keeps the browser from asking any
other machine for anything, whatever text a media may hold.
"""

from __future__ import annotations

import logging
import re
from contextvars import ContextVar
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memqa.ui import faults

log = logging.getLogger(__name__)

# Gradio compiles its templates at run time, hence 'unsafe-eval'.
_POLICY = "; ".join(
    (
        "default-src 'self' data: blob:",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "object-src 'none'",
        "frame-ancestors 'self'",
        "form-action 'self'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with none at all, a form would say it came from nowhere
    "Permissions-Policy": (
        "camera=(self), microphone=(self), geolocation=(), display-capture=(), payment=(), usb=()"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_ONLY_TLS = "max-age=31536000"
_CODE = ("/assets/", "/static/", "/svelte/")  # of Gradio, the same for everyone

# Gradio has two spellings for a file, and fetches either where it is an address.
_AWAY = re.compile(r"/proxy=|/file[=/]+\s*https?:", re.IGNORECASE)

# What proxies add to a request that they pass on.
_FORWARDED = re.compile(r"x-forwarded(-.*)?|forwarded|via|x-real-ip|x-client-ip")

# It reaches the threads in which the page's calls are answered: they get a copy of the context.
_is_forwarded: ContextVar[bool] = ContextVar("is_forwarded", default=False)


class Guard:
    """ASGI middleware that turns foreign requests away and sends the page's policy."""

    def __init__(self, app: ASGIApp, *, loopback_only: bool) -> None:
        self._app = app
        self._loopback_only = loopback_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403 to a request of a foreign site, under a foreign name or leading away."""
        if scope["type"] == "websocket":  # the page opens none
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, has_begun = Headers(scope=scope), False
        _is_forwarded.set(any(map(_FORWARDED.fullmatch, headers)))

        async def send_with_policy(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                _add_policy(MutableHeaders(scope=message), scope)
            await send(message)

        if leads_away(scope["path"]) or not is_welcome(headers, loopback_only=self._loopback_only):
            refusal = PlainTextResponse("This page answers only to itself.", status_code=403)
            await refusal(scope, receive, send_with_policy)
            return
        try:
            await self._app(scope, receive, send_with_policy)
        except ClientDisconnect:
            log.debug("the browser went away from %s", scope["path"])
        except Exception as exc:
            answer = _sorry(exc, scope["path"])
            if not has_begun:
                await answer(scope, receive, send_with_policy)


class NoPreflight:
    """ASGI middleware around all else, Gradio's own too: no other site is let in beforehand.

    Where the page has a name, Gradio grants any site what it asks for, with cookies and with the
    headers of proxies, which the guard has to believe.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 405 to what only another site's page makes a browser ask."""
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            refusal = PlainTextResponse("This page answers only to itself.", 405, _HEADERS)
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _add_policy(headers: MutableHeaders, scope: Scope) -> None:
    headers.update(_HEADERS)
    if not scope["path"].startswith(_CODE):
        headers["Cache-Control"] = "no-store"
    host = Headers(scope=scope).get("host", "")
    if scope.get("scheme") == "https" and not is_loopback(host.rpartition(":")[0] or host):
        headers["Strict-Transport-Security"] = _ONLY_TLS


def _sorry(error: Exception, path: str) -> PlainTextResponse:
    """Say that it went wrong; what Gradio cannot read was sent wrong, and fills no log."""
    if path.startswith("/gradio_api/") and isinstance(error, ValueError | KeyError):
        log.warning("%s was sent what cannot be read: %s", path, type(error).__name__)
        return PlainTextResponse("This cannot be read; open the page anew.", status_code=400)
    mark = faults.kept(log, f"answering {path} failed")
    said = f"Something went wrong here; the log of memqa says what, at {mark}."
    return PlainTextResponse(said, status_code=500)


def leads_away(path: str) -> bool:
    """Whether Gradio would fetch something of another machine to answer this.

    A picture in a foreign page could ask for it, and browsers send no ``Origin`` with that.
    """
    return any(_AWAY.search(one) for one in (path, unquote(path), unquote(unquote(path))))


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine only."""
    bare = host.strip("[]").lower()
    try:
        return bare == "localhost" or ip_address(bare).is_loopback
    except ValueError:  # a name, which may lead anywhere: 127.evil.test
        return False


def is_forwarded() -> bool:
    """Whether what is being answered came through a proxy, so that anyone may have asked it."""
    return _is_forwarded.get()


def is_welcome(headers: Headers, *, loopback_only: bool) -> bool:
    """Whether a request comes from the page itself, judged by ``Host`` and ``Origin``.

    A proxy on this machine names the host it was asked for in ``X-Forwarded-Host``, which no
    foreign site can set without a preflight (``NoPreflight``); whoever comes through it is a
    visitor, and nobody at this machine (``is_forwarded``). A name that was rebound to this machine
    can, so ``Host`` has to be this machine's own nevertheless.
    """
    host = headers.get("host", "")
    try:
        if loopback_only and not is_loopback(urlsplit(f"//{host}").hostname or ""):
            return False
        origin = headers.get("origin")
        asked = headers.get("x-forwarded-host") or host
        return origin is None or urlsplit(origin).netloc.lower() == asked.lower()
    except ValueError:  # no host at all, such as "["
        return False

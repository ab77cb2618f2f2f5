"""Who may talk to the page: only the page itself, and never with anyone else's help.

Gradio lets a request of a foreign web site through and only hides the answer from it; for a server
that can forget media that is not enough. The policy sent along keeps the browser from asking any
other machine for anything, whatever text a media may hold.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        _is_forwarded.set(any(map(_FORWARDED.fullmatch, headers)))
        if leads_away(scope["path"]) or not is_welcome(headers, loopback_only=self._loopback_only):
            refusal = PlainTextResponse("This page answers only to itself.", status_code=403)
            await refusal(scope, receive, send)
            return

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = _POLICY
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
            await send(message)

        await self._app(scope, receive, send_with_policy)


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
    foreign site can set without a preflight; whoever comes through it is a visitor, and nobody at
    this machine (``is_forwarded``). A name that was rebound to this machine can, so
    ``Host`` has to be this machine's own nevertheless.
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

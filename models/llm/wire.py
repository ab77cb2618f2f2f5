"""Knows how a chat server is reached: bounded, patient and never led elsewhere; not what is said.

Answers are read as they come over the line, up to a limit; a redirect is an error, so that the key
goes to no other host; proxies of the environment are used only for other machines.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx

from models.errors import ChatModelUnavailable, SetupError
from models.specs import Server, server_at

_WAITS_S = (0.5, 1.0, 2.0)
_CONNECT_S = 10.0
_ANSWER_BYTES = 4 * 2**20
_QUOTED_CHARS = 300
_TOO_LONG = re.compile(r"context|too long|too many tokens|max_model_len", re.IGNORECASE)


class Wire:
    """The line to one server; one connection for each request, none kept open between them."""

    def __init__(self, base_url: str, *, timeout_s: float, api_key: str = "") -> None:
        server = _checked(base_url)
        self.base, self.is_here = server.base_url, server.is_here
        self._timeout_s = timeout_s
        self._key = api_key
        if not (api_key.isascii() and api_key.isprintable()):
            raise SetupError("The api key has characters that no key has. Copy it again.")
        self._client = httpx.Client(
            headers={"Accept-Encoding": "identity"}
            | ({"Authorization": f"Bearer {api_key}"} if api_key else {}),
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_S)),
            limits=httpx.Limits(max_keepalive_connections=0),
            trust_env=not self.is_here,
        )

    def get(self, path: str) -> Any:
        """Give the JSON at a path below the address.

        Raises:
            ChatModelUnavailable: the server is not there, refuses, or sends something else.
        """
        with self._translated(), self._accepted("GET", f"{self.base}/{path}", [None]) as response:
            return self.parsed(self._read(response))

    def told(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Give the JSON object at a path beside ``/v1``, which only some servers have; else {}."""
        url = f"{self.base.removesuffix('/v1')}/{path}"
        try:
            with self._client.stream(
                "POST" if body else "GET", url, json=body, timeout=min(self._timeout_s, _CONNECT_S)
            ) as response:
                found = (
                    json.loads(self._read(response, _CONNECT_S))
                    if response.status_code == 200
                    else {}
                )
        except (httpx.HTTPError, ValueError, RecursionError, ChatModelUnavailable):
            return {}
        return found if isinstance(found, dict) else {}

    def events(
        self, path: str, bodies: Sequence[dict[str, Any]], most_bytes: int
    ) -> Generator[bytes, None, None]:
        """Yield the data of the server-sent events that answer the first body not refused.

        A request is sent again, after growing waits, only where nothing of an answer came. Closing
        the iterator closes the connection.

        Raises:
            ChatModelUnavailable: the server is not there, refuses, falls silent, breaks off or
                sends more than ``most_bytes``.
        """
        with (
            self._translated(),
            self._accepted("POST", f"{self.base}/{path}", bodies) as response,
        ):
            if "text/event-stream" not in response.headers.get("content-type", ""):
                raise self.failure("answered, but not with a stream of words", self._read(response))
            rest, taken, heard_s = b"", 0, time.monotonic()
            for chunk in response.iter_raw():
                taken += len(chunk)
                if taken > most_bytes:
                    raise self.failure("did not come to an end")
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.startswith(b"data:"):
                        yield line.removeprefix(b"data:").strip()
                        heard_s = time.monotonic()
                # Comments that only keep the line open must not keep the reader waiting for ever.
                if time.monotonic() - heard_s > self._timeout_s:
                    raise self._silence()

    def parsed(self, data: bytes) -> Any:
        """Read JSON.

        Raises:
            ChatModelUnavailable: it is none.
        """
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as exc:
            raise self.failure("sent broken JSON", data) from exc

    def failure(self, what: str, said: bytes = b"") -> ChatModelUnavailable:
        """Put into one sentence what the server did, with what it said itself, without the key."""
        quoted = _message(said)
        if self._key:
            quoted = quoted.replace(self._key, "…")
        return ChatModelUnavailable(
            f"The chat server at {self.base} {what}" + (f": {quoted}" if quoted else ".")
        )

    def _silence(self) -> ChatModelUnavailable:
        return self.failure(
            f"said nothing for {self._timeout_s:g} s. Ask again, or allow it more time"
        )

    @contextmanager
    def _accepted(
        self, method: str, url: str, bodies: Sequence[dict[str, Any] | None]
    ) -> Iterator[httpx.Response]:
        """Open the answer to the first body that the server does not refuse as malformed."""
        for body in bodies:
            response, said = self._patiently(method, url, body)
            if response.status_code == 200:
                break
            if not _is_malformed(response.status_code, said):
                break
        try:
            if response.status_code != 200:
                raise self._refusal(response, said)
            yield response
        finally:
            response.close()

    def _patiently(
        self, method: str, url: str, body: dict[str, Any] | None
    ) -> tuple[httpx.Response, bytes]:
        """Send a request until it is answered; what was said is read only where it is refused."""
        for wait_s in (*_WAITS_S, None):
            try:
                request = self._client.build_request(method, url, json=body)
                response = self._client.send(request, stream=True)
            except httpx.TimeoutException:
                raise
            except httpx.TransportError:
                if wait_s is None:
                    raise
            else:
                if response.status_code == 200:
                    return response, b""
                try:
                    said = self._read(response)
                finally:
                    response.close()
                is_busy = response.status_code == 429 or response.status_code >= 500
                if wait_s is None or not is_busy or _is_malformed(response.status_code, said):
                    return response, said
            time.sleep(wait_s)
        raise AssertionError("the last try returns or raises")

    def _refusal(self, response: httpx.Response, said: bytes) -> ChatModelUnavailable:
        status = response.status_code
        if response.is_redirect:
            where = response.headers["location"][:_QUOTED_CHARS]
            return self.failure(f"sends us on to {where}. Give that address if it is the right one")
        if status in (401, 403):
            return self.failure(f"refuses the api key (HTTP {status})", said)
        if status in (400, 413, 422, 500) and _TOO_LONG.search(_message(said)):
            return self.failure(
                "says that the prompt does not fit. Ask with less evidence or a shorter chat", said
            )
        if status == 404:
            return self.failure("has no such model or no chat; its address may end in /v1", said)
        return self.failure(f"failed with HTTP {status}", said)

    def _read(self, response: httpx.Response, most_s: float = math.inf) -> bytes:
        """Read a whole answer, within bounds of size and time."""
        most_s = min(most_s, self._timeout_s)
        data, began_s = b"", time.monotonic()
        for chunk in response.iter_raw():
            data += chunk
            if len(data) > _ANSWER_BYTES:
                raise self.failure("did not come to an end")
            if time.monotonic() - began_s > most_s:
                raise self._silence()
        return data

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectTimeout as exc:
            raise self.failure("cannot be reached. Start it, or correct its address") from exc
        except httpx.TimeoutException as exc:
            raise self._silence() from exc
        except httpx.ConnectError as exc:
            raise self.failure(
                "is not there. Start it, or correct its address", str(exc).encode()
            ) from exc
        except httpx.HTTPError as exc:
            raise self.failure("broke off. Ask again", str(exc).encode()) from exc


def _checked(base_url: str) -> Server:
    """Give the server at an address, or refuse what is none."""
    found = server_at(base_url.strip())
    if found is None or found.model:
        raise SetupError(
            f"Not the address of a chat server: {base_url!r}. It looks like "
            "http://127.0.0.1:11434/v1"
        )
    return found


def _is_malformed(status: int, said: bytes) -> bool:
    """Tell whether a server refused how a request is written (some say so with a 500)."""
    return status in (400, 422) or (status == 500 and b"response_format" in said)


def _message(said: bytes) -> str:
    """Find the words in an error's answer: they lie in different places for different servers."""
    try:
        found = json.loads(said)
    except (ValueError, RecursionError):
        found = said.decode(errors="replace")
    for name in ("error", "message", "detail"):
        if isinstance(found, dict) and name in found:
            found = found[name]
    words = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
    words = " ".join(words.split())
    return words if len(words) <= _QUOTED_CHARS else words[:_QUOTED_CHARS] + "…"

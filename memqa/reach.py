"""Which machine an address leads to: looked up once, checked, and connected to as it was checked.

An address that a person typed may lie anywhere, in their own network too. Where a redirect leads
is the server's word: only into the public network, or to the very host and port that was typed. A
name is looked up once for a fetch and the connection goes to what was found then, so that a second
answer of the name server cannot lead elsewhere. Proxies named in the environment are not used,
since a proxy would look the name up again, and neither is ``.netrc``.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias

import httpx

from models.errors import BackendError, InputError, MemqaError, UnreadableMedia

MOST_REDIRECTS = 5
CONNECT_S, READ_S = 15.0, 30.0
_SCHEMES = {"http": 80, "https": 443}
_NAT64 = IPv6Network("64:ff9b::/96")
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "memqa"}

Resolve: TypeAlias = Callable[[str, int], Sequence[str]]
"""Gives the IP addresses of a host and port, best first."""


class Reach:
    """One address that a person typed, by http or https, and wherever its server sends on to.

    ``name`` is what it may be called in messages; the address itself may hold a password.
    """

    def __init__(
        self,
        address: str,
        *,
        name: str,
        resolve: Resolve | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._name, self._address = name, address
        try:
            self._typed = httpx.URL(address).copy_with(fragment=None)
        except (httpx.InvalidURL, ValueError):
            raise InputError(f"{name} is no address; look at how it is written") from None
        if self._typed.scheme not in _SCHEMES or not self._typed.host:
            raise InputError(f"{name} is no http or https address with a host in it")
        self._resolve = resolve or resolved
        self._transport = transport
        self._known: dict[tuple[str, int], Sequence[str]] = {}

    @contextmanager
    def answer(self, method: str) -> Iterator[httpx.Response]:
        """Ask, follow redirects, and give the last answer, whose body is not read yet.

        Raises:
            UnreadableMedia: it leads on to where it may not, or in a circle.
            BackendError: a server cannot be reached or breaks off, inside the block too.
        """
        with self._errors(), self._client() as client:
            response, _ = self._followed(client, method)
            try:
                yield response
            finally:
                response.close()

    def leads_to(self) -> str:
        """Give the address that redirects end at, without having read what lies there.

        It holds the password that was typed only where it is of the same host and port.
        """
        with self._errors(), self._client() as client:
            response, url = self._followed(client, "GET")
            response.close()
        if url == self._typed:
            return self._address
        is_own = _origin(url) == _origin(self._typed)
        return str(url.copy_with(userinfo=self._typed.userinfo) if is_own else url)

    def _client(self) -> httpx.Client:
        transport = self._transport or httpx.HTTPTransport()
        timeout = httpx.Timeout(READ_S, connect=CONNECT_S)
        return httpx.Client(transport=transport, timeout=timeout, trust_env=False)

    def _followed(self, client: httpx.Client, method: str) -> tuple[httpx.Response, httpx.URL]:
        url = self._typed
        for _ in range(MOST_REDIRECTS + 1):
            response = self._sent(client, method, url)
            if not response.has_redirect_location:
                return response, url
            response.close()
            url = self._next(url, response.headers["location"])
        raise UnreadableMedia(f"{self._name} leads on and on ({MOST_REDIRECTS} redirects)")

    def _next(self, url: httpx.URL, location: str) -> httpx.URL:
        """Give where a redirect leads; what it names besides host and path is dropped."""
        try:
            target = url.join(location).copy_with(userinfo=b"", fragment=None)
        except (httpx.InvalidURL, ValueError):
            raise UnreadableMedia(f"{self._name} leads on to what is no address") from None
        if target.scheme not in _SCHEMES or not target.host:
            raise UnreadableMedia(f"{self._name} leads on to what is no http or https address")
        if url.scheme == "https" and target.scheme == "http":
            raise UnreadableMedia(
                f"{self._name} leads from https on to http, which anyone on the way can change"
            )
        return target

    def _sent(self, client: httpx.Client, method: str, url: httpx.URL) -> httpx.Response:
        """Ask the first machine behind a name that can be connected to."""
        host = url.raw_host.decode("ascii")
        headers = {**_HEADERS, "Host": url.netloc.decode("ascii")}
        if self._typed.userinfo and _origin(url) == _origin(self._typed):
            headers["Authorization"] = _basic(self._typed)
        extensions = {} if _is_ip(host) else {"sni_hostname": host}
        failed: httpx.HTTPError | None = None
        for ip in self._ips(url):
            pinned = url.copy_with(host=ip, userinfo=b"")
            request = client.build_request(method, pinned, headers=headers, extensions=extensions)
            try:
                return client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout) as exc:
                failed = exc
        assert failed is not None, "a name that was looked up has an address"
        raise failed

    def _ips(self, url: httpx.URL) -> Sequence[str]:
        """Look a host up, once, and refuse what a server may not lead to."""
        host, port = place = _host_and_port(url)
        if place not in self._known:
            is_typed = place == _host_and_port(self._typed) or _is_upgrade(self._typed, url)
            # The same host means the same machine, whatever its name server says a second time.
            found = self._known.get(_host_and_port(self._typed)) if is_typed else None
            found = found or self._resolve(host, port)
            if not found:
                raise BackendError(f"there is no machine for {self._name}; check the address")
            if not is_typed and not all(map(is_public, found)):
                raise UnreadableMedia(
                    f"{self._name} leads on to {host[:80]}, which lies in no public network; if "
                    "that is meant, give that address itself"
                )
            self._known[place] = found
        return self._known[place]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what goes wrong on the line into one sentence; the address is in none of them."""
        try:
            yield
        except MemqaError:
            raise
        except httpx.TimeoutException:
            raise BackendError(f"{self._name} does not answer; try again later") from None
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as exc:
            why = f"{type(exc).__name__}: {exc}" if isinstance(exc, httpx.ConnectError) else ""
            told = f" ({why.splitlines()[0][:200]})" if why else ""
            raise BackendError(
                f"{self._name} cannot be reached, or the line broke off{told}; try again"
            ) from None


def resolved(host: str, port: int) -> list[str]:
    """Look a host up as the system does, and give its IP addresses, best first.

    Raises:
        BackendError: the name is not known.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise BackendError(f"no machine is called {host[:80]!r}; check the address") from None
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def is_public(ip: str) -> bool:
    """Say whether an IP address lies in the public network; what it wraps has to as well."""
    try:
        found = ip_address(ip.partition("%")[0])
    except ValueError:
        return False
    return "%" not in ip and all(one.is_global and not one.is_multicast for one in _wrapped(found))


def _wrapped(ip: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """Give the addresses that packets to an address may end at."""
    if isinstance(ip, IPv4Address):
        return [ip]
    if ip.ipv4_mapped is not None:
        return [ip.ipv4_mapped]
    if ip in _NAT64:
        return [IPv4Address(int(ip) & 0xFFFFFFFF)]
    inner = [one for one in (ip.sixtofour, *(ip.teredo or ())) if one is not None]
    return [ip, *inner]


def _is_ip(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _host_and_port(url: httpx.URL) -> tuple[str, int]:
    return url.raw_host.decode("ascii").lower(), url.port or _SCHEMES[url.scheme]


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, *_host_and_port(url)


def _is_upgrade(typed: httpx.URL, url: httpx.URL) -> bool:
    """Whether a server sends its plain address on to its own encrypted one."""
    host, port = _host_and_port(typed)
    return port == 80 and _origin(url) == ("https", host, 443)


def _basic(url: httpx.URL) -> str:
    auth = httpx.BasicAuth(url.username, url.password)
    request = next(auth.auth_flow(httpx.Request("GET", "http://localhost")))
    return request.headers["Authorization"]

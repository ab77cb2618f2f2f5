"""Who is being answered: whoever owns the library, a user who logged in, or a visitor without name.

Set once for each request by ``memqa.ui.login``; the threads in which the page's calls are answered
get a copy of it. Media are shared by all who may use the page; chats, and what is ticked, are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from models.errors import InputError

_JOIN = "/"  # between whose a chat is and what it is called; names of users have none
_MOST_CHARACTERS = 200
_IPV6_HOUSEHOLD_BITS = 64


@dataclass(frozen=True, slots=True)
class Visitor:
    """One person as the server knows them; ``key`` says whose a chat is, empty for the owner."""

    key: str = ""
    name: str = ""
    address: str = ""

    @property
    def counted_as(self) -> str:
        """Say by what their requests are counted; empty for who sits at the library's machine."""
        return f"user {self.name}" if self.name else self.address

    def own(self, chat: str) -> str:
        """Give the name under which the library keeps a chat of theirs."""
        return f"{self.key}{_JOIN}{chat}" if self.key else chat

    def owns(self, kept: str) -> bool:
        """Say whether a chat that the library keeps is theirs; the owner may read them all."""
        return not self.key or kept.startswith(self.key + _JOIN)

    def called(self, kept: str) -> str:
        """Give the name that they know a chat of theirs by."""
        return kept.removeprefix(self.key + _JOIN) if self.key else kept


OWNER = Visitor()
_now: ContextVar[Visitor] = ContextVar("visitor", default=OWNER)


def visitor() -> Visitor:
    """Give who is being answered."""
    return _now.get()


def answer(whom: Visitor) -> None:
    """Say who is being answered, from here on and in whatever is begun from here."""
    _now.set(whom)


def chat_of(data: Mapping[str, Any]) -> str:
    """Give the name under which the library keeps the chat that a call of the page names.

    Raises:
        InputError: it is too long for the name of a chat.
    """
    named = str(data.get("chat", ""))
    if len(named) > _MOST_CHARACTERS:
        raise InputError("There is no such chat; open the page anew.")
    return visitor().own(named)


def key_of(kept: str) -> str:
    """Say whose a chat is that the library keeps."""
    key, join, _ = kept.partition(_JOIN)
    return key if join else ""


def household(address: str) -> str:
    """Give the address that requests are counted by: of IPv6 the network, which one person has.

    What a proxy told that is no address is counted as one: nobody is to be new with every request.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return "somewhere"
    if isinstance(found, IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(IPv6Address(int(found) >> _IPV6_HOUSEHOLD_BITS << _IPV6_HOUSEHOLD_BITS))

"""Who has logged in: sessions that end, and a limit on tries, per address and per name."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from memqa.ui.limits import Clock, Often

IDLE_S = 12 * 3600.0
LIFE_S = 7 * 24 * 3600.0
_MOST = 2000
_MOST_OF_ONE = 20
_TRIES_OF_ADDRESS = (10, 15 * 60.0)
_TRIES_AT_NAME = (50, 3600.0)
_MOST_KNOWN = 2000


@dataclass(slots=True)
class _Session:
    name: str
    begun_at: float
    seen_at: float


class Sessions:
    """Sessions by the secret that the browser keeps; none outlives the process.

    One ends 12 hours after its last request, 7 days after it began, or when the person logs out.
    """

    def __init__(self, *, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._open: OrderedDict[str, _Session] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, name: str) -> str:
        """Begin a session, and give its secret; whoever has too many loses the oldest."""
        secret, now = secrets.token_urlsafe(32), self._clock()
        with self._lock:
            self._sweep(now)
            own = [one for one, session in self._open.items() if session.name == name]
            for old in own[: max(0, len(own) + 1 - _MOST_OF_ONE)]:
                del self._open[old]
            while len(self._open) >= _MOST:
                self._open.popitem(last=False)
            self._open[secret] = _Session(name, now, now)
        return secret

    def name_of(self, secret: str) -> str | None:
        """Say whose session it is, and note that it is in use; None where there is none."""
        now = self._clock()
        with self._lock:
            found = self._open.get(secret)
            if found is None:
                return None
            if _is_over(found, now):
                del self._open[secret]
                return None
            found.seen_at = now
            return found.name

    def end(self, secret: str) -> None:
        """End a session."""
        with self._lock:
            self._open.pop(secret, None)

    def _sweep(self, now: float) -> None:
        for old in [one for one, session in self._open.items() if _is_over(session, now)]:
            del self._open[old]


class Tries:
    """How often one may try to log in: failed tries count for the address and for the name.

    The name's do not count for an address that has logged in under it: nobody is to be kept out by
    strangers who guess.
    """

    def __init__(self, *, clock: Clock = time.monotonic) -> None:
        self._of_address = Often(*_TRIES_OF_ADDRESS, clock=clock)
        self._at_name = Often(*_TRIES_AT_NAME, clock=clock)
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def wait_s(self, address: str, name: str) -> float:
        """Say how long it is until another try is heard; 0 where it is now."""
        wait_s = self._of_address.wait_s(address)
        if (name, address) in self._known:
            return wait_s
        return max(wait_s, self._at_name.wait_s(name))

    def failed(self, address: str, name: str) -> None:
        """Note that a try failed."""
        self._of_address.count(address)
        if (name, address) not in self._known:
            self._at_name.count(name)

    def succeeded(self, address: str, name: str) -> None:
        """Note that somebody has logged in."""
        self._known[name, address] = None
        while len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)


def _is_over(session: _Session, now: float) -> bool:
    return now - session.seen_at > IDLE_S or now - session.begun_at > LIFE_S

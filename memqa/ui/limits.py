"""How often, and how much at once, one may ask of the server; counted apart for each key."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

Clock: TypeAlias = Callable[[], float]

_MOST_KEYS = 10_000  # those heard of longest ago are forgotten beyond


class Often:
    """At most ``most`` times within any ``within_s`` seconds."""

    def __init__(self, most: int, within_s: float, *, clock: Clock = time.monotonic) -> None:
        self._most, self._within_s, self._clock = most, within_s, clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, key: str) -> float:
        """Say how long it is until once more is allowed; 0 where it is now."""
        with self._lock:
            times = self._recent(key)
            return self._wait_s(times) if times else 0.0

    def count(self, key: str) -> None:
        """Note that it happened."""
        with self._lock:
            self._note(key)

    def take(self, key: str) -> float:
        """Note that it happens, where it is allowed; else say how long it is until it is."""
        with self._lock:
            times = self._recent(key)
            if times and (wait_s := self._wait_s(times)) > 0:
                return wait_s
            self._note(key)
            return 0.0

    def _recent(self, key: str) -> deque[float]:
        times = self._times.get(key)
        if times is None:
            return deque()
        while times and times[0] <= self._clock() - self._within_s:
            times.popleft()
        return times

    def _wait_s(self, times: deque[float]) -> float:
        if len(times) < self._most:
            return 0.0
        return max(times[-self._most] + self._within_s - self._clock(), 0.001)

    def _note(self, key: str) -> None:
        times = self._times.setdefault(key, deque(maxlen=self._most))
        times.append(self._clock())
        self._times.move_to_end(key)
        while len(self._times) > _MOST_KEYS:
            self._times.popitem(last=False)


class AtOnce:
    """At most ``most`` at the same time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._going: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def one(self, key: str) -> Iterator[bool]:
        """Be one of them inside the block; gives False where there are as many already."""
        with self._lock:
            is_in = self._going[key] < self._most
            self._going[key] += is_in
        try:
            yield is_in
        finally:
            with self._lock:
                self._going[key] -= is_in
                if not self._going[key]:
                    del self._going[key]


def in_words(wait_s: float) -> str:
    """Say how long to wait."""
    if wait_s < 90:
        whole = max(1, math.ceil(wait_s))
        return "a second" if whole == 1 else f"{whole} seconds"
    return f"{math.ceil(wait_s / 60)} minutes"

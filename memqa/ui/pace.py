"""How fast questions may come: so many a minute and at once from one person, and at once in all.

Who sits at the library's own machine is not counted.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from memqa.ui.asking import Asking
from memqa.ui.limits import Often, in_words
from models.errors import InputError

if TYPE_CHECKING:
    from memqa.library import Library

_MINUTE_S = 60.0


class Pace:
    """Lets a question in, or says in a sentence why not now."""

    def __init__(self, library: Library, asking: Asking) -> None:
        self._library, self._asking = library, asking
        self._most = 0
        self._often = Often(0, _MINUTE_S)
        self._lock = threading.Lock()

    @contextmanager
    def let(self, who: str) -> Iterator[None]:
        """Let somebody ask inside the block, counted as ``who``; empty for who is not counted.

        Raises:
            InputError: too much was asked within the last minute, or is being answered now.
        """
        with self._lock:  # until the question counts as one that is being answered
            if who:
                self._check(who)
            yield

    def _check(self, who: str) -> None:
        limits = self._library.settings.limits
        if self._asking.running(who) >= limits.asks_at_once:
            raise InputError("Your last questions are still being answered; wait for one of them.")
        if self._asking.running() >= limits.asks_at_once_in_all:
            raise InputError("Many are asking at this moment; ask again in a little while.")
        if limits.asks_per_minute != self._most:
            self._most = limits.asks_per_minute
            self._often = Often(self._most, _MINUTE_S)
        if (wait_s := self._often.take(who)) > 0:
            raise InputError(
                f"You have asked {self._most} questions within a minute; "
                f"wait {in_words(wait_s)}, then ask again."
            )

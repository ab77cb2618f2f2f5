"""Reading again where another process tidied a version away under our feet."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from memqa.store.tables import Tables

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")
AGAIN_AFTER_S = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)


def again_if_purged(method: Callable[P, T]) -> Callable[P, T]:
    """Read again where another process removed the version under our feet, be it repeatedly.

    Whoever forgets many media after one another purges every few milliseconds. The first argument
    has the library's ``_tables``.
    """

    @functools.wraps(method)
    def read(*args: P.args, **kwargs: P.kwargs) -> T:
        tables: Tables = args[0]._tables  # type: ignore[attr-defined]
        with tables.ground.plainly():
            for wait_s in AGAIN_AFTER_S:
                try:
                    return method(*args, **kwargs)
                except (OSError, RuntimeError) as exc:
                    if tables.ground.is_at_fault(exc):
                        raise
                    log.info("reading again after %s", type(exc).__name__)
                    time.sleep(wait_s)
                    tables.refresh()
            return method(*args, **kwargs)

    return read

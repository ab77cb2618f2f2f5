"""Loads the models that a library's first question would wait for, while nobody waits."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memqa.library import Library

log = logging.getLogger(__name__)


def warm_up(library: Library, *, speaks: bool = True, after_s: float = 0.0) -> None:
    """Load in the background what a search needs and, where it ``speaks``, what an answer does.

    What is more urgent may go first, for ``after_s``. What fails here fails again, and is told,
    when something is asked.
    """
    timer = threading.Timer(after_s, _load, (library, speaks))
    timer.name, timer.daemon = "warm-up", True
    timer.start()


def _load(library: Library, speaks: bool) -> None:
    try:
        if library.media():
            library.search("a picture of anything", limit=1)
            if speaks:
                library.engines.language_model()
    except Exception as exc:  # no trace of it may land where a person types
        log.info("not warmed up; the first question will say why: %s: %s", type(exc).__name__, exc)

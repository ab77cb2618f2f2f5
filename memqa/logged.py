"""How the log is written: what stands in a line of it neither begins another nor steers a terminal.

Names of files, addresses that were asked for and texts of errors are other people's words. Only
what begins a process calls this; whatever else logs leaves it to that.
"""

from __future__ import annotations

import logging
from typing import Any


def log_to_stderr(level: int, form: str) -> None:
    """Write what is logged from ``level`` on to stderr, a line each, in the form given."""
    handler = logging.StreamHandler()
    handler.setFormatter(Line(form))
    logging.basicConfig(level=level, handlers=[handler])


class Line(logging.Formatter):
    """One line for each record; a trace follows further in, where no line of it looks like one."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Write the line."""
        return _escaped(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        """Write the trace."""
        return "\n".join(f"  {_escaped(line)}" for line in super().formatException(ei).split("\n"))


def _escaped(text: str) -> str:
    shown = (one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
    return "".join(shown)

"""What nobody foresaw: whole in the log, and for the visitor one sentence with a mark.

A trace tells of the server what is no visitor's business; the mark finds it in the log.
"""

from __future__ import annotations

import logging
from uuid import uuid4


def kept(log: logging.Logger, what: str) -> str:
    """Write the error being handled to the log, and give the mark that it stands there under."""
    mark = uuid4().hex[:8]
    log.exception("%s (%s)", what, mark)
    return mark

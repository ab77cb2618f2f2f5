"""Knows how work in the background steps aside for whoever asks."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]

_NICE = 10  # a tenth of the share of what a person waits for, and all that is left over
_GROUP = Path("/proc/self/autogroup")


def step_aside() -> None:
    """Give this process and those it starts less of the processors than others have.

    Linux may share them out by session first, and to this one's own session it is told as well:
    within the session nobody else would step forward.
    """
    process = psutil.Process()
    if sys.platform == "win32":
        process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        return
    with suppress(psutil.AccessDenied):  # it is as low as may be set already
        process.nice(max(_NICE, process.nice()))
    with suppress(OSError):  # a system that shares out by processes alone
        _GROUP.write_text(str(_NICE), encoding="ascii")

"""The library that stands between a process and the files of a folder, built and steered.

A process that is started with ``environment`` counts each change of a file below the folder. At the
chosen one it is killed, in the middle of it where that is a write ("kill"), or the disk is full
from there on ("full"); "refuse" lets nothing change at all, as a folder that can only be read.
"""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Literal, TypeAlias

Deed: TypeAlias = Literal["count", "kill", "full", "refuse"]

_SOURCE = Path(__file__).with_name("shim.c")


def missing() -> str:
    """Say why there can be no shim here; empty where there can."""
    if not Path("/proc/self/fd").is_dir():
        return "needs Linux: LD_PRELOAD and /proc"
    return "" if shutil.which("cc") else "needs a C compiler: cc"


@functools.cache
def built() -> Path:
    """Compile it, once a process."""
    target = Path(tempfile.mkdtemp(prefix="memqa-faults-")) / "shim.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", target, _SOURCE, "-ldl"]
    subprocess.run(command, check=True, timeout=60)
    return target


def environment(under: Path, deed: Deed = "count", at: int = 1) -> dict[str, str]:
    """Give the variables for a process whose ``at``-th change below a folder is the one."""
    own = {"LD_PRELOAD": str(built()), "FAULTS_UNDER": str(under.resolve())}
    return os.environ | own | {"FAULTS_DO": deed, "FAULTS_AT": str(at)}


def seen() -> int:
    """Give how many changes were counted in this process."""
    count = ctypes.CDLL(None).faults_seen
    count.restype = ctypes.c_long
    return int(count())

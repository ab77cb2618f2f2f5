"""Work in the background steps aside for whoever asks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOLD = """
import os, pathlib
from memqa.priority import step_aside
step_aside()
group = pathlib.Path("/proc/self/autogroup")
print(os.nice(0), group.read_text().split()[-1] if group.exists() else "none")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="it has classes, not numbers")
def test_a_process_and_its_session_step_aside() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TOLD],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        start_new_session=True,
    )
    nice, group = done.stdout.split()
    assert int(nice) >= 10
    if Path("/proc/self/autogroup").exists():
        assert group == "10"

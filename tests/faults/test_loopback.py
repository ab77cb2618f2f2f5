"""The guards that prove that nothing but this machine is contacted see what they are to see."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.loopback import TRIED_TO_LEAVE, attempts, cut
from tests.spy import reach

_REACH = (
    "import socket\n"
    "for host in ('192.0.2.1', 'nowhere.invalid', '127.0.0.1', 'localhost'):\n"
    "    try: socket.create_connection((host, 9), timeout=0.01)\n"
    "    except OSError: pass\n"
)


def told_by(code: str, place: Path, **more: str) -> list[str]:
    """What a Python process, started as the product starts its children, notes."""
    file = place / "reaches"
    file.touch()
    subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=os.environ | {reach.FILE: str(file)} | more,
        timeout=60,
        check=True,
    )
    return file.read_text().splitlines()


def test_children_note_whom_they_reach_for(tmp_path: Path) -> None:
    told = told_by(_REACH, tmp_path)
    assert [line.partition(" in ")[0] for line in told] == [
        "socket.connect ('192.0.2.1', 9)",
        "socket.getaddrinfo 'nowhere.invalid'",
    ]
    assert "test_children_note_whom_they_reach_for" in told[0]


def test_children_of_a_test_that_looks_at_a_refusal_note_nothing(tmp_path: Path) -> None:
    assert told_by(_REACH, tmp_path, **{reach.EXPECTED: "1"}) == []


def test_a_connection_from_the_test_itself_is_refused() -> None:
    with socket.socket() as near, pytest.raises(pytest.fail.Exception, match="leave this machine"):
        near.connect(("192.0.2.1", 9))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost", "", None, "::1%lo"])
def test_this_machine_is_told(host: str | None) -> None:
    assert reach.is_here(host)


@pytest.mark.parametrize("host", ["192.0.2.1", "10.0.0.1", "2001:db8::1", "localhost.example"])
def test_other_machines_are_told(host: str) -> None:
    assert not reach.is_here(host)


@pytest.mark.skipif(not cut(), reason="this system lets nobody make a network namespace")
@pytest.mark.parametrize(
    ("code", "exit_code"),
    [("import socket; socket.create_server(('127.0.0.1', 0))", 0), (_REACH, TRIED_TO_LEAVE)],
    ids=["stays", "leaves"],
)
def test_a_run_that_is_cut_off_tells_what_tried_to_leave(
    tmp_path: Path, code: str, exit_code: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.loopback", "--", sys.executable, "-c", code],
        env=os.environ | {reach.EXPECTED: "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == exit_code, done.stderr
    assert ('"tried_to_leave": 0' in done.stderr) == (exit_code == 0)
    assert attempts() >= 0

"""Everything embedded works with the network cut, and nothing even tries to reach it.

The processes run in a network namespace without interfaces where the system permits one. In each,
and in their children, every address that a socket is to reach and every name that is to be looked
up is written down, so an attempt whose failure a library swallows is found too.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.documents import Sheet, lines, write_pdf
from tests.media import video

pytestmark = pytest.mark.real_model

_SPY = """
import os, sys

def _note(event, arguments):
    if event == "socket.connect":
        said = repr(arguments[1])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        said = repr(arguments[0])
    else:
        return
    file = os.open(os.environ["MEMQA_TEST_REACHED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{event} {said}\\n".encode())
    os.close(file)

sys.addaudithook(_note)
"""
# One process for all, for most of the time goes into importing; what is imported besides tries too.
_ALL = """
import sys
import gradio, transformers, huggingface_hub, open_clip, sentence_transformers, memqa.ui.page
from memqa.cli.app import run

for command in (
    ["index", *sys.argv[1:]],
    ["search", "exit", "--media", "doors.mp4"],
    ["ask", "Who was the keeper?", "--media", "report.pdf"],
    ["models"],
    ["doctor"],
):
    try:
        run([*command, "--json"])
    except SystemExit as left:
        if left.code:
            raise
"""


def _cut() -> list[str]:
    """The command before a command that runs it without a network, empty where not permitted."""
    if shutil.which("unshare") is None:
        return []
    tried = subprocess.run(["unshare", "-rn", "true"], capture_output=True, timeout=20)
    return ["unshare", "-rn"] if tried.returncode == 0 else []


class Offline:
    """Runs Python with the network cut and keeps what it tried to reach."""

    def __init__(self, place: Path) -> None:
        (place / "spy").mkdir(parents=True)
        (place / "spy" / "sitecustomize.py").write_text(_SPY)
        self._reached = place / "reached"
        gone = ("HF_HUB_OFFLINE", "GRADIO_ANALYTICS_ENABLED", "TRANSFORMERS_OFFLINE")
        kept = {name: value for name, value in os.environ.items() if name not in gone}
        root = str(Path(__file__).resolve().parents[2])
        self._environment: Mapping[str, str] = kept | {
            "PYTHONPATH": os.pathsep.join([str(place / "spy"), root]),
            "MEMQA_TEST_REACHED": str(self._reached),
            "MEMQA_HOME": str(place / "home"),
            "MEMQA_CONFIG": str(place / "memqa.toml"),
            "HF_HOME": str(place / "hub"),
        }
        self._cut = _cut()

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._cut, sys.executable, *arguments],
            capture_output=True,
            text=True,
            timeout=240,
            stdin=subprocess.DEVNULL,
            env=self._environment,
        )
        assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def reached(self) -> list[str]:
        """Every attempt to reach or to look up anything but this machine."""
        tried = self._reached.read_text().splitlines() if self._reached.exists() else []
        return [line for line in tried if not _is_here(line)]


def _is_here(attempt: str) -> bool:
    where = attempt.partition(" ")[2]
    if attempt.startswith("socket.connect") and not where.startswith("("):
        return True  # a path: a Unix socket
    return any(f"'{host}" in where for host in ("127.", "localhost", "::1")) or where == "None"


@pytest.fixture
def offline(tmp_path: Path) -> Offline:
    return Offline(tmp_path / "offline")


def test_the_spy_sees_what_is_reached_for(offline: Offline) -> None:
    code = (
        "import socket\n"
        "for host in ('192.0.2.1', 'nowhere.invalid'):\n"
        "    try: socket.create_connection((host, 9), timeout=0.01)\n"
        "    except OSError: pass\n"
    )
    offline("-c", code)
    told = "\n".join(offline.reached())
    assert "192.0.2.1" in told
    assert "nowhere.invalid" in told


def test_all_that_is_embedded_works_without_a_network(offline: Offline, tmp_path: Path) -> None:
    video(tmp_path / "doors.mp4", shots=(20, 20), texts=("GATE 5", "EXIT B"), size=(384, 224))
    page = Sheet(ink=lines("The lighthouse is green.", "Its keeper was called Ingrid Holm."))
    write_pdf(tmp_path / "report.pdf", [page])
    told = offline(
        "-c", _ALL, str(tmp_path / "doors.mp4"), str(tmp_path / "report.pdf")
    ).splitlines()
    said = [json.loads(line) for line in told]
    assert said[2]["summary"]["indexed"] == 2
    assert said[3][0]["path"].endswith("doors.mp4")
    assert said[4]["answer"]
    assert [row["port"] for row in said[5] if row["in_use"]]
    assert {check["finding"] for check in said[6]} <= {"ok", "note"}
    assert offline.reached() == []

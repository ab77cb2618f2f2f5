"""A page that is running answers the command line, which prints the same as it would alone."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.pages import ROOT

pytestmark = [
    pytest.mark.real_model,
    pytest.mark.skipif(sys.platform == "win32", reason="no Unix sockets here"),
]

# The command line as it is, which says at its end whether it had to open the library itself.
RUN = """
import sys
from memqa.cli.app import run
try:
    run()
finally:
    print("ALONE" if "lancedb" in sys.modules else "DOOR", file=sys.stderr)
"""


@dataclass(frozen=True)
class Told:
    """What one run of the command line printed, and how it ended."""

    out: str
    err: str
    code: int
    way: str
    cpu_s: float


@dataclass(frozen=True)
class Desk:
    """A library whose page is being served, and the command line beside it."""

    home: Path
    environment: dict[str, str]
    server: subprocess.Popen[str]

    def __call__(self, *arguments: str, cwd: Path = ROOT, **more: str) -> Told:
        before = os.times()
        done = subprocess.run(
            [sys.executable, "-c", RUN, "--home", str(self.home), *arguments],
            capture_output=True,
            text=True,
            timeout=240,
            cwd=cwd,
            env={**os.environ, **self.environment, "PYTHONPATH": str(ROOT), **more},
        )
        *err, way = done.stderr.splitlines()
        after = os.times()
        cpu_s = sum(after[2:4]) - sum(before[2:4])  # of children, whatever else the machine does
        return Told(done.stdout, "\n".join(err), done.returncode, way, cpu_s)

    def both(self, *arguments: str) -> tuple[Told, Told]:
        """Run through the door, and alone: with a runtime folder in which there is none."""
        through, alone = self(*arguments), self(*arguments, XDG_RUNTIME_DIR=str(self.home))
        assert (through.way, alone.way) == ("DOOR", "ALONE"), (through.err, alone.err)
        return through, alone


@pytest.fixture(scope="module")
def desk(copy_of_samples: Callable[[], Path]) -> Iterator[Desk]:
    home = copy_of_samples()
    with tempfile.TemporaryDirectory(prefix="mq", dir="/tmp") as runtime:
        environment = {"XDG_RUNTIME_DIR": runtime, "HF_HUB_OFFLINE": "1"}
        command = [sys.executable, str(ROOT / "app.py"), "--home", str(home), "--port", "0"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=os.environ | environment
        ) as server:
            assert server.stdout is not None
            assert "http://" in server.stdout.readline()
            until = time.monotonic() + 30
            while not list(Path(runtime).glob("*/*.sock")):
                assert time.monotonic() < until, "no door was opened"
                time.sleep(0.05)
            yield Desk(home, environment, server)
            server.kill()


def untimed(text: str) -> Any:
    """Read an answer without what differs from one run to the next."""
    return json.loads(re.sub(r'"(elapsed_s|ms)": [\d.e-]+', r'"\1": 0', text)) | {"timings_s": {}}


def test_a_search_is_the_same_and_takes_no_time(desk: Desk) -> None:
    for arguments in (
        ("search", "water bottle", "--json"),
        ("search", "water bottle", "--limit", "3"),
        ("search", "HOVER dump", "-m", "sample.pdf"),
        ("search", "of the"),
    ):
        through, alone = desk.both(*arguments)
        assert (through.out, through.err, through.code) == (alone.out, alone.err, 0)
        assert through.cpu_s < alone.cpu_s / 3  # 0.2 s and 2 s where nothing else runs


@pytest.mark.parametrize(
    "arguments",
    [
        ("search", "x", "-m", "no such file"),
        ("ask", "What is shown?", "--at", "9999", "-m", "sample.mp4"),
        ("ask", "What is shown?", "--mode", "moment"),
    ],
)
def test_what_cannot_be_asked_is_told_alike(desk: Desk, arguments: tuple[str, ...]) -> None:
    through, alone = desk.both(*arguments)
    assert through.err.startswith("memqa: ")
    assert (through.out, through.err, through.code) == (alone.out, alone.err, 2)


@pytest.mark.parametrize(
    "arguments",
    [
        ("ask", "Which Wikipedia dump does HOVER use?", "-m", "sample.pdf"),
        ("ask", "What is shown?", "-m", "sample.mp4", "--at", "0:20", "--option", "a water bottle"),
    ],
)
def test_an_answer_is_the_same(desk: Desk, arguments: tuple[str, ...]) -> None:
    through, alone = desk.both(*arguments, "--json")
    assert untimed(through.out) == untimed(alone.out)
    assert (through.err, through.code) == (alone.err, 0)
    assert desk(*arguments).out.strip()


def test_a_path_is_read_from_where_it_is_typed(desk: Desk) -> None:
    listed = json.loads(desk("list", "--json").out)
    there = Path(next(one["path"] for one in listed if one["kind"] == "video"))
    through = desk("search", "water", "-m", f"./{there.name}", cwd=there.parent)
    assert (through.way, through.code) == ("DOOR", 0)
    assert desk("search", "water", "-m", f"./{there.name}", cwd=desk.home).code == 2


def test_other_settings_and_more_words_are_not_for_the_door(desk: Desk) -> None:
    assert desk("search", "water", MEMQA_VIDEO__FRAMES_PER_S="2").way == "ALONE"
    assert desk("-v", "search", "water").way == "ALONE"


def test_a_page_that_was_killed_is_missed_by_nobody(desk: Desk) -> None:
    (left,) = Path(desk.environment["XDG_RUNTIME_DIR"]).glob("*/*.sock")
    desk.server.send_signal(signal.SIGKILL)
    desk.server.wait(30)
    assert left.exists()
    told = desk("search", "water bottle")
    assert (told.way, told.code) == ("ALONE", 0)
    assert not list(left.parent.iterdir())

"""Many files on the command line: worker processes, Ctrl-C, and what a script can go by."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from tests.e2e.test_cli import Memqa
from tests.memqa.parts import write_document

pytestmark = pytest.mark.real_model


@pytest.mark.skipif(os.name == "nt", reason="signals work differently on Windows")
def test_ctrl_c_stops_all_workers_cleanly_and_the_next_run_goes_on(tmp_path: Path) -> None:
    memqa = Memqa(tmp_path / "home")
    media = tmp_path / "media"
    media.mkdir()
    for number in range(4):
        write_document(media / f"{number}.md", chapters=1, seed=number)
    command = [*memqa.command(), "index", str(media), "--workers", "2", "--json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, start_new_session=True, **pipes) as process:  # type: ignore[call-overload]
        assert process.stderr is not None
        assert process.stderr.readline().startswith("0/4 files; ")
        children = psutil.Process(process.pid).children()
        workers = [one for one in children if "memqa.batch_worker" in one.cmdline()]
        assert len(workers) == 2
        os.killpg(process.pid, signal.SIGINT)  # a terminal sends Ctrl-C to the whole group
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "stopping" in err
    assert "Traceback" not in err
    assert not any(worker.is_running() for worker in workers)
    *files, last = [json.loads(line) for line in out.splitlines()]
    assert {row["status"] for row in files} <= {"cancelled", "indexed"}
    assert last["summary"]["cancelled"] >= 1
    assert not [one for one in memqa.json("list") if one["status"] == "indexing"]
    *rest, last = memqa.json_lines("index", media, "--workers", "2")
    assert last["summary"]["indexed"] + last["summary"]["unchanged"] == len(rest) == 4


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_a_name_that_could_steer_the_terminal_is_only_shown(tmp_path: Path) -> None:
    memqa = Memqa(tmp_path / "home")
    for name in ("a\x1b[2J\nb.txt", "c.txt"):
        (tmp_path / name).write_text(f"The ferry {name!r} leaves at nine.\n", encoding="utf-8")
    done = memqa("index", tmp_path / "a\x1b[2J\nb.txt", tmp_path / "c.txt")
    assert "\x1b" not in done.stdout + done.stderr
    assert "2 indexed" in done.stdout
    assert "0/2 files" in done.stderr

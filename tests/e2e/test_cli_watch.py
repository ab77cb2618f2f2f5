"""``memqa watch``: a folder that files arrive in, and Ctrl-C at the end."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.test_cli import Memqa

pytestmark = pytest.mark.real_model


@contextmanager
def watching(home: Path, folder: Path, log: Path) -> Iterator[subprocess.Popen[str]]:
    command = [*Memqa(home).command(), "watch", str(folder), "--recursive", "--json"]
    with log.open("w") as told, log.with_suffix(".err").open("w") as aside:
        process = subprocess.Popen(command, stdout=told, stderr=aside, text=True)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def wait_for(log: Path, lines: int, timeout_s: float = 120.0) -> list[str]:
    """Wait until so many files have been told of; give their names and what became of them."""
    deadline = time.monotonic() + timeout_s
    while len(told := log.read_text().splitlines()) < lines:
        assert time.monotonic() < deadline, told
        time.sleep(0.1)
    rows = [json.loads(line) for line in told]
    return [f"{row['status']} {Path(row['path']).name}" for row in rows if "path" in row]


def test_what_arrives_is_indexed(copy_of_samples: Callable[[], Path], tmp_path: Path) -> None:
    folder, log = tmp_path / "inbox", tmp_path / "log"
    folder.mkdir()
    (folder / "first.txt").write_text("The ferry leaves at nine.")
    with watching(copy_of_samples(), folder, log) as process:
        assert wait_for(log, 1) == ["indexed first.txt"]
        (folder / "whole.txt.part").write_text("The lighthouse ")
        (folder / "bad.pdf").write_bytes(b"")
        (folder / "table.xyz").write_bytes(bytes(range(256)) * 8)
        told = wait_for(log, 3)
        assert sorted(told[1:]) == ["failed bad.pdf", "skipped table.xyz"]
        (folder / "whole.txt.part").write_text("The lighthouse is painted green.")
        (folder / "whole.txt.part").rename(folder / "whole.txt")
        (folder / "bad.pdf").chmod(0o600)
        assert wait_for(log, 4)[3:] == ["indexed whole.txt"]
        (tmp_path / "trip").mkdir()
        (tmp_path / "trip" / "note.txt").write_text("Ingrid Holm keeps it.")
        (tmp_path / "trip").rename(folder / "trip")
        assert wait_for(log, 5)[4:] == ["indexed note.txt"]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        last = json.loads(log.read_text().splitlines()[-1])["summary"]
        assert (last["files"], last["indexed"], last["failed"], last["skipped"]) == (5, 3, 1, 1)
        assert "Traceback" not in log.with_suffix(".err").read_text()


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    done = Memqa(tmp_path / "home")("watch", tmp_path / "nowhere", code=2)
    assert "there is no folder" in done.stderr

"""``memqa index --engine ray`` from outside, with real models and a worker that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import lancedb
import psutil
import pytest

from tests.documents import Sheet, lines, write_pdf
from tests.e2e.pages import ROOT
from tests.media import video

pytestmark = pytest.mark.real_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lectures")
    for number, place in enumerate(("Skagen", "Bergen", "Malmö")):
        text = (f"The harbour of {place} was opened in 190{number}.", "It has room for 300 boats.")
        write_pdf(folder / f"{place}.pdf", [Sheet(ink=lines(*text))])
    for number in range(2):
        video(folder / f"film-{number}.mp4", shots=(20, 20 + number), pan=2)
    return folder


def index(folder: Path, home: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "memqa", "--home", str(home), "index", str(folder), "--json"]
    return subprocess.Popen(
        [*command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        # Vectors are the same to the last bit only where as many threads compute them.
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def kill_one_that_works(run: subprocess.Popen[str]) -> None:
    while run.poll() is None:
        for process in psutil.Process(run.pid).children(recursive=True):
            try:
                if "ray::Indexer.index" in " ".join(process.cmdline()):
                    os.kill(process.pid, signal.SIGKILL)
                    return
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.05)
    raise AssertionError(f"no worker was seen to work: {run.communicate()}")


def told(run: subprocess.Popen[str]) -> tuple[str, str]:
    try:
        return run.communicate(timeout=240)
    finally:
        run.kill()


def ended(run: subprocess.Popen[str]) -> list[dict[str, Any]]:
    out, said = told(run)
    assert run.returncode == 0, f"{out}\n{said}"
    return [json.loads(line) for line in out.splitlines()]  # nothing of Ray's among them


def rows(home: Path) -> dict[str, list[dict[str, Any]]]:
    db = lancedb.connect(home / "tables")
    found = {}
    for name in sorted(path.stem for path in (home / "tables").glob("*.lance")):
        kept = db.open_table(name).to_arrow().to_pylist()
        found[name] = sorted(
            ({k: v for k, v in row.items() if k != "added_at"} for row in kept),
            key=lambda row: str(row["id"]),
        )
    return found


def test_a_run_with_a_worker_killed_gives_the_rows_of_one_machine(
    folder: Path, tmp_path: Path
) -> None:
    run = index(folder, tmp_path / "ray", "--engine", "ray", "--workers", "2")
    kill_one_that_works(run)
    *outcomes, last = ended(run)
    assert sorted(outcome["status"] for outcome in outcomes) == ["indexed"] * 5
    assert last["summary"]["indexed"] == 5
    ended(index(folder, tmp_path / "local"))
    assert rows(tmp_path / "ray") == rows(tmp_path / "local")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--ray-address", "auto"], "give it too"),
        (["--engine", "ray", "--live"], "leave out --engine ray"),
        (["--engine", "ray", "--ray-address", "127.0.0.1:1"], "no Ray cluster at '127.0.0.1:1'"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    folder: Path, tmp_path: Path, options: list[str], said: str
) -> None:
    run = index(folder, tmp_path / "home", *options)
    out, errors = told(run)
    assert run.returncode in (2, 3)
    assert out == ""
    assert said in errors
    assert "Traceback" not in errors

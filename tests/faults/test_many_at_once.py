"""Two who take files in, eight who ask, and one who forgets: no error, nothing doubled or left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from memqa.jobs import Queue
from memqa.library import Library
from memqa.store.again import again_if_purged
from memqa.store.ground import Folder
from tests.faults.invariants import held, untrue
from tests.memqa.parts import FakeEngines, write_document

pytestmark = pytest.mark.timeout(900)
ROOT = Path(__file__).parents[2]
_FILES = 6


def one(role: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.many", role, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err[-2000:]
    found: dict[str, Any] = json.loads(out)
    assert not found["errors"], found["errors"][:3]
    return found


def test_two_writers_and_eight_readers_at_once(tmp_path: Path) -> None:
    home, stop = tmp_path / "home", tmp_path / "stop"
    files = [
        write_document(tmp_path / f"story-{n}.md", chapters=1 + n % 2, seed=n)
        for n in range(2 * _FILES)
    ]
    with Library(home, engines=FakeEngines()) as library:
        library.collect("first", [library.add(files[0]).id])
        for file in files[_FILES:]:
            Queue(home).submit(str(file))
        readers = [one("read", home, stop) for _ in range(2)]
        writer, worker = one("write", home, *files[1:_FILES]), one("work", home)
        assert told(writer)["written"] == _FILES - 1
        said = worker.communicate(timeout=600)[1]
        assert worker.returncode == 0, said[-2000:]
        stop.touch()
        assert sum(told(reader)["reads"] for reader in readers) > 20
        now = held(library)
        assert untrue(library, now) == []
        kept = {files[0], files[1], files[3], files[5], *files[_FILES:]}
        assert {row.media.path for row in now.media.values()} == {str(one) for one in kept}
        assert {job.state for job in library.jobs()} == {"done"}


def test_a_reader_whose_version_goes_again_and_again_reads_on(tmp_path: Path) -> None:
    tries = 0

    @again_if_purged
    def read(reader: SimpleNamespace) -> str:
        nonlocal tries
        tries += 1
        if tries <= 4:
            raise RuntimeError("lance error: Not found: data/1.lance")
        return "read"

    reader = SimpleNamespace(_tables=SimpleNamespace(ground=Folder(tmp_path), refresh=list))
    assert read(reader) == "read"
    tries = -1000
    with pytest.raises(RuntimeError, match="Not found"):
        read(reader)

"""A disk that is full from any write on: one clear sentence, a library that opens and answers."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path
from typing import Any

import pytest

from memqa import settings
from memqa.jobs import Queue
from memqa.library import Library
from memqa.settings import JobSettings
from memqa.worker import Worker
from models.errors import DiskFull
from tests.faults.full import fill
from tests.faults.kills import Bench
from tests.faults.world import OPERATIONS
from tests.memqa.parts import FakeEngines, write_document

pytestmark = pytest.mark.timeout(1800)

SEED = int(os.environ.get("MEMQA_FAULTS_SEED", "7"))
# All of them, more often: MEMQA_FAULTS_FILLS=2 (or python -m tests.faults.full).
EACH = int(os.environ.get("MEMQA_FAULTS_FILLS", "0"))
USUAL = ("first", "add", "forget", "import", "upload")
POINTS = [
    (operation, number)
    for operation in (OPERATIONS if EACH else USUAL)
    for number in range(EACH or 1)
]


@pytest.mark.parametrize(("operation", "number"), POINTS)
def test_a_full_disk_is_named_and_costs_nothing_that_was_finished(
    bench: Bench, operation: str, number: int
) -> None:
    changes, _ = bench.peaceful(operation)
    at = random.Random(f"{SEED} {operation} {number}").randint(1, changes)
    verdict = fill(bench, operation, at)
    assert not verdict.faults, verdict


def test_the_worker_notes_how_a_job_ended_once_there_is_room_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, finish, refused = tmp_path / "home", Queue.finish, 0

    def full(self: Queue, job_id: str, *how: Any, **more: Any) -> None:
        nonlocal refused
        refused += 1
        if refused <= 2:
            raise DiskFull("the disk is full")
        finish(self, job_id, *how, **more)

    monkeypatch.setattr(Queue, "finish", full)
    monkeypatch.setattr("memqa.worker._LOOK_S", 0.01)
    job = Queue(home).submit(str(tmp_path / "missing.md"))
    chosen = settings.load(home=home).model_copy(update={"jobs": JobSettings(idle_exit_s=5)})
    Worker(chosen, engines=FakeEngines()).run()
    ended = Queue(home).get(job.id)
    assert (refused, ended.state) == (3, "failed")
    assert "there is no file" in (ended.error or "")


def test_an_upload_that_finds_no_room_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shutil.move", full)
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        sent = write_document(tmp_path / "story.md", chapters=1)
        with pytest.raises(DiskFull, match=r"is full: \d+ MB are free there; free some room"):
            library.keep_upload(sent)
        assert sent.exists()
        assert list((tmp_path / "home" / "uploads").iterdir()) == []


def test_what_an_upload_left_half_copied_is_swept_away_an_hour_later(tmp_path: Path) -> None:
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        library.add(library.keep_upload(write_document(tmp_path / "story.md", chapters=1)))
    old, new = (tmp_path / "home" / "uploads" / name for name in ("old", "new"))
    for folder in (old, new):
        folder.mkdir()
        (folder / ".part").write_bytes(b"half")
    for path in (old / ".part", old):
        os.utime(path, (1, 1))
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        assert [one.status for one in library.media()] == ["indexed"]
    assert not old.exists()
    assert new.exists()
    assert len(list((tmp_path / "home" / "uploads").rglob("story.md"))) == 1

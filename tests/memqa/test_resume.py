"""A process killed at any point leaves whole segments, and the next run ends as if nothing was."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from memqa.library import Library
from tests.memqa.parts import FakeEngines, write_document

ROOT = Path(__file__).parents[2]


def everything(library: Library) -> dict[str, Any]:
    """All that is stored, row by row, whoever may see it."""
    tables = library.store.read._tables
    memories = tables.memories.search().limit(100_000).to_list()
    vectors = [row for table in tables.all_vectors() for row in table.to_arrow().to_pylist()]
    (media,) = library.media()
    return {
        "memories": sorted((dict(row) for row in memories), key=lambda row: str(row["id"])),
        "vectors": sorted(vectors, key=lambda row: (str(row["id"]), len(row["vector"]))),
        "states": sorted(library.store.read.states(media.id)),
        "media": replace(media, added_at=""),
    }


def killed_at(library: Library, file: Path, step: str, segment: int) -> None:
    arguments = [str(library.home), str(file), step, str(segment)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.memqa.killed", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_document(tmp_path_factory.mktemp("files") / "story.md", chapters=4)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory, document: Path) -> dict[str, Any]:
    with Library(tmp_path_factory.mktemp("home"), engines=FakeEngines()) as library:
        library.add(document)
        return everything(library)


# Before anything, at three steps of a commit in the middle, and within the outline at the end.
POINTS = [("begin", 0), ("_write_memories", 1), ("_write_states", 1), ("commit", 1)]
POINTS.append(("_write_vectors", 3))


@pytest.mark.parametrize(("step", "segment"), POINTS)
def test_a_killed_document_is_finished_by_the_next_run(
    tmp_path: Path, document: Path, unbroken: dict[str, Any], step: str, segment: int
) -> None:
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        killed_at(library, document, step, segment)
        (media,) = library.media()
        assert media.status == "cancelled"
        row = library.store.read.media_row(media.id)
        assert row is not None
        seen = library.store.read.memories(media.id)
        assert len(seen) == media.memories
        assert {one.segment for one in seen} == set(range(row.committed_segment + 1))
        (outcome,) = library.index([document])
        assert outcome.status == "indexed"
        assert everything(library) == unbroken


def test_killed_again_and_again_it_is_still_finished(
    tmp_path: Path, document: Path, unbroken: dict[str, Any]
) -> None:
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        for step, segment in (("commit", 0), ("_write_states", 0), ("_write_vectors", 1)):
            killed_at(library, document, step, segment)
        assert [o.status for o in library.index([document])] == ["indexed"]
        assert everything(library) == unbroken


def test_what_a_killed_run_left_can_be_forgotten(tmp_path: Path, document: Path) -> None:
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        killed_at(library, document, "_write_vectors", 2)
        (media,) = library.media()
        library.forget(media.id)
        left = [path for path in library.home.rglob("*") if path.is_file()]
        assert not [path for path in left if b"zebrafinch" in path.read_bytes()]
        assert not [path for path in left if b"Sentence" in path.read_bytes()]

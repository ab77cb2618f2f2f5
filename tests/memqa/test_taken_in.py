"""How a watched folder's files are taken in: what fails, what is tried again, what is said."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memqa.arrivals import Arrivals
from memqa.cli.progress import display
from memqa.cli.watch import _Take
from memqa.values import Outcome
from models.errors import EmptyMedia, ModelNotFound, StoreConflict


class Taking:
    """As much of a library as takes files in; each try ends as is told."""

    def __init__(self, *errors: Exception | None) -> None:
        self._errors = iter(errors)

    def index(self, paths: list[Path], **_: Any) -> Iterator[Outcome]:
        error = next(self._errors)
        yield Outcome(str(paths[0]), "failed" if error else "indexed", error=error)


def taken(folder: Path, *errors: Exception | None) -> tuple[list[list[str]], Arrivals, Path]:
    path = folder / "talk.mp4"
    path.write_text("x")
    coming, library = Arrivals(folder, folder / "home"), Taking(*errors)
    with display() as shown:
        take = _Take(library, coming, "auto", shown, threading.Event())  # type: ignore[arg-type]
        said = [[outcome.status for outcome in take(path)] for _ in errors]
    return said, coming, path


def test_what_may_pass_is_tried_again_and_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing, busy = ModelNotFound("no weights"), StoreConflict("another process writes")
    said, coming, path = taken(tmp_path, missing, missing, busy, OSError(28, "disk full"))
    assert said == [["failed"], [], ["failed"], ["failed"]]
    assert capsys.readouterr().err.count("tried again by itself") == 1
    assert coming.ready(1e12) == [path]


def test_once_it_goes_well_it_is_said_and_left_alone(tmp_path: Path) -> None:
    said, coming, _ = taken(tmp_path, StoreConflict("another process writes"), None)
    assert said == [["failed"], ["indexed"]]
    assert coming.ready(1e12) == []


def test_a_file_at_fault_is_left_alone(tmp_path: Path) -> None:
    said, coming, path = taken(tmp_path, EmptyMedia("nothing in it"))
    coming.note([path], 0.0)
    assert (said, coming.ready(1e12)) == ([["failed"]], [])

"""What arrives in a watched folder: taken once it is whole, and once until it changes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from memqa.arrivals import Arrivals


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


def arrivals(folder: Path, *, recursive: bool = False) -> Arrivals:
    return Arrivals(folder, folder / "library", recursive=recursive)


def write(path: Path, text: str = "x", *, age_s: float = 0.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def test_a_file_is_ready_once_it_has_not_changed_for_two_seconds(folder: Path) -> None:
    coming, path = arrivals(folder), write(folder / "talk.mp4")
    coming.note([path], 10.0)
    assert coming.ready(11.9) == []
    assert coming.ready(12.0) == [path]
    assert coming.ready(60.0) == [], "it is given once"


def test_a_file_that_grows_is_waited_for(folder: Path) -> None:
    coming, path = arrivals(folder), write(folder / "talk.mp4")
    coming.note([path], 0.0)
    for second in range(1, 30):
        path.write_text("x" * (second + 1))
        assert coming.ready(float(second)) == []
    assert coming.ready(30.9) == []
    assert coming.ready(31.0) == [path]


def test_a_file_that_goes_again_is_forgotten(folder: Path) -> None:
    coming, path = arrivals(folder), write(folder / "talk.mp4")
    coming.note([path], 0.0)
    path.unlink()
    assert coming.ready(5.0) == []
    coming.note([path], 6.0)
    assert coming.ready(9.0) == []


@pytest.mark.parametrize(
    "name",
    [
        *(".hidden.pdf", "talk.mp4.part", "talk.mp4.CRDOWNLOAD", "a.tmp", "~$report.docx"),
        *("x.download", "library/tables/media.lance", "library", ".git/notes.txt"),
    ],
)
def test_what_is_no_whole_file_is_passed_over(folder: Path, name: str) -> None:
    coming, path = arrivals(folder, recursive=True), write(folder / name, age_s=60)
    coming.note([path], 0.0)
    assert coming.ready(9.0) == []
    assert coming.lying_there(0.0) == []


def test_what_lies_there_comes_first_and_by_name(folder: Path) -> None:
    old = [write(folder / name, age_s=60) for name in ("b.txt", "a.txt")]
    below = write(folder / "deeper" / "c.txt", age_s=60)
    fresh = write(folder / "fresh.txt")
    coming = arrivals(folder)
    assert coming.lying_there(0.0) == sorted(old)
    assert coming.ready(2.0) == [fresh]
    assert arrivals(folder, recursive=True).lying_there(0.0) == [*sorted(old), below]


def test_a_folder_that_was_moved_in_gives_its_files(folder: Path) -> None:
    files = [write(folder / "trip" / name) for name in ("a.mp4", "deeper/b.mp4", ".hidden")]
    flat, deep = arrivals(folder), arrivals(folder, recursive=True)
    for coming in (flat, deep):
        coming.note([folder / "trip"], 0.0)
    assert flat.ready(2.0) == flat.ready(4.0) == []
    assert deep.ready(2.0) == []
    assert deep.ready(4.0) == files[:2]
    assert deep.ready(6.0) == []


def test_a_file_that_still_grows_in_a_new_folder_is_waited_for(folder: Path) -> None:
    small, big = (write(folder / "trip" / name) for name in ("a.txt", "big.mp4"))
    coming = arrivals(folder, recursive=True)
    coming.note([folder / "trip"], 0.0)
    given = []
    for second in range(1, 9):
        big.write_text("x" * (second + 1))
        given += coming.ready(float(second))
    assert given == [small]
    assert coming.ready(9.0) == []
    assert coming.ready(10.0) == [big]


def test_a_file_that_failed_is_left_alone_until_it_changes(folder: Path) -> None:
    coming, path = arrivals(folder), write(folder / "empty.pdf")
    coming.failed(path)
    coming.note([path], 0.0)
    assert coming.ready(5.0) == []
    write(path, "now there is something", age_s=1)
    coming.note([path], 6.0)
    assert coming.ready(8.0) == [path]


def test_a_file_that_is_put_off_comes_again_after_longer_and_longer(folder: Path) -> None:
    coming, path = arrivals(folder), write(folder / "talk.mp4")
    coming.later(path, 0.0)
    assert (coming.ready(14.9), coming.ready(15.0), coming.ready(99.0)) == ([], [path], [])
    coming.later(path, 100.0)
    assert (coming.ready(129.9), coming.ready(130.0)) == ([], [path])
    for _ in range(10):
        coming.later(path, 1000.0)
    assert (coming.ready(1899.0), coming.ready(1900.0)) == ([], [path])
    coming.done(path)
    coming.later(path, 3000.0)
    assert coming.ready(3015.0) == [path]
    coming.later(path, 4000.0)
    path.unlink()
    assert coming.ready(5000.0) == []
    assert not coming._waiting


def test_what_failed_is_not_remembered_without_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memqa.arrivals._MOST_FAILED", 2)
    coming = arrivals(folder)
    for number in range(5):
        coming.failed(write(folder / f"{number}.pdf"))
    assert len(coming._failed) == 2

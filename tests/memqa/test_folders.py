"""What a folder stands for when it holds more than files: links, rings of them, pipes, devices."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from memqa import named
from memqa.facts import FileFacts
from memqa.library import Library
from memqa.named import files_of
from memqa.settings import Settings
from models.errors import InputError, UnsupportedMedia
from tests.memqa.parts import FakeEngines


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "inside"
    (inside / "deep").mkdir(parents=True)
    (inside / "deep" / "b.txt").write_text("Some words in the deep.")
    (inside / "a.txt").write_text("Some words.")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "c.txt").write_text("Some words outside.")
    return inside


def names(folder: Path, *, recursive: bool = True) -> list[str]:
    return [str(one.relative_to(folder)) for one in files_of(folder, recursive=recursive)]


def test_hidden_files_and_folders_are_left_alone(folder: Path) -> None:
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "d.txt").write_text("x")
    (folder / ".d.txt").write_text("x")
    assert names(folder) == ["a.txt", "deep/b.txt"]
    assert names(folder, recursive=False) == ["a.txt"]
    assert files_of(folder / ".d.txt", recursive=True) == [folder / ".d.txt"]


def test_links_to_folders_are_not_followed_and_rings_end(folder: Path) -> None:
    (folder / "out").symlink_to(folder.parent / "outside")
    (folder / "ring").symlink_to(folder)
    (folder / "deep" / "up").symlink_to("..")
    (folder / "self").symlink_to("self")
    (folder / "gone").symlink_to("nowhere")
    assert names(folder) == ["a.txt", "deep/b.txt"]


def test_a_link_to_a_file_stands_for_it(folder: Path) -> None:
    (folder / "link.txt").symlink_to(folder.parent / "outside" / "c.txt")
    assert names(folder) == ["a.txt", "deep/b.txt", "link.txt"]


def test_pipes_sockets_and_devices_in_a_folder_are_never_opened(folder: Path) -> None:
    os.mkfifo(folder / "pipe.mp4")
    (folder / "zero.txt").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "s.txt"))
        assert names(folder) == ["a.txt", "deep/b.txt"]


def test_a_pipe_or_a_device_that_is_named_is_refused(folder: Path, tmp_path: Path) -> None:
    os.mkfifo(folder / "pipe.pdf")
    (folder / "zero.txt").symlink_to("/dev/zero")
    engines = FakeEngines()
    with Library(tmp_path / "home", Settings(), engines=engines) as library:  # type: ignore[arg-type]
        for name in ("pipe.pdf", "zero.txt"):
            with pytest.raises(UnsupportedMedia, match=f"{name} is a pipe or a device"):
                FileFacts.of(folder / name)
            (outcome,) = library.index([folder / name])
            assert outcome.status == "failed"
            assert "a pipe or a device" in str(outcome.error)


def test_a_folder_of_more_files_than_any_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(named, "MOST_FILES", 1)
    with pytest.raises(InputError, match="holds more than 1 files; index the folders"):
        files_of(folder, recursive=True)

"""What a power cut may leave: nothing is seen before it is safe, and a torn version is dropped."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from memqa.library import Library
from memqa.store.durable import Durable
from tests.memqa.parts import FakeEngines

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there the system does it")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    file = tmp_path / "birds.txt"
    file.write_text("The zebrafinch nested in the old barn.\n", encoding="utf-8")
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        library.add(file)
    return tmp_path / "home"


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were handed to the disk, in order."""
    paths: dict[int, str] = {}
    done: list[str] = []
    real_open, real_sync = os.open, os.fsync

    def opened(path: str, *arguments: int) -> int:
        number = real_open(path, *arguments)
        paths[number] = os.fspath(path)
        return number

    def synced(number: int) -> None:
        real_sync(number)
        done.append(paths.get(number, ""))

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "fsync", synced)
    return done


def test_every_file_of_a_library_is_handed_to_the_disk(home: Path, handed: list[str]) -> None:
    file = home.parent / "more.txt"
    file.write_text("The xylophonist played.\n", encoding="utf-8")
    before = {str(path) for path in (home / "tables").rglob("*")}
    with Library(home, engines=FakeEngines()) as library:
        library.add(file)
    there = {str(path) for path in (home / "tables").rglob("*") if path.is_file()}
    new = {path for path in there - before if "_transactions" not in path}
    assert new
    assert new <= set(handed)


def test_rows_are_safe_before_they_are_seen(home: Path, handed: list[str]) -> None:
    file = home.parent / "more.txt"
    file.write_text("The xylophonist played.\n", encoding="utf-8")
    with Library(home, engines=FakeEngines()) as library:
        handed.clear()
        library.add(file)
        (media,) = [one for one in library.media() if one.name == "more.txt"]
        versions = (home / "tables" / "media.lance" / "_versions").glob("*.manifest")
        seen_at = {handed.index(str(path)) for path in versions if str(path) in handed}
    rows = [at for at, path in enumerate(handed) if "/memories.lance/data/" in path]
    assert media.status == "indexed"
    assert rows
    assert seen_at
    assert min(rows) < max(seen_at)


def test_what_is_safe_already_is_not_handed_over_again(home: Path, handed: list[str]) -> None:
    durable = Durable(home / "tables")
    durable.secure()
    assert handed
    handed.clear()
    durable.secure()
    assert handed == []


@pytest.mark.parametrize("table", ["media", "memories", "states", "chats", "collections"])
@pytest.mark.parametrize("left", [0, 11])
def test_a_version_that_a_power_cut_tore_is_dropped(home: Path, table: str, left: int) -> None:
    versions = home / "tables" / f"{table}.lance" / "_versions"
    newest = min(versions.glob("*.manifest"))
    torn = versions / f"{int(newest.stem) - 1:020d}.manifest"
    shutil.copyfile(newest, torn)
    os.truncate(torn, left)
    with Library(home, engines=FakeEngines()) as library:
        assert [one.status for one in library.media()] == ["indexed"]
        assert library.search("zebrafinch")
    assert not torn.exists()


def test_a_doctor_tells_of_a_torn_table_and_mends_it(home: Path) -> None:
    versions = home / "tables" / "memories.lance" / "_versions"
    newest = min(versions.glob("*.manifest"))
    (versions / f"{int(newest.stem) - 1:020d}.manifest").write_bytes(b"")
    with Library(home, engines=FakeEngines()) as library:
        (told,) = [one for one in library.doctor(whole=True) if one.name == "table memories"]
        assert told.finding == "problem"
        (mended,) = [one for one in library.doctor(repair=True) if one.name == "table memories"]
        assert mended.detail.startswith("mended: the table memories is again as it was")
        assert library.search("zebrafinch")

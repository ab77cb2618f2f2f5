"""Media by address in the page: who may give one, and what is said where a file is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from memqa.library import Stats
from memqa.store.schema import NO_COPY
from memqa.ui import live, reading
from memqa.ui.places import Places
from memqa.values import Media
from models.errors import InputError
from tests.memqa.test_ui_shelf import html_of, shelf
from tests.ui_fakes import FakeLibrary

ADDRESS = "https://host.test/lectures/talk.mp4"
FETCHED = Media("a" * 64, ADDRESS, "video", "indexed", duration_s=20.0, notes=(NO_COPY,))


@pytest.fixture
def library(tmp_path: Path) -> FakeLibrary:
    return FakeLibrary(tmp_path / "home", [FETCHED])


def test_an_address_becomes_a_job(library: FakeLibrary) -> None:
    shelf(library).add_path({"path": f" {ADDRESS} "})
    assert library.added == [ADDRESS]


def test_visitors_give_no_addresses(library: FakeLibrary) -> None:
    with pytest.raises(InputError, match="this machine alone"):
        shelf(library, local=False).add_path({"path": ADDRESS})
    assert library.added == []


def test_visitors_are_not_told_where_a_library_on_object_storage_lies(
    library: FakeLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = Stats("s3://private/lectures", 1, 1, 0, 20.0, 0, 9, 1_200_000, 0)
    monkeypatch.setattr(library, "stats", lambda: where)
    assert "s3://private/lectures" in shelf(library).look({})["foot"]
    foot = shelf(library, local=False).look({})["foot"]
    assert "private" not in foot
    assert "of memory in object storage" in foot


def test_a_prefix_stands_for_the_media_below_it(
    library: FakeLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = ["s3://b/l/a.mp4", "s3://b/l/data.bin", "s3://b/l/r.pdf"]
    monkeypatch.setattr("memqa.ui.shelf.files_of", lambda address: below)
    shelf(library).add_path({"path": "s3://b/l/"})
    assert library.added == ["s3://b/l/a.mp4", "s3://b/l/r.pdf"]
    monkeypatch.setattr("memqa.ui.shelf.files_of", lambda address: ["s3://b/l/x.bin"])
    with pytest.raises(InputError, match="no documents"):
        shelf(library).add_path({"path": "s3://b/l/"})


def test_what_was_fetched_is_asked_and_not_opened(library: FakeLibrary) -> None:
    assert Places(local=True).open(FETCHED) is None
    assert "no copy is kept" in live.without_player(FETCHED, watched=False)
    with pytest.raises(InputError, match=f"fetched from {ADDRESS}"):
        reading.leaf(Media("d" * 64, ADDRESS, "document", "indexed", notes=(NO_COPY,)), 1)
    assert ADDRESS in html_of(shelf(library))

"""Collections: what is kept, what a name may be, which of two things it means, what forget does."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import lancedb
import pytest

from memqa.library import Library
from memqa.store.store import Store
from memqa.values import Collection
from models.errors import InputError
from tests.memqa.parts import FakeEngines, bytes_under

TEXTS = {
    "north.md": "The ferry to the north leaves at nine. Tickets cost 12 crowns.",
    "south.md": "The ferry to the south leaves at noon. Dogs travel for free.",
    "tower.md": "Ingrid Holm kept the lighthouse for 31 years.",
}


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        for name, text in TEXTS.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
            library.add(tmp_path / name)
        yield library


def ids(library: Library, *names: str) -> tuple[str, ...]:
    return tuple(library.show(name).id for name in names)


def test_a_collection_is_made_grows_and_is_asked_by_its_name(library: Library) -> None:
    made = library.collect("Ferries", ["south.md", "north.md"])
    assert made == Collection("Ferries", ids(library, "south.md", "north.md"))
    assert library.collect("ferries", "south.md").media_ids == made.media_ids
    found = library.search("ferry lighthouse", media="ferries")
    assert {item.media_id for item in found} == set(made.media_ids)
    assert {item.media_id for item in library.search("lighthouse", media=["FERRIES", "tower.md"])}
    answer = library.ask("Who kept the lighthouse?", media="Ferries")
    assert answer.state != "grounded"
    assert library.ask("Who kept the lighthouse?", media=["Ferries", "tower.md"]).state == (
        "grounded"
    )


def test_a_collection_may_hold_what_another_holds(library: Library) -> None:
    library.collect("ferries", ["north.md", "south.md"])
    library.collect("all", ["ferries", "tower.md"])
    assert [one.name for one in library.collections()] == ["all", "ferries"]
    assert library.scope("all").media_ids == ids(library, "north.md", "south.md", "tower.md")


def test_media_leave_a_collection_and_stay_in_the_library(library: Library) -> None:
    library.collect("ferries", ["north.md", "south.md"])
    assert library.uncollect("ferries", "north.md").media_ids == ids(library, "south.md")
    with pytest.raises(InputError, match=r"north.md is not in the collection 'ferries'"):
        library.uncollect("ferries", "north.md")
    library.uncollect("ferries", "south.md")
    with pytest.raises(InputError, match=r"'ferries' is empty.*memqa collect"):
        library.ask("When does it leave?", media="ferries")
    assert library.uncollect("FERRIES") == Collection("ferries")
    assert library.collections() == []
    assert len(library.media()) == 3
    with pytest.raises(InputError, match="no collection 'ferries'; see `memqa collections`"):
        library.uncollect("ferries")


def test_what_is_forgotten_leaves_its_collections(library: Library) -> None:
    library.collect("ferries", ["north.md", "south.md"])
    gone, kept = ids(library, "north.md", "south.md")
    assert bytes_under(library.home / "tables" / "collections.lance", gone)
    library.forget("north.md")
    assert library.collections() == [Collection("ferries", (kept,))]
    assert bytes_under(library.home / "tables" / "collections.lance", gone) == []


def test_a_changed_file_stays_in_its_collections(library: Library, tmp_path: Path) -> None:
    before = library.collect("ferries", ["north.md", "south.md"])
    (tmp_path / "north.md").write_text("The ferry to the north leaves at ten.", encoding="utf-8")
    changed = library.add(tmp_path / "north.md").id
    assert changed not in before.media_ids
    assert library.collections()[0].media_ids == (changed, before.media_ids[1])


def test_media_that_another_program_forgot_are_counted_as_missing(library: Library) -> None:
    library.collect("ferries", "north.md")
    library.store.collections.add("ferries", ["0" * 64])
    assert library.collections() == [Collection("ferries", ids(library, "north.md"), missing=1)]


@pytest.mark.parametrize(
    "name",
    ['O\'Brien "x"; DROP TABLE', "отчёты 2023", "報告書", "100 %_", "a/b\\c", "~nobody", "🧑‍🚀"],
)
def test_odd_names_are_names(library: Library, name: str) -> None:
    library.collect("other", "south.md")
    library.collect(name, "north.md")
    assert library.scope(name).media_ids == ids(library, "north.md")
    library.uncollect(name, "north.md")
    library.uncollect(name)
    assert [one.name for one in library.collections()] == ["other"]


def test_a_name_is_the_same_however_it_is_written(library: Library) -> None:
    composed = "Régions d'été"
    library.collect(unicodedata.normalize("NFD", composed), "north.md")
    library.collect(f"  {composed.upper()}\n", "south.md")
    assert [(one.name, len(one.media_ids)) for one in library.collections()] == [(composed, 2)]
    assert library.collect("x" * 80, "north.md").name == "x" * 80


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (" \n", "has no name"),
        ("x" * 81, "at most 80 characters, this one 81"),
        ("a\x1b[2J", "cannot be printed"),
        ("a\u202eb", "cannot be printed"),
        ("a\ud800", "cannot be printed"),
        ("report.pdf:n2-1", "like a branch"),
        ("north.md", "names a file already"),
    ],
)
def test_what_cannot_be_a_name_is_refused(library: Library, name: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        library.collect(name, "south.md")
    assert library.collections() == []


def test_a_file_comes_before_a_collection_of_its_name(library: Library, tmp_path: Path) -> None:
    library.collect("late.md", ["north.md", "south.md"])
    assert library.scope("late.md").collection == "late.md"
    assert library.scope("late.md").notes == ()
    (tmp_path / "late.md").write_text("The night bus runs late.", encoding="utf-8")
    library.add(tmp_path / "late.md")
    scope = library.scope(["late.md"])
    assert scope.media_ids == ids(library, "late.md")
    assert scope.collection == ""
    assert "the file is meant" in scope.notes[0]
    answer = library.ask("Which bus runs late?", media="late.md")
    assert scope.notes[0] in [step.detail for step in answer.walk]


def test_names_that_fit_nothing_say_where_to_look(library: Library) -> None:
    for media in ("nothing", "", "\0", "~nobody-at-all"):
        with pytest.raises(
            InputError, match=r"neither a media nor a collection.*memqa collections"
        ):
            library.ask("What is it?", media=media)
    with pytest.raises(InputError, match="neither a media"):
        library.collect("ferries", ["north.md", "nothing"])
    with pytest.raises(InputError, match="nothing to put into"):
        library.collect("ferries", [])
    assert library.collections() == []


def test_a_library_from_before_has_no_collection_yet(tmp_path: Path) -> None:
    Store(tmp_path / "home")
    lancedb.connect(tmp_path / "home" / "tables").drop_table("collections")
    store = Store(tmp_path / "home")
    assert store.collections.all() == []
    store.collections.add("ferries", ["a" * 64])
    assert Store(tmp_path / "home").collections.find("FERRIES") == Collection("ferries", (), 1)

"""What the shelf's buttons do, and what they refuse to believe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from memqa.ui.desk import Desk
from memqa.ui.places import Places
from memqa.ui.shelf import Shelf
from memqa.ui.uploads import file_name
from memqa.values import Media
from models.errors import InputError
from tests.ui_fakes import FakeLibrary

VIDEO = Media("v" * 64, "/home/me/talk.mp4", "video", "indexed", duration_s=20.0)


@pytest.fixture
def library(tmp_path: Path) -> FakeLibrary:
    return FakeLibrary(tmp_path / "home", [VIDEO])


def shelf(library: FakeLibrary, *, local: bool = True) -> Shelf:
    cache = library.home / "page" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    desk = Desk(library.home / "page" / "desk.json")
    return Shelf(
        library,  # type: ignore[arg-type]
        desk,
        Places(local=local),
        cache=cache,
        on_ready=lambda: library.told.append("ready"),
    )


def test_the_models_are_called_for_once_when_there_is_something_to_ask(tmp_path: Path) -> None:
    library = FakeLibrary(tmp_path / "home")
    page = shelf(library)
    page.look({})
    assert library.told == []
    library.kept[VIDEO.id] = VIDEO
    page.look({})
    page.look({})
    assert library.told == ["ready"]


def test_an_upload_leaves_the_cache_and_becomes_a_job(library: FakeLibrary) -> None:
    page = shelf(library)
    sent = library.home / "page" / "cache" / "hash" / "clip.mp4"
    sent.parent.mkdir()
    sent.write_bytes(b"x")
    page.add_upload({"path": str(sent), "name": "Ferien – Küste.mp4"})
    assert not sent.exists()
    assert [path.name for path in library.added] == ["Ferien – Küste.mp4"]
    assert library.home / "uploads" in library.added[0].parents


def test_a_browser_cannot_have_other_files_moved(library: FakeLibrary, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("s", encoding="utf-8")
    page = shelf(library)
    for path in (
        str(secret),
        str(library.home / "page" / "cache" / ".." / ".." / ".." / "secret.txt"),
    ):
        with pytest.raises(InputError, match="did not arrive"):
            page.add_upload({"path": path, "name": "x.mp4"})
    assert secret.exists()


def test_of_a_folder_only_media_are_taken(library: FakeLibrary, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    files = {
        "notes.md": b"# Heron\n\nIt waits at the weir.\n",
        "photo.jpg": b"\xff\xd8\xff\xe0" + bytes(64),
        "saved.mp4": b"<html>not found</html>",
        "talk.mp4": bytes(4) + b"ftypisom" + bytes(64),
        "data.bin": bytes(range(256)),
        ".hidden": b"words",
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    told = shelf(library).add_path({"path": str(folder)})
    assert [path.name for path in library.added] == ["notes.md", "talk.mp4"]
    assert told["said"] == "Adding 2\u00a0files of mixed. 3\u00a0other files are no media."
    (folder / "notes.md").unlink()
    (folder / "talk.mp4").unlink()
    with pytest.raises(InputError, match="no documents, videos or recordings"):
        shelf(library).add_path({"path": str(folder)})


def test_a_path_is_taken_where_it_lies(library: FakeLibrary, tmp_path: Path) -> None:
    here = tmp_path / "talk.mp4"
    here.write_bytes(b"x")
    shelf(library).add_path({"path": f' "{here}" '})
    assert library.added == [here]
    assert here.exists()


@pytest.mark.parametrize("path", ["", "talk.mp4", "/no/such/file.mp4"])
def test_a_path_that_leads_nowhere_is_refused(library: FakeLibrary, path: str) -> None:
    with pytest.raises(InputError):
        shelf(library).add_path({"path": path})


def test_paths_are_not_taken_from_a_network(library: FakeLibrary) -> None:
    with pytest.raises(InputError, match="this machine alone"):
        shelf(library, local=False).add_path({"path": "/etc/passwd"})


def test_the_shelf_is_sent_only_when_it_changed(library: FakeLibrary) -> None:
    page = shelf(library)
    first = page.look({})
    assert page.look({"version": first["version"]}) == {"same": True}
    page.tick({"media": VIDEO.id, "ticked": False})
    assert "same" not in page.look({"version": first["version"]})


def test_forgetting_takes_the_card_away(library: FakeLibrary) -> None:
    page = shelf(library)
    assert "forgotten" in page.forget({"key": VIDEO.id})["said"]
    assert page.look({})["empty"]


def test_cancelled_work_can_be_gone_on_with(library: FakeLibrary, tmp_path: Path) -> None:
    page = shelf(library)
    film = tmp_path / "new.mp4"
    film.write_bytes(b"x")
    job = library.add(film)
    page.cancel({"job": job.id})
    assert library.jobs()[0].state == "cancelled"
    assert "Go on" in page.look({})["html"]
    page.dismiss({"key": job.id})
    assert "new.mp4" not in page.look({})["html"]
    assert film.exists()
    page.retry({"key": job.id, "job": job.id})
    assert "new.mp4" in page.look({})["html"]


def test_a_dismissed_upload_leaves_the_disk(library: FakeLibrary) -> None:
    page = shelf(library)
    film = library.home / "uploads" / "one" / "new.mp4"
    film.parent.mkdir(parents=True)
    film.write_bytes(b"x")
    job = library.add(film)
    page.cancel({"job": job.id})
    page.dismiss({"key": job.id})
    assert not film.exists()


def test_a_refused_upload_that_is_gone_cannot_be_tried_again(library: FakeLibrary) -> None:
    page = shelf(library)
    job = library.add(library.home / "uploads" / "one" / "odd.mp4")
    library.queue[job.id] = replace(job, state="failed", error="odd.mp4 is no video")
    html = page.look({})["html"]
    assert "Dismiss" in html
    assert "Try again" not in html


def test_only_single_files_are_served_and_no_pages(library: FakeLibrary, tmp_path: Path) -> None:
    class Page:
        allowed_paths: list[str] = []  # noqa: RUF012

    places = Places(local=True)
    places.serve_by(Page())  # type: ignore[arg-type]
    film, trap = tmp_path / "film.mp4", tmp_path / "trap.html"
    for path in (film, trap):
        path.write_bytes(b"x")
    shown = Media("f" * 64, str(film), "video", "indexed")
    assert places.open(shown) == f"gradio_api/file={film}"
    assert places.open(Media("t" * 64, str(trap), "video", "indexed")) is None
    assert Page.allowed_paths == [str(film)]
    places.close(shown)
    assert Page.allowed_paths == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("talk.mp4", "talk.mp4"),
        ("../../etc/passwd", "passwd"),
        ("C:\\films\\a<b>.mp4", "ab.mp4"),
        ("  .mp4", "mp4"),
        ("", "upload"),
        ("講演.pdf", "講演.pdf"),
        ("x\x00\n.pdf", "x.pdf"),
    ],
)
def test_file_names_are_made_safe_and_stay_readable(given: str, kept: str) -> None:
    assert file_name(given) == kept


def test_a_very_long_name_keeps_its_suffix() -> None:
    made = file_name("é" * 400 + ".mp4")
    assert len(made.encode()) <= 200
    assert made.endswith("é.mp4")

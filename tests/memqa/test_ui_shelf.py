"""What the shelf's buttons do, and what they refuse to believe."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from memqa.jobs import Job
from memqa.ui.collections import Collections
from memqa.ui.desk import Desk
from memqa.ui.places import Places
from memqa.ui.shelf import Shelf
from memqa.ui.uploads import file_name
from memqa.values import Collection, Media
from models.errors import InputError
from tests.ui_fakes import FakeLibrary

VIDEO = Media("v" * 64, "/home/me/talk.mp4", "video", "indexed", duration_s=20.0)
REPORT = Media(
    "d" * 64, "/home/me/report.pdf", "document", "indexed", added_at="2026-01-01T00:00:00Z"
)


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


def html_of(page: Shelf) -> str:
    return "".join(page.look({})["cards"].values())


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


def test_an_upload_that_is_refused_leaves_the_cache(
    library: FakeLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> Path:
        raise InputError("clip.mp4 is 9.0 GB")

    monkeypatch.setattr(library, "keep_upload", refused)
    sent = library.home / "page" / "cache" / "hash" / "clip.mp4"
    page = shelf(library)
    sent.parent.mkdir()
    sent.write_bytes(b"x")
    with pytest.raises(InputError, match=r"9\.0 GB"):
        page.add_upload({"path": str(sent), "name": "clip.mp4"})
    assert not sent.exists()
    assert library.added == []


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


def test_only_cards_that_changed_are_sent(library: FakeLibrary) -> None:
    library.kept[REPORT.id] = REPORT
    page = shelf(library)
    first = page.look({})
    assert set(first["cards"]) == set(first["keys"]) == {VIDEO.id, REPORT.id}
    page.tick({"media": VIDEO.id, "ticked": False})
    second = page.look({"version": first["version"]})
    assert (list(second["cards"]), second["keys"]) == ([VIDEO.id], first["keys"])
    assert set(page.look({"version": "of another server"})["cards"]) == set(first["keys"])


def test_a_file_that_was_there_already_is_said_once(library: FakeLibrary) -> None:
    library.kept[REPORT.id] = REPORT
    page = shelf(library)
    mine = page.add_path({"path": str(Path(__file__))})["jobs"]
    found = page.look({"mine": mine})
    assert "told" not in found
    version = found["version"]
    (job,) = library.jobs()
    ended = replace(job, state="done", media_id=REPORT.id, started_at=2e9)
    library.queue[job.id] = ended
    assert not page.look({"version": version}).get("said"), "another tab did not add it"
    told = page.look({"version": version, "mine": mine})
    assert told["said"] == "report.pdf is in the library already."
    assert told["told"] == mine
    again = page.add_path({"path": str(Path(__file__))})["jobs"]
    library.queue["job1"] = replace(ended, id="job1", started_at=1e9)
    told = page.look({"mine": again})
    assert (told["said"], told["told"]) == ("", again), "it was new"


def test_what_nobody_works_on_any_more_is_settled(library: FakeLibrary) -> None:
    page = shelf(library)
    half = replace(VIDEO, status="indexing", remembered_s=840)
    library.kept[VIDEO.id] = half
    assert "another program is reading it" in html_of(page)
    assert "settled" in library.told
    library.told.clear()
    library.queue["j"] = Job("j", half.path, "running", half.id)
    page.look({})
    assert "settled" not in library.told, "the worker is at it"


def test_stale_media_are_brought_up_to_date_in_the_background(library: FakeLibrary) -> None:
    library.kept = {one.id: replace(one, stale=("text",)) for one in (VIDEO, REPORT)}
    page = shelf(library)
    found = page.look({})
    assert "2 media were indexed with other models" in found["above"]
    assert "Bring up to date" in found["cards"][VIDEO.id]
    page.renew({"key": VIDEO.id})
    assert "waiting for its turn" in html_of(page)
    page.renew_all({})
    assert [(job.media_id, job.task) for job in library.jobs()] == [
        (VIDEO.id, "reindex"),
        (REPORT.id, "reindex"),
    ]
    assert "Bring" not in html_of(page)


def groups(library: FakeLibrary) -> Collections:
    return Collections(library, Desk(library.home / "page" / "desk.json"))  # type: ignore[arg-type]


def test_ticked_media_are_kept_as_a_collection_and_asked_by_it(library: FakeLibrary) -> None:
    library.kept[REPORT.id] = REPORT
    page = shelf(library)
    page.tick({"media": VIDEO.id, "ticked": False})
    assert "Keep this one as a collection" in page.look({})["above"]
    sets = Collections(library, page._desk)  # type: ignore[arg-type]
    assert sets.keep_collection({"name": " reports "})["said"] == "1\u00a0media is kept as reports."
    found = page.look({})
    assert 'aria-pressed="true"' in found["above"]
    assert "Keep" not in found["above"]
    assert found["scope"]["line"] == "asks the collection reports (1 media)"
    sets.tick_only({})
    assert page.look({})["scope"]["line"] == "asks all 2 media"
    sets.ask_collection({"name": "reports"})
    assert page.look({})["scope"]["line"] == "asks the collection reports (1 media)"
    with pytest.raises(InputError, match="already"):
        sets.keep_collection({"name": "Reports"})
    assert "media stay" in sets.remove_collection({"name": "reports"})["said"]
    with pytest.raises(InputError, match="no collection"):
        sets.ask_collection({"name": "reports"})


def test_a_file_where_nobody_may_look_does_not_stop_the_shelf(
    library: FakeLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = shelf(library)
    job = library.add(library.home / "closed" / "odd.mp4")
    library.queue[job.id] = replace(job, state="failed", error="odd.mp4 cannot be read")

    def refused(_: Path) -> bool:
        raise PermissionError("closed")

    monkeypatch.setattr(Path, "exists", refused)
    assert "Try again" in html_of(page)


def test_only_what_is_ticked_and_can_be_asked_is_kept_together(library: FakeLibrary) -> None:
    third = replace(REPORT, id="e" * 64, path="/home/me/other.pdf")
    coming = replace(REPORT, id="c" * 64, path="/home/me/coming.pdf", status="queued")
    library.kept |= {one.id: one for one in (REPORT, third, coming)}
    page = shelf(library)
    sets = Collections(library, page._desk)  # type: ignore[arg-type]
    page.tick({"media": third.id, "ticked": False})
    assert "Keep these 2" in page.look({})["above"]
    sets.keep_collection({"name": "both"})
    assert library.sets["both"].media_ids == (VIDEO.id, REPORT.id)
    page.tick({"media": VIDEO.id, "ticked": False})
    page.tick({"media": REPORT.id, "ticked": False})
    with pytest.raises(InputError, match="Nothing is ticked"):
        sets.keep_collection({"name": "none"})


def test_a_collection_with_a_media_that_comes_yet_is_shown_as_asked(library: FakeLibrary) -> None:
    coming = replace(REPORT, id="c" * 64, path="/home/me/coming.pdf", status="queued")
    library.kept |= {one.id: one for one in (REPORT, coming)}
    library.sets["mine"] = Collection("mine", (VIDEO.id, coming.id))
    page = shelf(library)
    sets = Collections(library, page._desk)  # type: ignore[arg-type]
    sets.ask_collection({"name": "mine"})
    found = page.look({})
    assert 'aria-pressed="true"' in found["above"]
    assert found["scope"]["line"] == "asks the collection mine (1 media)"
    sets.ask_collection({"name": "mine", "off": True})
    found = page.look({})
    assert 'aria-pressed="true"' not in found["above"]
    assert found["scope"]["line"] == "asks all 2 media"


def test_a_collection_of_all_media_is_switched_on_and_off(library: FakeLibrary) -> None:
    library.kept[REPORT.id] = REPORT
    library.sets["all"] = Collection("all", (VIDEO.id, REPORT.id))
    page = shelf(library)
    sets = Collections(library, page._desk)  # type: ignore[arg-type]
    for _ in range(2):
        sets.ask_collection({"name": "all"})
        found = page.look({})
        assert 'aria-pressed="true"' in found["above"]
        assert found["scope"]["line"] == "asks the collection all (2 media)"
        sets.ask_collection({"name": "all", "off": True})
        found = page.look({})
        assert 'aria-pressed="true"' not in found["above"]
        assert found["scope"]["line"] == "asks all 2 media"


def test_a_collection_without_media_cannot_be_asked(library: FakeLibrary) -> None:
    library.sets["gone"] = Collection("gone", (), 2)
    with pytest.raises(InputError, match="Nothing of gone"):
        groups(library).ask_collection({"name": "gone"})


def test_names_of_collections_are_never_markup(library: FakeLibrary) -> None:
    library.kept[REPORT.id] = REPORT
    library.sets["<b>"] = Collection("<b>", (VIDEO.id,))
    assert "<b>" not in shelf(library).look({})["above"]


def test_a_shelf_of_a_thousand_media_is_told_quickly(tmp_path: Path) -> None:
    many = [replace(VIDEO, id=f"{n:064x}", path=f"/home/me/talk {n}.mp4") for n in range(1000)]
    library = FakeLibrary(tmp_path / "home", many)
    page = shelf(library)
    version = page.look({})["version"]
    library.queue["j"] = Job("j", many[7].path, "running", many[7].id, "video")
    started = time.perf_counter()
    changed = page.look({"version": version})
    assert time.perf_counter() - started < 0.5
    assert list(changed["cards"]) == [many[7].id]
    assert len(changed["keys"]) == 1000


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
    assert "Go on" in html_of(page)
    page.dismiss({"key": job.id})
    assert "new.mp4" not in html_of(page)
    assert film.exists()
    page.retry({"key": job.id, "job": job.id})
    assert "new.mp4" in html_of(page)


def test_a_dismissed_upload_leaves_the_disk(library: FakeLibrary) -> None:
    page = shelf(library)
    film = library.home / "uploads" / "one" / "new.mp4"
    film.parent.mkdir(parents=True)
    film.write_bytes(b"x")
    job = library.add(film)
    page.cancel({"job": job.id})
    page.retry({"key": job.id, "job": job.id})
    page.dismiss({"key": job.id})
    assert film.exists(), "it was tried again in another tab"
    page.retry({"key": job.id, "job": job.id})
    page.cancel({"job": job.id})
    page.dismiss({"key": job.id})
    assert not film.exists()


def test_a_desk_keeps_nothing_but_what_is_in_the_library(library: FakeLibrary) -> None:
    page = shelf(library)
    with pytest.raises(InputError, match="not in the library"):
        page.tick({"media": "x" * 1_000_000, "ticked": False})
    page.dismiss({"key": "x" * 1_000_000})
    assert [len(file.read_bytes()) for file in library.home.rglob("*.json")] == []


def test_dismissing_a_watch_never_deletes_the_file_of_a_media(library: FakeLibrary) -> None:
    film = library.home / "uploads" / "one" / "film.webm"
    film.parent.mkdir(parents=True)
    film.write_bytes(b"x")
    library.kept["f" * 64] = Media("f" * 64, str(film), "video", "indexed", duration_s=2.0)
    library.queue["j"] = Job("j", str(film), "failed", error="no video", task="live")
    shelf(library).dismiss({"key": "j"})
    assert film.exists()


def test_a_refused_upload_that_is_gone_cannot_be_tried_again(library: FakeLibrary) -> None:
    page = shelf(library)
    job = library.add(library.home / "uploads" / "one" / "odd.mp4")
    library.queue[job.id] = replace(job, state="failed", error="odd.mp4 is no video")
    html = html_of(page)
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

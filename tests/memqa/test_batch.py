"""Many files by worker processes: the same rows as by one, and a bad file ends alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from memqa import batch_lines
from memqa.alone import leased
from memqa.library import Library
from memqa.settings import BatchSettings, load
from memqa.values import Media, Outcome
from models.errors import BackendError, DecodeFailed, InputError, SetupError
from models.values import Progress
from tests.documents import Sheet, lines, write_pdf
from tests.media import video
from tests.memqa.parts import FakeEngines, write_document
from tests.sites import served

WORKER = "tests.memqa.batch_working"
USUAL = BatchSettings()
FAST = BatchSettings(file_s=60, times_length=0, silence_s=8.0, resident_bytes=600 * 2**20)


@pytest.fixture(autouse=True)
def fake_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memqa.batch_child.WORKER", WORKER)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Small files of all kinds, two of them with the same bytes, and one that is no media."""
    place = tmp_path / "media"
    place.mkdir()
    write_document(place / "a story.md", chapters=1)
    (place / "b notes.txt").write_text("The ferry leaves at nine.\n", encoding="utf-8")
    video(place / "c doors.mp4", shots=(20, 20))
    write_pdf(place / "d report.pdf", [Sheet(ink=lines("The harbour was opened in 1907."))])
    (place / "e notes again.txt").write_bytes((place / "b notes.txt").read_bytes())
    (place / "f table.xyz").write_bytes(bytes(range(256)) * 8)
    (place / "g empty.pdf").write_bytes(b"")
    return place


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Library]]:
    """Open a library of its own, with limits that are soon reached if wished."""
    made: list[Library] = []

    def open_(name: str, limits: BatchSettings = USUAL) -> Library:
        home = tmp_path / name
        library = Library(home, load(home=home).model_copy(update={"batch": limits}))
        made.append(library)
        return library

    yield open_
    for library in made:
        library.close()


def statuses(outcomes: Sequence[Outcome]) -> dict[str, str]:
    return {Path(outcome.path).name: outcome.status for outcome in outcomes}


def rows(library: Library) -> dict[str, Any]:
    """All that is remembered of each file, but for when it was taken in."""
    read = library.store.read
    told = {}
    for row in read.media_rows():
        media_id, text = row.media.id, row.signatures["text"]
        told[media_id] = (
            (row.media.path, row.aliases, row.media.status, row.media.kind, row.media.notes),
            (row.committed_segment, row.settled, row.media.memories, row.media.bytes),
            sorted(read.memories(media_id), key=lambda memory: memory.id),
            {key: vector.tobytes() for key, vector in read.media_vectors(text, media_id).items()},
            read.states(media_id),
        )
    return told


def test_one_worker_two_workers_and_none_give_the_same_rows(
    folder: Path, opened: Callable[..., Library], tmp_path: Path
) -> None:
    with Library(tmp_path / "here", engines=FakeEngines()) as here:
        expected = list(here.index([folder]))
        wanted = rows(here)
    assert statuses(expected)["e notes again.txt"] == "unchanged"
    for workers in (1, 2):
        library = opened(f"by {workers}")
        progress: list[Progress] = []
        outcomes = list(library.index([folder], workers=workers, on_progress=progress.append))
        assert {one.status for one in outcomes if "notes" in one.path} == {"indexed", "unchanged"}
        others = {
            name: status for name, status in statuses(outcomes).items() if "notes" not in name
        }
        assert others.items() <= statuses(expected).items()
        found = rows(library)
        assert found.keys() == wanted.keys()
        for media_id, told in wanted.items():
            for part, expected_part in zip(found[media_id], told, strict=True):
                assert part == expected_part
        told = {Path(one.file).name for one in progress}
        assert {"a story.md", "c doors.mp4"} <= told


SAYS = {
    "quaffleexit": "ended (exit code 3)",
    "quafflekill": "crashed (signal 9)",
    "quafflehang": "no progress for 8 s",
    "quaffleswell": "more than 629 MB",
}


def test_poisonous_files_fail_alone(tmp_path: Path, opened: Callable[..., Library]) -> None:
    media = tmp_path / "media"
    media.mkdir()
    for word in SAYS:
        (media / f"{word}.txt").write_text(f"Nothing good. It says {word}.\n", encoding="utf-8")
    # This one falls when a part of it is remembered already.
    late = write_document(media / "late.md", chapters=3)
    late.write_text(f"{late.read_text(encoding='utf-8')}\n\nquafflekill\n", encoding="utf-8")
    for name in ("a.txt", "r.txt", "z.txt"):
        (media / name).write_text(f"The ferry {name} leaves at nine.\n", encoding="utf-8")
    library = opened("home", FAST)
    outcomes = list(library.index([media], workers=2))
    failed = {Path(one.path).stem: str(one.error) for one in outcomes if one.status == "failed"}
    assert failed.keys() == SAYS.keys() | {"late"}
    for word, says in SAYS.items():
        assert says in failed[word]
        assert f"{word}.txt" in failed[word]
        assert "it was tried twice" in failed[word]
    assert {one.status for one in outcomes if Path(one.path).stem not in failed} == {"indexed"}
    left = {row.media.name: row for row in library.store.read.media_rows()}
    assert left.keys() == {"a.txt", "r.txt", "z.txt", "late.md"}
    assert left["late.md"].media.status == "failed"
    assert left["late.md"].media.error == failed["late"]
    assert all(row.settled for row in left.values())
    late.write_text(late.read_text(encoding="utf-8").replace("quafflekill", "."), encoding="utf-8")
    assert [one.status for one in library.index([late], workers=1)] == ["indexed"]


def workers_of(parent: int) -> list[psutil.Process]:
    found = []
    for one in psutil.Process(parent).children(recursive=True):
        if WORKER in one.cmdline():
            found.append(one)
    return found


def test_a_wish_to_stop_ends_all_workers_cleanly(
    folder: Path, opened: Callable[..., Library]
) -> None:
    library = opened("home")
    wished: list[Progress] = []
    outcomes = list(
        library.index(
            [folder],
            workers=2,
            on_progress=wished.append,
            should_stop=lambda: any(one.stage == "Loading models" for one in wished),
        )
    )
    assert "cancelled" in {one.status for one in outcomes}
    assert len(outcomes) < 7
    assert not any(one.status == "indexing" for one in library.media())
    assert not workers_of(os.getpid())
    again = statuses(list(library.index([folder], workers=2)))
    assert again["a story.md"] in ("indexed", "unchanged")
    assert again["c doors.mp4"] in ("indexed", "unchanged")


def test_whoever_stops_fetching_ends_the_workers(
    folder: Path, opened: Callable[..., Library]
) -> None:
    library = opened("home")
    outcomes = library.index([folder], workers=2)
    next(iter(outcomes))
    assert workers_of(os.getpid())
    outcomes.close()  # type: ignore[attr-defined]
    assert not workers_of(os.getpid())
    assert not any(one.status == "indexing" for one in library.media())


def test_workers_go_when_their_parent_is_killed(tmp_path: Path) -> None:
    bad = tmp_path / "bad.txt"
    bad.write_text("quafflehang\n", encoding="utf-8")
    program = (
        "import sys, memqa.batch_child as child; from memqa.library import Library\n"
        f"child.WORKER = {WORKER!r}\n"
        "list(Library(sys.argv[1]).index([sys.argv[2]], workers=1))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "home"), str(bad)]
    with subprocess.Popen(command) as parent:
        deadline = time.monotonic() + 60
        while not (found := workers_of(parent.pid)) and time.monotonic() < deadline:
            time.sleep(0.1)
        parent.kill()
    _, alive = psutil.wait_procs(found, timeout=30)
    assert found
    assert not alive


def test_what_another_process_takes_in_is_said_so(
    tmp_path: Path, opened: Callable[..., Library]
) -> None:
    import hashlib

    file = tmp_path / "notes.txt"
    file.write_text("The ferry leaves at nine.\n", encoding="utf-8")
    library = opened("home")
    media_id = hashlib.sha256(file.read_bytes()).hexdigest()
    with leased(library.store.home, media_id):
        (outcome,) = library.index([file], workers=1)
    assert outcome.status == "failed"
    assert "by another process" in str(outcome.error)


def test_no_worker_tells_the_password_of_an_address(
    tmp_path: Path, opened: Callable[..., Library]
) -> None:
    with served() as site:
        secret = site.at("/none.mp4?token=hidden").replace("127.0.0.1", "ada:pa55@127.0.0.1")
        (outcome,) = opened("home").index([secret], workers=1)
    assert outcome.status == "failed"
    assert outcome.path == site.at("/none.mp4?token=…")


def test_a_batch_wants_workers_and_no_engines_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("The ferry leaves at nine.\n", encoding="utf-8")
    with Library(tmp_path / "home") as library, pytest.raises(InputError):
        list(library.index([file], workers=0))
    with Library(tmp_path / "home", engines=FakeEngines()) as library, pytest.raises(SetupError):
        list(library.index([file], workers=1))


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(
            "/a\udc80.mp4", "failed", error=DecodeFailed("The decoder crashed."), elapsed_s=2.5
        ),
        Outcome("b.txt", "indexed", Media("0" * 64, "/b.txt", "document", "indexed", notes=("x",))),
    ],
)
def test_an_outcome_comes_through_the_pipe_as_it_was(outcome: Outcome) -> None:
    told = batch_lines.outcome_from(
        batch_lines.load(batch_lines.dump(batch_lines.of_outcome(outcome)))
    )
    assert told.as_json() == outcome.as_json()
    assert told.media == outcome.media


def test_a_bug_comes_through_the_pipe_as_a_sentence() -> None:
    line = batch_lines.of_outcome(Outcome("b.txt", "failed", error=ValueError("no such thing")))
    error = batch_lines.outcome_from(line).error
    assert isinstance(error, BackendError)
    assert "ValueError: no such thing" in str(error)

"""A library on object storage: taken in, asked, forgotten, by one machine and by two at once."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import lancedb
import pytest

from memqa import homes, worker
from memqa.homes import Address, remote_root
from memqa.library import Library
from memqa.store.leases import WRITING, Leases
from models.errors import BackendError, InputError, MemqaError, SetupError, StoreConflict
from tests.bucket import KEY, SECRET, Bucket, bucket_served
from tests.media import coloured
from tests.memqa.parts import FakeEngines, bytes_under, write_document

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the tests' server is a POSIX one")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def served() -> Iterator[Bucket]:
    with bucket_served() as bucket:
        yield bucket


@pytest.fixture
def bucket(served: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """The bucket, and an environment that lets this process in."""
    for name, value in served.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(homes, "user_data_path", lambda name, **_: tmp_path / "data" / name)
    served.asked.clear()
    yield served
    served.refusal, served.may_read = "", False


@pytest.fixture
def address(bucket: Bucket, request: pytest.FixtureRequest) -> str:
    """A prefix of the test's own."""
    return f"s3://{bucket.name}/{request.node.name.partition('[')[0]}"


@pytest.fixture
def library(address: str) -> Iterator[Library]:
    with Library(address, engines=FakeEngines()) as library:
        yield library


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_document(tmp_path_factory.mktemp("media") / "story.md", chapters=2)


def requests(bucket: Bucket, what: Callable[[], object]) -> int:
    bucket.asked.clear()
    what()
    return len(bucket.asked)


def told_by(library: Library, word: str) -> bool:
    """Say whether a text search finds this word where it stands."""
    return any(word in hit.memory.text for hit in library.store.read.search_text(word))


def ids_in(library: Library) -> list[str]:
    tables = library.store.read._tables
    tables.refresh()
    rows = tables.memories.search().select(["id"]).limit(100_000).to_list()
    return [row["id"] for row in rows]


def test_media_are_taken_in_asked_and_forgotten(
    library: Library, bucket: Bucket, address: str, document: Path, tmp_path: Path
) -> None:
    media = library.add(document)
    film = library.add(coloured(tmp_path / "film.mp4", [(220, 30, 30), (30, 30, 220)], each_s=2))
    assert (media.status, film.status) == ("indexed", "indexed")
    assert not (library.home / "tables").exists()

    assert told_by(library, "zebrafinch")
    assert "clocktower" in library.ask("Where did the zebrafinch nest?").text
    seen = next(one for one in library.search("red", media=film.id) if one.thumbnail)
    assert (library.thumbnail(seen) or b"").startswith(b"\xff\xd8")
    stats = library.stats()
    assert (stats.home, stats.media) == (address, 2)
    assert stats.tables_bytes > 10_000
    assert address in repr(library)
    with pytest.raises(InputError, match=address):
        library.show("strange.mp4")

    assert bucket.holding("zebrafinch")
    library.forget(media.id)
    assert bucket.holding("zebrafinch") == []
    assert library.search("zebrafinch", media=film.id)[0].media_id == film.id
    assert [one.id for one in library.media()] == [film.id]


def test_opening_and_searching_ask_little(
    library: Library, bucket: Bucket, address: str, document: Path
) -> None:
    library.add(document)
    other = Library(address, engines=FakeEngines())
    assert requests(bucket, lambda: other.store) <= 18
    assert {method for method, _ in bucket.asked} == {"GET"}, "opening writes nothing"
    other.search("zebrafinch")
    time.sleep(2.1)
    assert requests(bucket, lambda: other.search("zebrafinch")) <= 10
    assert requests(bucket, lambda: other.search("zebrafinch")) <= 6
    assert requests(bucket, lambda: other.media()) == 0


def test_what_another_process_wrote_is_seen_soon_and_what_it_purged_breaks_no_reader(
    library: Library, address: str, document: Path, tmp_path: Path
) -> None:
    short = tmp_path / "short.txt"
    short.write_text("A heron stood by the weir.\n", encoding="utf-8")
    (heron, story) = (library.add(short), library.add(document))
    other = Library(address, engines=FakeEngines())
    assert len(other.media()) == 2
    assert other.search("heron")
    library.forget(story.id)
    library.store.upkeep.compact()
    # Its own view may be two seconds old, and the files of that are gone.
    assert {one.media_id for one in other.search("heron")} <= {heron.id, story.id}
    time.sleep(2.1)
    assert [one.id for one in other.media()] == [heron.id]
    assert {one.media_id for one in other.search("heron")} == {heron.id}


def test_tidying_up_keeps_what_there_is(library: Library, bucket: Bucket, document: Path) -> None:
    library.add(document)
    before = sorted(ids_in(library))
    for _ in range(2):
        library.store.upkeep.compact()
    assert sorted(ids_in(library)) == before == sorted(set(before))
    assert library.search("zebrafinch")


def test_a_file_of_another_machine_at_the_same_path_stays(
    library: Library, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = tmp_path / "note.txt"
    note.write_text("A heron stood by the weir.\n", encoding="utf-8")
    theirs = library.add(note)
    monkeypatch.setattr(homes, "user_data_path", lambda name, **_: tmp_path / "other" / name)
    with Library(address, engines=FakeEngines()) as other:
        note.write_text("A bittern hid among the reeds.\n", encoding="utf-8")
        ours = other.add(note)
        assert {one.id for one in other.media()} == {theirs.id, ours.id}
        note.write_text("A bittern hid among the reeds, and boomed.\n", encoding="utf-8")
        edited = other.add(note)
        assert {one.id for one in other.media()} == {theirs.id, edited.id}
        assert [one.name for one in (other.home / "taken").iterdir()] == [edited.id]


def test_it_is_carried_out_and_in(
    library: Library, bucket: Bucket, address: str, document: Path, tmp_path: Path
) -> None:
    library.add(document)
    (out,) = library.export(tmp_path / "out", with_files=True)
    assert (out.status, out.with_file) == ("exported", True)
    with Library(f"{address}-2", engines=FakeEngines()) as other:
        (came,) = other.import_from(tmp_path / "out")
        assert came.status == "imported"
        assert told_by(other, "zebrafinch")
    with Library(tmp_path / "local", engines=FakeEngines()) as local:
        local.import_from(tmp_path / "out")
        assert told_by(local, "zebrafinch")
    for carry in (library.export, library.import_from):
        with pytest.raises(InputError, match="takes a folder"):
            carry(f"{address}-3")


# Two machines


def machines(address: str, tmp_path: Path, *files: list[Path]) -> list[tuple[list[Any], str]]:
    """Let a machine each take these files in, all at once; give what each says, and its stderr."""
    go = tmp_path / "go"
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.memqa.machine", address, str(go), *map(str, its)],
            cwd=ROOT,
            env=os.environ | {"XDG_DATA_HOME": str(tmp_path / f"machine-{number}")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number, its in enumerate(files)
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()
    go.touch()
    ended = [process.communicate(timeout=120) for process in running]
    return [([json.loads(line) for line in out.splitlines()], err) for out, err in ended]


def test_two_machines_at_once_lose_nothing_and_double_nothing(
    library: Library, address: str, tmp_path: Path
) -> None:
    library.media()
    both, *own = (tmp_path / f"{name}.txt" for name in ("harbour", "amber", "basalt"))
    for file in (both, *own):
        file.write_text(f"This tells of the {file.stem} alone.\n" * 3, encoding="utf-8")
    said = machines(address, tmp_path, *([both, file] for file in own))
    for (shared, alone), complaints in said:
        assert "Traceback" not in complaints
        # Whoever comes second waits for nobody: it is told so, or finds it done.
        is_told = shared[2] == "StoreConflict" and "another machine" in shared[3]
        assert shared[1] in ("indexed", "unchanged") or is_told, shared
        assert alone[1] == "indexed", alone
    assert any(shared[1] == "indexed" for (shared, _), _ in said)

    time.sleep(2.1)
    media = library.media()
    assert sorted(one.name for one in media) == sorted(file.name for file in (both, *own))
    assert {one.status for one in media} == {"indexed"}
    ids = ids_in(library)
    assert len(ids) == len(set(ids)) == sum(one.memories for one in media)
    assert all(told_by(library, file.stem) for file in (both, *own))


# What goes wrong


def refused(what: Callable[[], object], kind: type[MemqaError], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        what()
    said = f"{caught.value}{caught.value.__cause__ or ''}"
    assert said.count("\n") == 0
    assert KEY not in said
    assert SECRET not in said
    assert "lance" not in said


def test_no_such_bucket_and_no_credentials_are_said(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    strange = Library("s3://strange/prefix", engines=FakeEngines())
    refused(strange.media, SetupError, "there is no bucket s3://strange")
    assert [one.detail for one in strange.doctor() if one.finding == "problem"][-1].startswith(
        "there is no bucket"
    )
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/none")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    nameless = Library(f"s3://{bucket.name}/nobody", engines=FakeEngines())
    refused(nameless.media, SetupError, "there are no credentials")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("InvalidAccessKeyId", "are not accepted"),
        ("SignatureDoesNotMatch", "are not accepted"),
        ("AccessDenied", "may not do this"),
        ("RequestTimeTooSkewed", "the clock"),
    ],
)
def test_who_is_not_let_in_is_told_why(bucket: Bucket, code: str, words: str) -> None:
    bucket.refusal = code
    refused(Library(f"s3://{bucket.name}/in", engines=FakeEngines()).media, SetupError, words)


def test_who_may_only_read_can_ask(
    library: Library, bucket: Bucket, address: str, document: Path, tmp_path: Path
) -> None:
    row = library.store.read.media_row(library.add(document).id)
    assert row is not None
    # Another machine is at work on it, or died.
    library.store.write._put(replace(row, media=replace(row.media, status="indexing")))
    bucket.refusal, bucket.may_read = "AccessDenied", True
    reader = Library(address, engines=FakeEngines())
    answer = reader.ask("Where did the zebrafinch nest?", chat="mine")
    assert "clocktower" in answer.text
    assert any("is not kept" in step.detail for step in answer.walk if step.fallback)
    (tmp_path / "new.txt").write_text("Something new.\n", encoding="utf-8")
    refused(lambda: reader.add(tmp_path / "new.txt"), SetupError, "may not do this")
    refused(lambda: reader.forget("story.md"), SetupError, "may not do this")


def test_an_endpoint_that_is_not_there_is_said_within_seconds(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        began = time.monotonic()
        library = Library(f"s3://{bucket.name}/gone", engines=FakeEngines())
        refused(library.media, BackendError, "cannot be reached")
        assert time.monotonic() - began < 20


def test_an_endpoint_that_goes_in_between_is_said(
    library: Library, bucket: Bucket, document: Path
) -> None:
    library.add(document)
    time.sleep(2.1)
    bucket.refusal = "ExpiredToken"
    refused(lambda: library.search("zebrafinch"), SetupError, "are not accepted")
    refused(lambda: library.collect("mine", ["story.md"]), SetupError, "are not accepted")
    bucket.refusal = ""
    assert library.search("zebrafinch")


# The command line, with the models that come with memqa


@pytest.mark.real_model
def test_the_command_line_and_the_worker_take_an_address(
    bucket: Bucket, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMQA_JOBS__IDLE_EXIT_S", "0")
    notes = tmp_path / "notes.txt"
    notes.write_text("The ferry to the island leaves at nine.\n", encoding="utf-8")
    printed: list[bytes] = []

    def memqa(*arguments: str) -> Any:
        command = [sys.executable, "-m", "memqa", "-v", "--home", address, *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120)
        printed.extend((done.stdout, done.stderr))
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    with Library(address) as library:
        job = library.add(notes, wait=False)
        deadline = time.monotonic() + 120
        while job.state not in ("done", "failed") and time.monotonic() < deadline:
            time.sleep(0.3)
            (job,) = library.jobs()
        assert job.state == "done", job.error
        (found,) = memqa("search", "when does the boat go", "--limit", "1", "--json")
        assert "ferry" in found["text"]
        assert memqa("stats", "--json")["home"] == address
        assert memqa("forget", "notes.txt", "--json")["forgotten"]
        assert bucket.holding("ferry") == []
        assert worker._spawned.pop(library.home).wait(60) == 0
    for secret in (KEY, SECRET):
        assert bytes_under(remote_root(), secret) == []
        assert not any(secret.encode() in text for text in printed)
        assert bucket.holding(secret) == []


# Leases


@pytest.fixture
def leases(bucket: Bucket, address: str, tmp_path: Path) -> Callable[[str], Leases]:
    """Give the leases of this address as a machine of this name sees them."""
    return lambda machine: Leases(tmp_path, Address(address, machine))


def test_of_many_machines_one_holds_a_lease(leases: Callable[[str], Leases]) -> None:
    inside: list[str] = []
    most, held = 0, 0

    def work(machine: str) -> None:
        nonlocal most, held
        mine = leases(machine)
        for _ in range(4):
            with mine.held(WRITING, timeout_s=120) as lease:
                assert lease is not None
                inside.append(machine)
                most, held = max(most, len(inside)), held + 1
                time.sleep(0.02)
                inside.remove(machine)

    with ThreadPoolExecutor(3) as pool:  # they also make the table all at once
        list(pool.map(work, "abc"))
    assert (most, held) == (1, 12)


def test_a_lease_is_taken_from_the_dead_alone(
    leases: Callable[[str], Leases], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memqa.store.leases.BEAT_S", 3600.0)
    ours, theirs = leases("ours"), leases("theirs")
    with ours.held("media-1") as first:
        assert first is not None
        with theirs.held("media-2") as other, theirs.held("media-1") as refused:
            assert other is not None
            assert refused is None
            assert theirs.holder("media-1") != ""
        # A process of the same machine that got the lock file knows that this holder is dead.
        with leases("ours").held("media-1") as again:
            assert again is not None
            assert not again.was_left
            assert not first.beat()

    with ours.held("media-1") as silent:
        assert silent is not None
        monkeypatch.setattr("memqa.store.leases.LAPSE_S", 0.5)
        with theirs.held("media-1", timeout_s=60) as taken:
            assert taken is not None
            assert taken.was_left
            time.sleep(0.3)
            with pytest.raises(StoreConflict, match="no sign of life"):
                silent.prove()
            taken.prove()
    assert ours.holder("media-1") == ""


def test_who_slept_while_it_wrote_finishes_nothing(
    library: Library,
    leases: Callable[[str], Leases],
    address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    note = tmp_path / "note.txt"
    note.write_text("A heron stood by the weir.\n", encoding="utf-8")
    media = library.add(note)
    monkeypatch.setattr("memqa.store.leases.BEAT_S", 3600.0)
    # What the sleeper has in hand: a table as it was, and the lease on writing.
    asleep = lancedb.connect(f"{address}/tables").open_table("memories")
    row = asleep.search().limit(1).to_arrow()
    with leases("sleeper").held(WRITING) as lease:
        assert lease is not None
        monkeypatch.setattr("memqa.store.leases.LAPSE_S", 0.5)
        library.collect("mine", [media.id])
        with pytest.raises(RuntimeError, match="Incompatible"):
            asleep.merge_insert("id").when_matched_update_all().execute(row)
    assert told_by(library, "heron")
    assert library.collections()[0].media_ids == (media.id,)


def test_an_index_that_another_machine_makes_is_left_alone(
    library: Library,
    address: str,
    bucket: Bucket,
    leases: Callable[[str], Leases],
    tmp_path: Path,
) -> None:
    note = tmp_path / "note.txt"
    note.write_text("A heron stood by the weir.\n", encoding="utf-8")
    media, indexes = library.add(note), library.store.indexes
    with indexes.holding() as mine, leases("other").held("indexing") as theirs:
        assert mine
        assert theirs is None
    (vectors,) = library.store.read._tables.all_vectors()
    table = f"{address.removeprefix(f's3://{bucket.name}/')}/tables/{vectors.name}.lance"
    assert any(key.startswith(f"{table}/data/") for key in bucket.objects())
    made = f"{table}/_indices/being-made/index.idx"  # what is made so far is in no version yet
    bucket.client().put_object(Bucket=bucket.name, Key=made, Body=b"half")
    with leases("other").held("indexing") as theirs:
        assert theirs is not None
        assert indexes.tend() == []
        library.forget(media.id)
        assert made in bucket.objects()

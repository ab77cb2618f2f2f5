"""Files indexed by the workers of a Ray: the rows are those of one machine, whoever dies."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lancedb
import psutil
import pytest

from memqa.alone import leased
from memqa.carried import version
from memqa.cluster_actor import Indexer, Made, scratch, within_time
from memqa.cluster_ray import Cluster, _kill_left, workers_of
from memqa.delivered import Delivery
from memqa.facts import FileFacts
from memqa.library import Library
from memqa.settings import BatchSettings
from memqa.store.write import Writer
from memqa.values import Outcome
from models.errors import InputError, MissingExtra, SetupError, StoreConflict
from tests.media import video
from tests.memqa.clustered import POISON, FakeIndexer, NeverStarts
from tests.memqa.parts import FakeEngines, bytes_under, write_document
from tests.memqa.test_remote import served

# Ray leaves processes that it has ended, files and a socket to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def collected() -> Iterator[None]:
    """Let nothing of Ray's be left for the garbage collection of later tests."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Documents and videos; two files of the same bytes, one that is damaged, one that kills."""
    folder = tmp_path_factory.mktemp("media") / "lectures"
    (folder / "more").mkdir(parents=True)
    for seed in range(4):
        write_document(folder / f"story-{seed}.md", chapters=1, seed=seed)
    shutil.copy(folder / "story-0.md", folder / "more" / "story-0-again.md")
    video(folder / "one.mp4", shots=(20, 20, 10))
    video(folder / "two.mp4", shots=(30,), tones=[(0.5, 2.0)])
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 and then nothing")
    (folder / "program.bin").write_bytes(bytes(range(256)))
    write_document(folder / f"{POISON}.md", chapters=1, seed=9)
    return folder


@pytest.fixture(scope="module")
def alone(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one machine makes of them, but of the one that kills."""
    home = tmp_path_factory.mktemp("alone") / "home"
    with Library(home, engines=FakeEngines()) as library:
        paths = sorted(path for path in folder.rglob("*") if POISON not in path.name)
        for _ in library.index([path for path in paths if path.is_file()]):
            pass
    return home


@pytest.fixture(scope="module")
def together(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Outcome], int]:
    """What two workers make of them, one of which is killed while it works."""
    home = tmp_path_factory.mktemp("together") / "home"
    killed = 0
    outcomes = []
    with Library(home, engines=FakeEngines()) as library:
        cluster = Cluster(workers=2, worker=FakeIndexer)
        for outcome in library.index([folder], recursive=True, cluster=cluster):
            outcomes.append(outcome)
            if len(outcomes) == 2:
                killed = kill_one_that_works()
    return home, outcomes, killed


def workers_at_work() -> list[psutil.Process]:
    """Ray names the process of an actor after what it does."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "ray::FakeIndexer.index" in " ".join(process.cmdline()):
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def kill_one_that_works() -> int:
    for _ in range(600):
        if working := workers_at_work():
            os.kill(working[0].pid, signal.SIGKILL)
            return working[0].pid
        time.sleep(0.05)
    raise AssertionError("no worker was seen to work")


def tables(home: Path) -> dict[str, list[dict[str, Any]]]:
    """Every row of a library, but for when it was added."""
    db = lancedb.connect(home / "tables")
    found = {}
    for name in sorted(path.stem for path in (home / "tables").glob("*.lance")):
        rows = db.open_table(name).to_arrow().to_pylist()
        for row in rows:
            row.pop("added_at", None)
        found[name] = sorted(rows, key=lambda row: str(row["id"]))
    return found


def test_rows_are_those_of_one_machine_though_a_worker_was_killed(
    alone: Path, together: tuple[Path, list[Outcome], int]
) -> None:
    home, _, killed = together
    assert killed
    expected, found = tables(alone), tables(home)
    assert len(expected["media"]) == 6
    assert {name: len(rows) for name, rows in found.items()} == {
        name: len(rows) for name, rows in expected.items()
    }
    assert found == expected


def test_each_file_is_told_of_once(folder: Path, together: tuple[Path, list[Outcome], int]) -> None:
    _, outcomes, _ = together
    files = [str(path) for path in folder.rglob("*") if path.is_file()]
    assert sorted(outcome.path for outcome in outcomes) == sorted(files)
    assert Counter(outcome.status for outcome in outcomes) == {
        "indexed": 6,
        "unchanged": 1,
        "failed": 2,
        "skipped": 1,
    }


def test_a_file_that_ends_its_workers_fails_alone_and_says_so(
    together: tuple[Path, list[Outcome], int],
) -> None:
    home, outcomes, _ = together
    (poison,) = (outcome for outcome in outcomes if POISON in outcome.path)
    assert poison.status == "failed"
    assert "died, and so did the next one" in str(poison.error)
    assert all(POISON not in row["path"] for row in tables(home)["media"])


def test_no_worker_and_no_scratch_folder_is_left(
    together: tuple[Path, list[Outcome], int],
) -> None:
    assert not workers_at_work()
    with scratch() as home:  # sweeps
        left = {path.name for path in home.parent.parent.iterdir() if path.is_dir()}
        assert left == {home.parent.name}


def test_a_start_that_failed_ends_what_ray_left_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def gone() -> list[str]:
        raise psutil.NoSuchProcess(1)

    ended: list[str] = []

    def child(name: str, cmdline: Callable[[], list[str]]) -> SimpleNamespace:
        return SimpleNamespace(cmdline=cmdline, kill=lambda: ended.append(name))

    before = child("before", lambda: ["/site-packages/ray/core/raylet"])
    children = [
        before,
        child("gone", gone),
        child("mine", lambda: ["/usr/bin/python", "-m", "array_library"]),
        child("left", lambda: ["/site-packages/ray/core/src/ray/gcs/gcs_server", "--port=0"]),
    ]
    monkeypatch.setattr(psutil.Process, "children", lambda self: children)
    _kill_left([before])  # type: ignore[list-item]
    assert ended == ["left"]


def test_what_is_known_needs_no_cluster(
    folder: Path,
    together: tuple[Path, list[Outcome], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home, _, _ = together
    without_ray(monkeypatch)
    with Library(home, engines=FakeEngines()) as library:
        cluster = Cluster(worker=FakeIndexer)
        told = list(library.index([folder / "one.mp4", folder / "no.mp4"], cluster=cluster))
    assert [outcome.status for outcome in told] == ["unchanged", "failed"]


def test_a_file_that_no_worker_sees_is_told_with_the_machine(tmp_path: Path) -> None:
    made = indexer(tmp_path).index(str(tmp_path / "elsewhere.md"), "auto", ())
    assert "has to see it at the same path" in str(made.error)


def test_a_worker_that_hangs_over_a_file_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memqa.cluster_actor._LOOK_S", 0.01)
    ended = threading.Event()
    with within_time(BatchSettings(silence_s=0.05), end=ended.set):
        assert ended.wait(10)


def test_a_worker_that_gets_on_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memqa.cluster_actor._LOOK_S", 0.01)
    ended = threading.Event()
    with within_time(BatchSettings(silence_s=0.5), end=ended.set) as listener:
        for done in range(100):
            listener.progress("Watching", done)
            time.sleep(0.01)
    assert not ended.is_set()


def test_a_worker_of_another_version_is_refused(tmp_path: Path) -> None:
    file = write_document(tmp_path / "story.md", chapters=1)
    made = indexer(tmp_path, wanted="0.0.1").index(str(file), "auto", ())
    assert isinstance(made.error, SetupError)
    assert "0.0.1" in str(made.error)


def test_a_worker_names_bytes_that_are_known_and_makes_nothing(
    folder: Path, alone: Path, tmp_path: Path
) -> None:
    with Library(alone, engines=FakeEngines()) as library:
        media = library.show("one.mp4")
    made = indexer(tmp_path).index(str(folder / "one.mp4"), "auto", [media.id])
    assert (made.same_as, made.parcel, made.error) == (media.id, None, None)


def test_a_media_that_another_process_holds_is_waited_for_and_then_told(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = indexer(tmp_path).index(str(folder / "story-1.md"), "auto", ())
    assert made.parcel is not None
    pauses: list[float] = []
    monkeypatch.setattr("memqa.delivered.time.sleep", pauses.append)
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        delivery = Delivery(library.store, library.engines, library.settings)
        facts = FileFacts.of(folder / "story-1.md")
        with leased(library.home, made.parcel.row.media.id), pytest.raises(StoreConflict):
            delivery.deliver(made.parcel, facts, "auto")
        assert pauses == [1, 2, 4, 8]
        assert delivery.deliver(made.parcel, facts, "auto").status == "indexed"
        assert delivery.deliver(made.parcel, facts, "auto").status == "unchanged"
        assert library.search("velvet", limit=1)


def test_what_is_cut_short_while_it_is_written_leaves_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = indexer(tmp_path).index(str(folder / "one.mp4"), "auto", ())
    assert made.parcel is not None
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        delivery = Delivery(library.store, library.engines, library.settings)
        facts = FileFacts.of(folder / "one.mp4")
        with monkeypatch.context() as patched:
            patched.setattr(Writer, "settle", full_disk)
            with pytest.raises(OSError, match="No space"):
                delivery.deliver(made.parcel, facts, "auto")
        assert not any(rows for rows in tables(library.home).values())
        assert delivery.deliver(made.parcel, facts, "auto").status == "indexed"


def test_without_ray_it_is_said_what_to_install(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_ray(monkeypatch)
    with (
        Library(tmp_path / "home", engines=FakeEngines()) as library,
        pytest.raises(MissingExtra, match=r"memqa\[ray\]"),
    ):
        list(library.index([folder / "story-1.md"], cluster=Cluster(worker=FakeIndexer)))


def test_engines_of_ones_own_cannot_go_to_a_cluster(folder: Path, tmp_path: Path) -> None:
    with (
        Library(tmp_path / "home", engines=FakeEngines()) as library,
        pytest.raises(SetupError, match="settings name"),
    ):
        list(library.index([folder / "story-1.md"], cluster=Cluster()))


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"gpus_per_worker": -1.0}])
def test_numbers_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Cluster(**wrong)


def test_it_stops_when_wished_and_the_next_run_does_the_rest(folder: Path, tmp_path: Path) -> None:
    files = [folder / f"story-{seed}.md" for seed in range(1, 4)]
    outcomes: list[Outcome] = []
    one = Cluster(workers=1, worker=FakeIndexer)
    never = Cluster(workers=1, worker=NeverStarts)
    with (
        workers_of(one, (), most=0),  # the Ray of the person's own program, which stays
        Library(tmp_path / "home", engines=FakeEngines()) as library,
    ):
        taken = library.index(files, cluster=one, should_stop=lambda: bool(outcomes))
        for outcome in taken:
            outcomes.append(outcome)
        assert [outcome.status for outcome in outcomes] == ["indexed", "cancelled"]
        assert [media.status for media in library.media()] == ["indexed"]
        with pytest.raises(SetupError, match="no room on this machine"):
            list(library.index(files, cluster=never))
        rest = [outcome.status for outcome in library.index(files, cluster=one)]
        assert sorted(rest) == ["indexed", "indexed", "unchanged"]


def indexer(tmp_path: Path, wanted: str = "") -> Indexer:
    """A worker in this process, without Ray."""
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        settings = library.settings.model_dump_json(exclude={"language", "caption"})
    return Indexer(settings, wanted or version(), engines=FakeEngines())


def full_disk(*_: Any, **__: Any) -> None:
    raise OSError(28, "No space left on device")


def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "ray"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ray", None)


class Here:
    """A worker in this process in the place of a cluster's; ``given`` is what it was told."""

    count = 1

    def __init__(self, worker: Indexer) -> None:
        self.worker = worker
        self.files: list[Any] = []
        self.given: list[tuple[Any, ...]] = []

    @property
    def idle(self) -> int:
        return 1 - len(self.files)

    def give(self, file: Any, *arguments: Any) -> None:
        self.files.append(file)
        self.given.append(arguments)

    def ready(self, timeout_s: float) -> Iterator[tuple[Any, Made | None]]:
        while self.files:
            made = self.worker.index(*self.given[-1])
            yield self.files.pop(), made


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    here = Here(indexer(tmp_path))
    monkeypatch.setattr("memqa.cluster.workers_of", lambda *_, **__: nullcontext(here))
    return here


def test_an_address_is_fetched_by_its_worker_and_no_password_is_kept(
    folder: Path, tmp_path: Path, here: Here
) -> None:
    body = (folder / "one.mp4").read_bytes()
    with served() as site, Library(tmp_path / "home", engines=FakeEngines()) as library:
        site.files["/one.mp4"] = body
        site.headers["/one.mp4"] = {"Last-Modified": "Sat, 28 Nov 2026 10:00:00 GMT"}
        address, cluster = site.at("/one.mp4"), Cluster(worker=FakeIndexer)
        typed = address.replace("//", "//ada:secret@")
        (outcome,) = library.index([typed], cluster=cluster)
        assert (outcome.path, outcome.status, outcome.error) == (address, "indexed", None)
        (media,) = library.media()
        assert media.path == address
        assert bytes_under(library.home, "secret") == []
        (again,) = library.index([typed], cluster=cluster)
        assert again.status == "unchanged"
        assert len(here.given) == 1
        # The same bytes lie in a file here, which can be played.
        (copy,) = library.index([folder / "one.mp4"], cluster=cluster)
        assert copy.status == "unchanged"
        assert library.media()[0].path == str(folder / "one.mp4")


def test_an_edited_file_takes_the_place_of_what_it_was(tmp_path: Path, here: Here) -> None:
    file = write_document(tmp_path / "story.md", chapters=1)
    cluster = Cluster(worker=FakeIndexer)
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        list(library.index([file], cluster=cluster))
        library.collect("tales", ["story.md"])
        before = library.show("story.md").id
        write_document(file, chapters=1, seed=5)
        (outcome,) = library.index([file], cluster=cluster)
        assert outcome.status == "indexed"
        (media,) = library.media()
        assert media.id != before
        assert library.collections()[0].media_ids == (media.id,)


def test_an_edited_file_takes_its_place_though_the_clock_was_put_back(
    tmp_path: Path, here: Here
) -> None:
    file = write_document(tmp_path / "story.md", chapters=1)
    cluster = Cluster(worker=FakeIndexer)
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        (outcome,) = library.index([file], cluster=cluster)
        assert outcome.media is not None
        later = replace(outcome.media, added_at="2999-01-01T00:00:00.000+00:00")
        library.store.write.settle(later)
        write_document(file, chapters=1, seed=5)
        list(library.index([file], cluster=cluster))
        (media,) = library.media()
        assert media.id != later.id


def test_what_was_half_forgotten_comes_back_as_new(tmp_path: Path, here: Here) -> None:
    file = write_document(tmp_path / "story.md", chapters=1)
    cluster = Cluster(worker=FakeIndexer)
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        list(library.index([file], cluster=cluster))
        library.collect("tales", ["story.md"])
        library.store.upkeep.hide(library.show("story.md").id)  # whoever forgot it was killed
        (outcome,) = library.index([file], cluster=cluster)
        assert outcome.status == "indexed"
        assert library.collections()[0].media_ids == ()


def test_a_file_half_indexed_here_is_made_whole(tmp_path: Path, here: Here) -> None:
    file = write_document(tmp_path / "story.md", chapters=4)
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        stops = iter([False] * 12)
        (cut,) = library.index([file], should_stop=lambda: next(stops, True))
        assert cut.status == "cancelled"
        (outcome,) = library.index([file], cluster=Cluster(worker=FakeIndexer))
        assert outcome.status == "indexed"
    with Library(tmp_path / "alone", engines=FakeEngines()) as alone:
        list(alone.index([file]))
    assert tables(library.home) == tables(alone.home)

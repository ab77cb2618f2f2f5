"""Who gets which file and what comes of it, with workers that follow a script and no process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from memqa import batch_lines, watching
from memqa.allowance import Allowance
from memqa.batch import Batch
from memqa.batch_worker import Worker
from memqa.jobs import Queue
from memqa.listening import Listener
from memqa.named import Named, named_by
from memqa.settings import BatchSettings, Settings, load
from memqa.values import Media, Outcome
from models.errors import (
    DecodeFailed,
    IngestCancelled,
    SetupError,
    StoreConflict,
    UnreadableMedia,
)
from models.values import Progress
from tests.memqa.parts import FakeEngines

NOBODY = Listener()


@dataclass
class Stage:
    """The script, and what happened: ``answer`` is asked with a worker and a file's name."""

    answer: Callable[[ScriptedChild, str], None] = lambda child, name: None
    taken: list[str] = field(default_factory=list)
    killed: list[ScriptedChild] = field(default_factory=list)
    made: list[ScriptedChild] = field(default_factory=list)
    resident_bytes: int = 0


class ScriptedChild:
    """Stands for a worker process."""

    stage: Stage

    def __init__(self, settings: Settings, inbox: Any, *, workers: int) -> None:
        self._inbox = inbox
        self.has_stopped = False
        self.stage.made.append(self)

    def take(self, place: Path | str, method: str) -> None:
        name = Path(place).name
        self.stage.taken.append(name)
        self.stage.answer(self, name)

    def ends(self, path: str, status: Any, error: Exception | None = None, id_: str = "") -> None:
        media = Media(id_, path, "document", "indexed") if id_ else None
        line = batch_lines.of_outcome(Outcome(path, status, media, error))
        self._inbox.put((self, batch_lines.load(batch_lines.dump(line))))

    def begins(self) -> None:
        self._inbox.put((self, {"kind": "begun"}))

    def dies(self) -> None:
        self._inbox.put((self, None))

    def stop(self) -> None:
        assert self not in self.stage.killed, "its pipe is closed"
        self.has_stopped = True

    def resident_bytes(self) -> int:
        return self.stage.resident_bytes

    def kill(self) -> str:
        if self not in self.stage.killed:
            self.dies()
        self.stage.killed.append(self)
        return "crashed (signal 11)"


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage()
    monkeypatch.setattr(ScriptedChild, "stage", stage, raising=False)
    monkeypatch.setattr("memqa.batch.Child", ScriptedChild)
    monkeypatch.setattr("memqa.batch.settle_abandoned", lambda store: None)
    return stage


class FakeStore(SimpleNamespace):
    """Holds no media, and notes where the bytes of one are said to lie."""

    def __init__(self, home: Path) -> None:
        super().__init__(home=home, moved=[])
        self.read = SimpleNamespace(rows_at=lambda path: [])
        self.write = SimpleNamespace(relocate=lambda id_, path, **_: self.moved.append(path))


def taken_in(
    tmp_path: Path, *names: str, workers: int = 2, listener: Listener = NOBODY
) -> tuple[dict[str, Outcome], FakeStore]:
    store = FakeStore(tmp_path)
    for name in names:
        (tmp_path / name).write_text(name, encoding="utf-8")
    batch = Batch(load(home=tmp_path), workers=workers, listener=listener)
    files = [Named(tmp_path / name) for name in names]
    found = batch.run(files, method="auto", opened=lambda: store)  # type: ignore[arg-type,return-value]
    return {Path(one.path).name: one for one in found}, store


def test_a_file_of_the_same_bytes_waits_for_the_other(stage: Stage, tmp_path: Path) -> None:
    first: list[ScriptedChild] = []
    told: list[Progress] = []

    def answer(child: ScriptedChild, name: str) -> None:
        tries = stage.taken.count(name)
        if name == "a":
            first.append(child)
        elif name == "b" and tries == 1:
            child.ends("b", "failed", StoreConflict("by another process"))
        elif name == "c":
            child.ends("c", "indexed")
            first[0].ends("a", "indexed", id_="1")
        else:
            child.ends("b", "unchanged", id_="1")

    stage.answer = answer
    outcomes, store = taken_in(tmp_path, "a", "b", "c", listener=Listener(told.append))
    assert {name: one.status for name, one in outcomes.items()} == {
        "a": "indexed", "b": "unchanged", "c": "indexed",
    }  # fmt: skip
    assert stage.taken == ["a", "b", "c", "b"]
    assert [(one.stage, Path(one.file).name) for one in told] == [("Waiting", "b")]
    assert store.moved == []


def test_where_the_same_bytes_ended_in_another_order_their_places_are_put_right(
    stage: Stage, tmp_path: Path
) -> None:
    first: list[ScriptedChild] = []

    def answer(child: ScriptedChild, name: str) -> None:
        if name == "a":
            first.append(child)
        else:
            child.ends("b", "indexed", id_="1")
            first[0].ends("a", "unchanged", id_="1")

    stage.answer = answer
    _, store = taken_in(tmp_path, "a", "b")
    assert [Path(one).name for one in store.moved] == ["a", "b"]


def test_an_address_that_fails_is_told_without_its_password(stage: Stage, tmp_path: Path) -> None:
    address = "http://ann:pa55@host/talk.mp4"
    stage.answer = lambda child, name: child.ends(address, "failed", UnreadableMedia("not there"))
    batch = Batch(load(home=tmp_path), workers=1, listener=NOBODY)
    store: Any = FakeStore(tmp_path)
    (outcome,) = batch.run([Named(address)], method="auto", opened=lambda: store)
    assert outcome.path == "http://host/talk.mp4"


def test_an_address_that_is_none_is_handed_to_no_worker(stage: Stage, tmp_path: Path) -> None:
    store: Any = FakeStore(tmp_path)
    batch = Batch(load(home=tmp_path), workers=1, listener=NOBODY)
    files = list(named_by(["http://ann:pa/55@host/talk.mp4"], recursive=False))
    (outcome,) = batch.run(files, method="auto", opened=lambda: store)
    assert (outcome.path, outcome.status) == ("http://…", "failed")
    assert not stage.made


def test_a_file_that_nobody_of_this_run_blocks_fails_at_once(stage: Stage, tmp_path: Path) -> None:
    stage.answer = lambda child, name: child.ends(name, "failed", StoreConflict("by another"))
    outcomes, _ = taken_in(tmp_path, "a", workers=1)
    assert outcomes["a"].status == "failed"
    assert stage.taken == ["a"]


def test_a_decoder_that_fails_is_tried_once_more(stage: Stage, tmp_path: Path) -> None:
    stage.answer = lambda child, name: child.ends(name, "failed", DecodeFailed("It crashed."))
    outcomes, _ = taken_in(tmp_path, "a", "b", workers=1)
    assert stage.taken == ["a", "b", "a", "b"]
    assert str(outcomes["a"].error) == "It crashed."
    assert len(stage.made) == 1


def test_a_worker_that_dies_is_followed_by_a_fresh_one(stage: Stage, tmp_path: Path) -> None:
    stage.answer = lambda child, name: child.dies() if name == "a" else child.ends(name, "indexed")
    outcomes, _ = taken_in(tmp_path, "a", "b", workers=1)
    assert stage.taken == ["a", "b", "a"]
    assert outcomes["b"].status == "indexed"
    assert outcomes["a"].status == "failed"
    assert "its process crashed (signal 11); it was tried twice" in str(outcomes["a"].error)
    assert set(stage.killed) == set(stage.made)


def test_once_stopped_nothing_more_is_begun(stage: Stage, tmp_path: Path) -> None:
    stopped: list[bool] = []

    def answer(child: ScriptedChild, name: str) -> None:
        stopped.append(True)
        child.ends(name, "indexed")

    stage.answer = answer
    listener = Listener(should_stop=lambda: bool(stopped))
    outcomes, _ = taken_in(tmp_path, "a", "b", "c", workers=1, listener=listener)
    assert stage.taken == ["a"]
    assert {name: one.status for name, one in outcomes.items()} == {
        "a": "indexed", "b": "cancelled",
    }  # fmt: skip
    assert isinstance(outcomes["b"].error, IngestCancelled)
    assert "was begun" in str(outcomes["b"].error)


def test_a_worker_that_dies_while_stopping_leaves_its_file_cancelled(
    stage: Stage, tmp_path: Path
) -> None:
    looked: list[bool] = []

    def stops() -> bool:
        looked.append(True)
        if len(looked) > 1 and stage.made[0].has_stopped is False:
            stage.made[0].dies()
        return len(looked) > 1

    outcomes, _ = taken_in(tmp_path, "a", "b", workers=1, listener=Listener(should_stop=stops))
    assert {name: one.status for name, one in outcomes.items()} == {"a": "cancelled"}
    assert stage.made[0].has_stopped


def test_a_wish_to_stop_just_as_a_worker_was_killed_costs_nothing(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memqa.batch._MEASURE_S", 0.0)
    stage.resident_bytes = 2**50
    stage.answer = lambda child, name: child.begins()
    outcomes, _ = taken_in(
        tmp_path, "a", workers=1, listener=Listener(should_stop=lambda: bool(stage.killed))
    )
    assert {name: one.status for name, one in outcomes.items()} == {"a": "cancelled"}


@pytest.mark.parametrize(
    ("elapsed_s", "resident_bytes", "says"),
    [(5, 0, ""), (11, 0, "no progress for 10 s"), (1, 2**21, "more than 1 MB")],
)
def test_what_a_file_may_take(elapsed_s: float, resident_bytes: int, says: str) -> None:
    limits = BatchSettings(file_s=100, times_length=2, silence_s=10, resident_bytes=2**20)
    taken = Allowance(limits)
    assert taken.overrun(200, 0) == "", "a worker may take its time to start"
    taken.begun()
    found = taken.overrun(elapsed_s, resident_bytes)
    assert says in found
    assert bool(says) == bool(found)


def test_a_long_file_may_take_longer_as_long_as_it_gets_on() -> None:
    limits = BatchSettings(file_s=100, times_length=2, silence_s=10, resident_bytes=2**20)
    taken = Allowance(limits, length_s=60)
    taken.begun()
    for done in range(24):
        assert taken.overrun(9, 0) == ""
        taken.moved(Progress("Watching", done))
    assert "more than 220 s" in taken.overrun(9, 0)


def test_bytes_may_come_slowly_as_long_as_they_come() -> None:
    taken = Allowance(BatchSettings(file_s=100, times_length=2, silence_s=10))
    taken.begun()
    for done in range(100):
        taken.moved(Progress("Fetching", done, 100, "bytes"))
        assert taken.overrun(9, 0) == ""
    assert "no progress" in taken.overrun(9, 0)


def test_a_worker_takes_its_time_to_start_but_not_for_ever() -> None:
    limits = BatchSettings(file_s=100, times_length=2, silence_s=10)
    assert "did not start" in Allowance(limits).overrun(301, 0)


@pytest.mark.parametrize("entrance", ["a worker", "a watch"])
def test_the_share_of_older_versions_is_the_settings_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entrance: str
) -> None:
    shares: list[float | None] = []

    def opened(home: Path, *, spare_share: float | None = None) -> None:
        shares.append(spare_share)
        raise SetupError("no library here")

    settings = load(home=tmp_path)
    limits = settings.limits.model_copy(update={"spare_share": 3.0})
    settings = settings.model_copy(update={"limits": limits})
    if entrance == "a worker":
        monkeypatch.setattr("memqa.store.store.Store", opened)
        Worker(settings, FakeEngines(), BytesIO())._outcome("b.txt", "auto")
    else:
        monkeypatch.setattr("memqa.watching.Store", opened)
        job = Queue(tmp_path).submit_live("webcam")
        with pytest.raises(SetupError, match="no library here"):
            watching.run(settings, job.id, "webcam", engines=FakeEngines())
    assert shares == [3.0]

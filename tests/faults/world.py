"""A small library, files around it, and all that can be done to it, each by a name.

``python -m tests.faults.world FOLDER OPERATION`` does one of them in a process of its own. It tells
in ``FOLDER/committed`` which segments it was told to be safe, and last how many changes it made.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from memqa import settings as settings_
from memqa.chats import turn_row
from memqa.cli import exits
from memqa.library import Library
from memqa.settings import JobSettings
from memqa.store.write import Writer
from memqa.values import Answer
from models.errors import BackendError, MemqaError
from tests import media as made
from tests.faults import shim
from tests.memqa.others import Others
from tests.memqa.parts import FakeEngines, write_document

NEEDLE = "quaggamire"


@dataclass(frozen=True, slots=True)
class World:
    """The folder in which a library, its files and a spare copy of it lie."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def committed(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}-committed")

    def file(self, name: str) -> Path:
        return self.folder / "files" / name

    def renew(self, operation: str = "") -> None:
        """Put the library back as it was made, and all that operations write beside it away."""
        for name in ("home", "out"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        self.committed.unlink(missing_ok=True)
        if operation != "first":
            shutil.copytree(self.folder / "spare", self.home)

    def open(self, operation: str = "") -> Library:
        """Open the library as an operation would, with deterministic engines."""
        others = {"reindex": ("text",), "reindex-pictures": ("image",)}.get(operation)
        return Library(self.home, engines=Others(others) if others else FakeEngines())


def made_in(folder: Path) -> World:
    """Make a library of two documents, an upload and a video, one document half done."""
    world = World(folder)
    world.file("").mkdir(parents=True)
    names = ("kept", "edited", "half", "new", "brought", "gone")
    for seed, name in enumerate(names):
        write_document(world.file(f"{name}.md"), chapters=1 + (name in ("gone", "half")), seed=seed)
    for name, word in (("gone", NEEDLE), ("new", "heron"), ("brought", "gander")):
        with world.file(f"{name}.md").open("a", encoding="utf-8") as out:
            out.write(f" A {word} stood there.")
    for name, tone_s in (("film", 5.0), ("new", 9.0)):
        tones = [(tone_s, tone_s + 3), (62.0, 63.0 + tone_s / 9)]
        made.video(world.file(f"{name}.mp4"), shots=(50, 50, 40), fps=2, tones=tones)
    with Library(folder / "another", engines=FakeEngines()) as other:
        other.add(world.file("brought.md"))
        other.export(folder / "export", with_files=True)
    with world.open() as library:
        for name in ("kept.md", "edited.md", "film.mp4"):
            library.add(world.file(name))
        gone = library.add(library.keep_upload(world.file("gone.md"))).id
        _half_taken_in(library, world.file("half.md"))
        kept = library.show("kept.md").id
        library.collect("readings", [gone, kept])
        edited = library.show("edited.md").id
        for chat, id_ in (("the gone", gone), ("the kept", kept), ("the edited", edited)):
            library.store.write.add_turn(_turn(library, chat, id_))
        library.store.upkeep.compact()
    words = world.file("edited.md").read_text(encoding="utf-8")
    world.file("edited.md").write_text(words.replace("amber", "onyx", 40), encoding="utf-8")
    world.home.rename(folder / "spare")
    world.renew()
    return world


def _half_taken_in(library: Library, file: Path) -> None:
    def stops() -> bool:
        rows = library.store.read.media_rows()
        return any(row.media.path == str(file) and row.committed_segment >= 1 for row in rows)

    (outcome,) = library.index([file], should_stop=stops)
    assert outcome.status == "cancelled"


def _turn(library: Library, chat: str, media_id: str) -> dict[str, Any]:
    (item, *_) = library.search("basin candle", media=[media_id], limit=1)
    return turn_row(chat, "What is there?", Answer("This.", "grounded", evidence=(item,)))


def _take_in(library: Library, *files: Path) -> None:
    failed = [outcome.error for outcome in library.index(files) if outcome.error is not None]
    if failed:
        raise failed[0]


def _forget(library: Library, world: World) -> None:
    for media in library.media():
        if media.name == "gone.md":
            library.forget(media.id)


def _upload(library: Library, world: World) -> None:
    """Take in what a person dropped, as the page does; a second try drops it again."""
    elsewhere = Path("/dev/shm")  # another disk, as the one of the page's cache may be
    with TemporaryDirectory(dir=elsewhere if elsewhere.is_dir() else None) as folder:
        drop = Path(shutil.copy(world.file("new.md"), folder))
        _take_in(library, library.keep_upload(drop))


def _work(library: Library, world: World) -> None:
    """Let a file be taken in by the queue's worker."""
    from memqa.jobs import Queue
    from memqa.worker import Worker

    Queue(world.home).submit(str(world.file("new.md")))
    chosen = settings_.load(home=world.home)
    chosen = chosen.model_copy(update={"jobs": JobSettings(idle_exit_s=0.05, max_attempts=3)})
    Worker(chosen, engines=FakeEngines()).run()
    last = Queue(world.home).all()[-1]
    if last.state != "done":
        raise BackendError(last.error or f"the job is {last.state}")


def _reindex(library: Library, names: Sequence[str] | None = None) -> None:
    failed = [outcome.error for outcome in library.reindex(names) if outcome.error is not None]
    if failed:
        raise failed[0]


def _export(library: Library, world: World) -> None:
    carried = library.export(world.folder / "out", with_chats=True)
    if failed := [one.error for one in carried if one.error]:
        raise failed[0]


def _import(library: Library, world: World) -> None:
    failed = [one.error for one in library.import_from(world.folder / "export") if one.error]
    if failed:
        raise failed[0]


def _finished(library: Library) -> list[str]:
    return [one.id for one in library.media() if one.name in ("kept.md", "gone.md", "edited.md")]


OPERATIONS: dict[str, Callable[[Library, World], None]] = {
    "first": lambda library, world: _take_in(library, world.file("new.md")),
    "add": lambda library, world: _take_in(library, world.file("new.md")),
    "add-video": lambda library, world: _take_in(library, world.file("new.mp4")),
    "resume": lambda library, world: _take_in(library, world.file("half.md")),
    "re-add": lambda library, world: _take_in(library, world.file("edited.md")),
    "forget": _forget,
    "compact": lambda library, world: library.store.upkeep.compact(),
    "reindex": lambda library, world: _reindex(library, _finished(library)),
    "reindex-pictures": lambda library, world: _reindex(library, ["film.mp4"]),
    "upload": _upload,
    "work": _work,
    "export": _export,
    "import": _import,
}
# What an operation is about; of all other media nothing may change while it runs or is cut short.
# The first is done to a library that is not there yet.
ABOUT = {
    "resume": ("half.md",),
    "re-add": ("edited.md",),
    "forget": ("gone.md",),
    "reindex": ("kept.md", "gone.md", "edited.md"),
    "reindex-pictures": ("film.mp4",),
}


def run(world: World, operation: str) -> None:
    """Do it, here and now."""
    with world.open(operation) as library:
        OPERATIONS[operation](library, world)


def _told(world: World) -> None:
    """Let each commit be told once it is over: from there on it must never be lost."""
    commit = Writer.commit

    def telling(self: Writer, one: Any) -> Any:
        row = commit(self, one)
        with world.committed.open("a", encoding="utf-8") as out:
            print(one.media.id, one.segment, file=out)
        return row

    Writer.commit = telling  # type: ignore[method-assign]


def main(folder: str, operation: str) -> None:
    world = World(Path(folder))
    _told(world)
    try:
        run(world, operation)
    except MemqaError as exc:
        print(f"{type(exc).__name__}: {exc}", file=sys.stderr)
        sys.exit(exits.code_of(exc))
    finally:
        print(shim.seen())


if __name__ == "__main__":
    main(*sys.argv[1:])

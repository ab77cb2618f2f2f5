"""A library that only remembers what a test tells it, for the page's own tests."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from memqa.chats import Asked, Chat, Turn, chats_of
from memqa.jobs import Job
from memqa.library import Stats
from memqa.store.schema import Memory
from memqa.values import Answer, Collection, Evidence, Media, Step, Token
from models.errors import InputError
from models.values import ShouldStop


class FakeLibrary:
    """The library's door over plain lists; ``script`` is what ``stream`` yields, word by word.

    ``gate``, while cleared, holds ``stream`` before its answer.
    """

    def __init__(self, home: Path, media: Iterable[Media] = (), jobs: Iterable[Job] = ()) -> None:
        self.home = home
        self.settings = SimpleNamespace(limits=SimpleNamespace(max_upload_bytes=50_000_000))
        self.kept = {item.id: item for item in media}
        self.queue = {job.id: job for job in jobs}
        self.sets: dict[str, Collection] = {}
        self.memories: list[Memory] = []
        self.script: list[Step | Token | Answer] = []
        self.asked: list[dict[str, Any]] = []
        self.added: list[Path | str] = []
        self.told: list[str] = []
        self.kept_turns: list[Turn] = []
        self.gate = threading.Event()
        self.gate.set()
        self.store = SimpleNamespace(
            read=SimpleNamespace(memories=self._memories, memories_by_id=self._by_id)
        )

    def _memories(self, media_id: str, *, levels: Iterable[str] | None = None) -> list[Memory]:
        wanted = set(levels or ())
        return [
            one
            for one in self.memories
            if one.media_id == media_id and (not wanted or one.level in wanted)
        ]

    def _by_id(self, ids: Iterable[str]) -> dict[str, Memory]:
        wanted = set(ids)
        return {one.id: one for one in self.memories if one.id in wanted}

    def media(self) -> list[Media]:
        return list(self.kept.values())

    def show(self, media: str) -> Media:
        if media not in self.kept:
            raise InputError(f"{media!r} is not in the library")
        return self.kept[media]

    def jobs(self) -> list[Job]:
        return list(self.queue.values())

    def add(self, path: str | Path, *, wait: bool = True) -> Job:
        self.added.append(path if "://" in str(path) else Path(path))
        job = Job(id=f"job{len(self.queue)}", path=str(path), state="queued")
        self.queue[job.id] = job
        return job

    def keep_upload(self, path: str | Path, name: str = "") -> Path:
        target = self.home / "uploads" / "one" / name
        target.parent.mkdir(parents=True)
        return Path(path).rename(target)

    def pause(self, job: str) -> None:
        self.queue[job] = replace(self.queue[job], state="paused")

    def cancel(self, job: str) -> None:
        self.queue[job] = replace(self.queue[job], state="cancelled")

    def resume(self, job: str) -> None:
        self.queue[job] = replace(self.queue[job], state="queued")

    def forget(self, media: str) -> Media:
        return self.kept.pop(media)

    def settle(self) -> None:
        self.told.append("settled")

    def reindex_later(self, media: str) -> Job:
        found = self.show(media)
        job = Job(f"job{len(self.queue)}", found.path, "queued", found.id, task="reindex")
        self.queue[job.id] = job
        return job

    def collections(self) -> list[Collection]:
        return sorted(self.sets.values(), key=lambda one: one.name)

    def collect(self, name: str, media: Sequence[str]) -> Collection:
        self.sets[name] = Collection(name, tuple(media))
        return self.sets[name]

    def uncollect(self, name: str) -> Collection:
        del self.sets[name]
        return Collection(name)

    def stats(self) -> Stats:
        return Stats(str(self.home), len(self.kept), 0, 0, 0.0, 0, 0, 1_200_000, 0)

    def thumbnail(self, _item: Evidence | str) -> bytes | None:
        return None

    def stream(
        self, question: str, *, should_stop: ShouldStop = lambda: False, **options: Any
    ) -> Iterator[Step | Token | Answer]:
        self.asked.append({"question": question, **options})
        for piece in self.script:
            if isinstance(piece, Answer):
                self.gate.wait(10)
                if should_stop():
                    return
                media, at = options["media"], f"2100-01-01T00:00:{len(self.kept_turns):02}"
                wanted = Asked(tuple(media) if media else None, options["at_s"], options["resume"])
                name = f"turn{len(self.kept_turns)}"
                self.kept_turns.append(
                    Turn(options["chat"], at, question, piece, asked=wanted, id=name)
                )
            yield piece

    def turns(self, chat: str) -> list[Turn]:
        return [turn for turn in self.kept_turns if turn.chat == chat]

    def drop_chat(self, chat: str) -> None:
        self.kept_turns = [turn for turn in self.kept_turns if turn.chat != chat]

    def chats(self) -> list[Chat]:
        return chats_of(self.kept_turns)

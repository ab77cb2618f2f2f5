"""A real little video, seen with fake senses, becomes the same memories whatever interrupts it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memqa.held import memory_of
from memqa.ingest_video import event_text, manner
from memqa.library import Library
from memqa.question import understand
from memqa.retrieve import Finder
from memqa.settings import Settings, VideoSettings
from memqa.store.schema import COUNTS, memory_id
from memqa.store.upkeep import Upkeep
from memqa.values import Media
from models.errors import DiskFull, EmptyMedia, IngestCancelled, InputError
from models.values import Label, TimeSpan, Utterance
from tests import media as made
from tests.memqa.parts import FakeEngines, write_document
from tests.memqa.test_resume import everything, killed_at
from vidmem.memory.contract import MemoryRead
from vidmem.memory.methods import METHODS
from vidmem.values import Event, ReadText

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give 150 s in six shots, with a tone in each minute: three segments."""
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    tones = [(5.0, 8.0), (70.0, 73.0), (130.0, 133.0)]
    return made.video(path, shots=(50,) * 6, fps=2, pan=3, tones=tones)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        yield library


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory, film: Path) -> dict[str, Any]:
    with Library(tmp_path_factory.mktemp("home"), engines=FakeEngines()) as library:
        library.add(film)
        return everything(library)


def test_states_of_another_memory_are_not_taken_up() -> None:
    before = manner(VideoSettings(), "moviechat")
    assert before != manner(VideoSettings(frames_per_s=2), "moviechat")
    assert before != manner(VideoSettings(memory_bytes=2**20), "moviechat")
    assert before != manner(VideoSettings(), "uniform")


def test_a_video_becomes_events_speech_and_an_outline(library: Library, film: Path) -> None:
    media = library.add(film)
    read = library.store.read
    assert (media.status, media.kind, media.method) == ("indexed", "video", "moviechat")
    assert media.duration_s == pytest.approx(150, abs=1)
    assert media.remembered_s == pytest.approx(150, abs=1)

    events = read.memories(media.id, levels=["event"])
    spans = [event.locator for event in events]
    assert all(isinstance(span, TimeSpan) for span in spans)
    assert spans == sorted(spans, key=lambda span: span.start_s)  # type: ignore[union-attr]
    assert [event.id for event in events] == [
        memory_id(media.id, f"e{i}") for i in range(len(events))
    ]
    assert len(events) >= 6
    thumbnail = library.thumbnail(events[0].id)
    assert thumbnail is not None
    assert thumbnail.startswith(b"\xff\xd8")

    said = read.memories(media.id, levels=["observation"])
    assert [one.modality for one in said] == ["said"] * 3
    for utterance in said:
        assert utterance.parent_id is not None
        parent = read.memories_by_id([utterance.parent_id])[utterance.parent_id]
        assert isinstance(parent.locator, TimeSpan)
        assert isinstance(utterance.locator, TimeSpan)
        assert parent.locator.overlap_s(utterance.locator) > 0
        assert utterance.text in parent.text

    summaries = {node.id for node in read.memories(media.id, levels=["summary"])}
    assert {event.parent_id for event in events} <= summaries
    tree = library.outline(media.id)
    assert tree.node(tree.root).last_passage == len(events) - 1

    kept = read.memories(media.id, levels=["long"])
    assert {one.segment for one in kept} == {2}
    assert sum(one.count for one in kept) > 30
    eyes = FakeEngines().image_encoder()
    found = read.search_vectors(
        eyes.signature, np.ones(eyes.dim, np.float32), metric="dot", limit=500
    )
    assert {hit.memory.id for hit in found} == {one.id for one in kept}
    assert set(read.states(media.id)) == {"memory", "timeline"}


@pytest.mark.parametrize(
    ("step", "segment"), [("_write_vectors", 1), ("_counted", 1), ("commit", 2), ("settle", 0)]
)
def test_a_killed_video_is_finished_as_if_nothing_was(
    library: Library, film: Path, unbroken: dict[str, Any], step: str, segment: int
) -> None:
    killed_at(library, film, step, segment)
    (media,) = library.media()
    row = library.store.read.media_row(media.id)
    assert row is not None
    seen = library.store.read.memories(media.id)
    assert {one.segment for one in seen} <= set(range(row.committed_segment + 1))
    (outcome,) = library.index([film])
    assert outcome.status == ("unchanged" if step == "settle" else "indexed")
    assert everything(library) == unbroken


@pytest.mark.parametrize("step", ["_count", "_put"])
def test_a_video_that_is_killed_as_it_is_settled_is_finished_by_the_next_run(
    library: Library, film: Path, unbroken: dict[str, Any], step: str, tmp_path: Path
) -> None:
    with Library(tmp_path / "whole", engines=FakeEngines()) as whole:
        row = whole.store.read.media_row(whole.add(film).id)
    assert row is not None
    # Each commit counts and puts once, and beginning puts once more.
    killed_at(library, film, step, row.committed_segment + 1 + (step == "_put"))
    assert (COUNTS in library.store.read.states(row.media.id)) == (step == "_put")
    (outcome,) = library.index([film])
    assert (outcome.status, outcome.error) == ("unchanged", None)
    assert everything(library) == unbroken


def test_a_video_stays_whole_though_tidying_up_after_it_fails(
    tmp_path: Path, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = made.coloured(tmp_path / "film.mp4", [(220, 30, 30), (30, 30, 220)], each_s=2)

    def full(_: Upkeep) -> None:
        raise DiskFull("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(Upkeep, "compact", full)
        (outcome,) = library.index([film])
    assert isinstance(outcome.error, DiskFull)
    assert library.show("film.mp4").status == "indexed"
    assert [one.status for one in library.index([film])] == ["unchanged"]


def test_a_cancelled_video_says_how_far_it_remembers(
    library: Library, film: Path, unbroken: dict[str, Any]
) -> None:
    def stops() -> bool:
        (media,) = library.media() or (Media("", "", "video", "queued"),)
        return media.memories > 0

    (outcome,) = library.index([film], should_stop=stops)
    assert isinstance(outcome.error, IngestCancelled)
    (media,) = library.media()
    assert (media.status, media.remembered_s) == ("cancelled", 60.0)
    assert [o.status for o in library.index([film])] == ["indexed"]
    assert everything(library) == unbroken


def test_a_recording_is_heard(library: Library, tmp_path: Path) -> None:
    path = made.sound_only(tmp_path / "talk.m4a", tones=[(2.0, 4.0)], length_s=8.0)
    media = library.add(path)
    assert (media.kind, media.status) == ("audio", "indexed")
    events = library.store.read.memories(media.id, levels=["event"])
    assert [event.modality for event in events] == ["said"]
    assert "tone 440 hertz" in events[0].text


def test_a_silent_recording_leaves_nothing(library: Library, tmp_path: Path) -> None:
    path = made.sound_only(tmp_path / "silence.m4a", tones=[], length_s=4.0)
    with pytest.raises(EmptyMedia):
        library.add(path)
    assert library.media() == []


def test_a_cut_off_video_is_partly_remembered(library: Library, tmp_path: Path, film: Path) -> None:
    whole = made.video(tmp_path / "film.mkv", shots=(50,) * 4, fps=5, pan=3)
    data = whole.read_bytes()
    half = tmp_path / "half.mkv"
    half.write_bytes(data[: len(data) // 2])
    media = library.add(half)
    assert media.status == "partial"
    assert media.notes
    assert 0 < (media.remembered_s or 0) < 39
    assert [o.status for o in library.index([half])] == ["unchanged"]


def test_an_event_is_written_as_a_passage() -> None:
    event = Event(
        index=3,
        span=TimeSpan(0, 5),
        labels=(Label("minibus", 0.5), Label("trolleybus", 0.1), Label("hen", 0.01)),
        read=(ReadText(TimeSpan(0, 2), "GATE 5"), ReadText(TimeSpan(3, 4), "GATE 5")),
        said=(Utterance(1, 2, " All aboard. "), Utterance(2, 3, "Mind the gap.")),
        thumbnail=None,
        key_s=1.0,
    )
    assert event_text(event) == (
        "Seen: minibus, trolleybus\nRead: GATE 5\nSaid: All aboard. Mind the gap."
    )
    unsure = replace(event, labels=(Label("minibus", 0.3), Label("trolleybus", 0.2)))
    assert event_text(unsure).startswith("Seen: minibus or trolleybus\n")
    silent = Event(0, TimeSpan(0, 1), (), (), (), None, 0.0)
    assert event_text(silent) == ""


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_memory_can_be_chosen_and_is_searched(
    library: Library, film: Path, method: str
) -> None:
    media = library.add(film, method=method)
    assert media.method == method
    kept = library.store.read.memories(media.id, levels=["long"])
    assert kept
    assert {one.method for one in kept} == {method}
    assert library.search("red")


def test_regions_are_remembered_beside_the_whole_picture(tmp_path: Path, film: Path) -> None:
    settings = Settings(video=VideoSettings(regions=2))
    with Library(tmp_path / "home", settings, engines=FakeEngines()) as library:
        media = library.add(film, method="xmem")
        held = memory_of(library.store.read, media.id)
        kept = library.store.read.memories(media.id, levels=["long"])
        assert held is not None
        assert held[0].tokens == 5
        spans = Counter(one.locator for one in kept)
        assert max(spans.values()) > 1
        assert library.density("red", media=media.id)


def test_what_the_method_s_read_passes_over_counts_for_a_third(
    library: Library, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    media = library.add(film)
    reader, image = library.store.read, library.engines.image_encoder()
    question, kept = understand("When is red shown?"), memory_of(reader, media.id)
    assert kept is not None

    def seen_with(attended: TimeSpan | None) -> dict[str, float]:
        class Reads:
            def read(self, _: object) -> MemoryRead:
                assert attended is not None
                return MemoryRead(np.zeros((1, 1, 1), np.float32), np.ones(1), (attended,))

        held = None if attended is None else (kept[0], Reads())
        monkeypatch.setattr("memqa.retrieve.memory_of", lambda *_: held)
        finder = Finder(reader, image, library.engines.text_encoder())
        found = finder.find_focus(question, "red", [media])
        return {one.memory.id: one.parts.seen for one in found if one.parts.seen}

    plain = seen_with(None)
    best = max(plain, key=lambda place: plain[place])
    (span,) = (e.locator for e in reader.memories(media.id) if e.id == best)
    assert isinstance(span, TimeSpan)
    weighed = seen_with(span)
    assert len(plain) > 1
    assert weighed == {
        place: pytest.approx(seen if place == best else seen / 3) for place, seen in plain.items()
    }


def test_another_method_for_a_known_video_is_not_passed_over_in_silence(
    library: Library, film: Path
) -> None:
    library.add(film)
    (outcome,) = library.index([film], method="xmem")
    assert outcome.status == "unchanged"
    assert outcome.media is not None
    assert "forget it first to take it in by xmem" in outcome.media.notes[-1]
    assert not library.media()[0].notes


def test_what_a_memory_holds_can_be_told(library: Library, tmp_path: Path) -> None:
    film = made.video(tmp_path / "film.mp4", shots=(50,) * 4, fps=5, pan=3)
    media = library.add(film, method="xmem")
    account = library.memory(media.id)
    assert (account.method, account.horizon_s) == ("xmem", None)
    assert account.nbytes <= account.budget_bytes
    assert any(bank.held for bank in account.banks)
    assert sum(one.count for one in account.elements) == account.figures["frames_seen"]
    assert all(one.usage is not None and one.bytes > 0 for one in account.elements)
    assert account.timeline["horizon_s"] > 0
    ends = [one.end_s for one in account.elements]
    assert ends == sorted(ends)
    with pytest.raises(InputError, match="no picture memory"):
        library.memory(library.add(write_document(tmp_path / "a.md")).id)


def test_a_question_attends_where_its_thing_is_shown(library: Library, tmp_path: Path) -> None:
    film = made.video(tmp_path / "film.mp4", shots=(50,) * 4, fps=5, pan=3)
    media = library.add(film)
    whole = library.density("red", media=media.id)
    assert sum(one.density * (one.end_s - one.start_s) for one in whole) == pytest.approx(
        1, abs=0.1
    )
    assert all(left.start_s <= right.start_s for left, right in pairwise(whole))
    with pytest.raises(InputError, match="empty"):
        library.density(" ", media=media.id)

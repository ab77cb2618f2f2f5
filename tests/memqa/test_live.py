"""A live source in the library: asked while it grows, kept when stopped, no secret of it stored."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from memqa.cli import index
from memqa.library import Library
from memqa.values import Media
from models.errors import InputError
from tests import media as made
from tests.memqa.parts import FakeEngines, bytes_under
from tests.serving import streamed
from vidmem.memory.methods import METHODS

SHOTS, LENGTH_S = (60, 60, 60, 60), 48.0


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("live") / "film.ts"
    made.video(path, shots=SHOTS, fps=5, pan=2, tones=[(5.0, 7.0), (20.0, 22.0)])
    return path.read_bytes()


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        yield library


def test_a_stream_can_be_asked_while_it_runs(library: Library, film: bytes) -> None:
    taken: list[Media] = []
    with streamed(film, length_s=LENGTH_S) as (port, _):
        address = f"http://me:secret@127.0.0.1:{port}/cam?key=secret"
        watcher = threading.Thread(target=lambda: taken.append(library.live(address)))
        watcher.start()
        deadline = time.monotonic() + 60
        while not (media := library.media()) or not media[0].memories:
            assert time.monotonic() < deadline
            time.sleep(0.3)
        assert media[0].status == "indexing"
        answer = library.ask("What is happening now?")
        assert answer.state == "grounded"
        assert answer.evidence[0].media_id == media[0].id
        watcher.join()
    assert taken[0].status == "indexed"
    assert taken[0].path == f"http://127.0.0.1:{port}/cam"
    assert taken[0].duration_s == pytest.approx(LENGTH_S, abs=1)
    assert library.show(taken[0].id).name == taken[0].path
    assert library.outline(taken[0].id).nodes
    assert bytes_under(library.home, "secret") == []


def test_now_is_what_was_seen_last(library: Library, film: bytes) -> None:
    with streamed(film, length_s=1.0) as (port, _):
        media = library.live(f"http://127.0.0.1:{port}/")
    answer = library.ask("What is on screen right now?", media=media.id)
    assert answer.evidence[0].locator.end_s == pytest.approx(LENGTH_S, abs=1)


def test_whoever_stops_keeps_what_was_seen(library: Library, film: bytes) -> None:
    began = time.monotonic()
    with streamed(film, length_s=LENGTH_S) as (port, _):
        media = library.live(
            f"http://127.0.0.1:{port}/", should_stop=lambda: time.monotonic() - began > 12
        )
    assert media.status == "indexed"
    assert 0 < (media.duration_s or 0) < 30
    assert media.memories


def test_each_watching_is_a_media_of_its_own(library: Library, film: bytes) -> None:
    with streamed(film, length_s=0.5) as (port, _):
        one = library.live(f"http://127.0.0.1:{port}/", for_s=10)
        other = library.live(f"http://127.0.0.1:{port}/", for_s=10)
    assert one.id != other.id
    assert one.path == other.path
    assert len(library.media()) == 2
    assert one.duration_s == pytest.approx(10, abs=1)


def test_a_source_that_fails_leaves_nothing(library: Library) -> None:
    with pytest.raises(InputError, match="cannot be watched"):
        library.live("http://127.0.0.1:9/")
    with pytest.raises(InputError, match="no memory method"):
        library.live("webcam", method="nonsense")
    assert library.media() == []


def test_a_watcher_that_was_killed_leaves_what_it_saw(tmp_path: Path, film: bytes) -> None:
    home = tmp_path / "home"
    code = (
        "import sys; from memqa.library import Library; from tests.memqa.parts import FakeEngines\n"
        "Library(sys.argv[1], engines=FakeEngines()).live(sys.argv[2])"
    )
    with streamed(film, length_s=LENGTH_S) as (port, _), Library(home) as library:
        address = f"http://127.0.0.1:{port}/"
        watcher = subprocess.Popen([sys.executable, "-c", code, str(home), address])
        deadline = time.monotonic() + 60
        while not (media := library.media()) or not media[0].memories:
            assert time.monotonic() < deadline
            time.sleep(0.3)
        os.kill(watcher.pid, signal.SIGKILL)
        watcher.wait()
    with Library(home, engines=FakeEngines()) as library:
        kept = library.media()[0]
        assert kept.status == "partial"
        assert "cut short" in kept.notes[-1]
        assert library.ask("What is happening now?").evidence


def test_the_help_names_every_method() -> None:
    assert index._METHODS.split(", ") == ["auto", *METHODS]

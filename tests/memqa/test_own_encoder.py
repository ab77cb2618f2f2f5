"""A model that a person brought for seeing indexes a video and finds in it, by cosine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from memqa.held import memory_of
from memqa.library import Library
from memqa.question import understand
from memqa.retrieve import Finder, attention
from models.ports import ImageEncoder
from models.values import TimeSpan
from models.vision import openclip
from models.vision.openclip import OpenClip
from tests import media as made
from tests.memqa.parts import FakeEngines
from tests.models.clips import small_clip
from vidmem.memory.methods import METHODS

pytestmark = pytest.mark.timeout(600)


class _OwnEyes(FakeEngines):
    """Engines that see with a model of one's own."""

    def __init__(self, eyes: ImageEncoder) -> None:
        super().__init__()
        self._eyes = eyes

    def image_encoder(self) -> ImageEncoder:
        return self._eyes


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    return made.video(path, shots=(12,) * 4, fps=2, pan=3)


@pytest.fixture(scope="module", params=[False, True], ids=["clip", "siglip"])
def eyes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OpenClip]:
    folder = tmp_path_factory.mktemp("model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openclip, "cache_folder", lambda: folder / "cache")
        model = small_clip(folder / "small", siglip=request.param)
        yield OpenClip(model, None)


@pytest.fixture
def library(tmp_path: Path, eyes: OpenClip) -> Iterator[Library]:
    with Library(tmp_path / "home", engines=_OwnEyes(eyes)) as library:
        yield library


def test_a_video_is_indexed_and_searched_by_cosine(
    library: Library, film: Path, eyes: OpenClip
) -> None:
    media = library.add(film)
    assert media.status == "indexed"
    read = library.store.read
    hits = read.search_vectors(
        eyes.signature, eyes.encode_query("dog"), metric="cosine", media_ids=[media.id], limit=999
    )
    kept = read.memories(media.id, levels=["long"])
    assert {hit.memory.id for hit in hits} == {one.id for one in kept}
    events = read.memories(media.id, levels=["event"])
    assert len(events) >= 4

    shown = Finder(read, eyes, library.engines.text_encoder()).shown("dog", [media.id])[media.id]
    cosines = {hit.memory.locator: hit.score for hit in hits}
    fits = {TimeSpan(*span): fit for span, fit in zip(shown.spans, shown.fits, strict=True)}
    by_cosine = sorted(fits, key=lambda span: cosines[span])
    assert [fits[span] for span in by_cosine] == sorted(fits.values())
    assert 0 < min(fits.values()) <= max(fits.values()) <= 1

    found = library.search("a dog on a lawn")
    assert found
    assert {one.media_id for one in found} == {media.id}
    assert all(0 <= one.score <= 1 for one in found)
    assert library.search("a dog on a lawn") == found


def test_what_is_asked_for_is_found_where_it_is_shown(
    library: Library, film: Path, eyes: OpenClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    media = library.add(film)
    memory = memory_of(library.store.read, media.id)
    assert memory is not None
    element = memory[1].elements()[-1]
    wanted = element.feature.mean(axis=0)
    monkeypatch.setattr(eyes, "_query", lambda _: wanted / np.linalg.norm(wanted))
    finder = Finder(library.store.read, eyes, library.engines.text_encoder())
    best = finder.find(understand("When does the kite appear?"), [media])[0]
    assert isinstance(best.memory.locator, TimeSpan)
    assert best.memory.locator.start_s <= element.span.start_s < best.memory.locator.end_s


@pytest.mark.parametrize("method", METHODS)
def test_every_memory_takes_its_vectors(
    tmp_path: Path, film: Path, eyes: OpenClip, method: str
) -> None:
    with Library(tmp_path / "home", engines=_OwnEyes(eyes)) as library:
        media = library.add(film, method=method)
        assert library.search("dog")
        assert attention(library, "When does the dog appear?", media)


def test_a_video_that_other_eyes_saw_is_encoded_anew_and_then_searched(
    tmp_path: Path, film: Path, eyes: OpenClip
) -> None:
    home = tmp_path / "home"
    with Library(home, engines=FakeEngines()) as library:
        media = library.add(film)
    with Library(home, engines=_OwnEyes(eyes)) as library:
        (outcome,) = library.reindex()
        assert outcome.status == "reindexed", outcome
        assert [one.status for one in library.reindex()] == []
        vectors = library.store.read.search_vectors(
            eyes.signature, eyes.encode_query("dog"), metric="cosine", media_ids=None, limit=99
        )
        assert {hit.memory.media_id for hit in vectors} == {media.id}
        assert library.search("a dog on a lawn")
    with Library(tmp_path / "fresh", engines=_OwnEyes(eyes)) as fresh:
        again = fresh.add(film)
        texts = [one.text for one in fresh.store.read.memories(again.id, levels=["event"])]
    with Library(home, engines=_OwnEyes(eyes)) as library:
        events = library.store.read.memories(media.id, levels=["event"])
        assert [one.text for one in events] == texts

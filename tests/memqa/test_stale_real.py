"""A change of real models is noticed by processes that have loaded none of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from memqa.cli.app import app
from memqa.engines import CatalogEngines
from memqa.library import Library
from memqa.settings import ModelNames
from memqa.stale import load
from models import catalog, weights
from models.embedded import MINILM
from tests.models.clips import small_clip

pytestmark = [pytest.mark.real_model, pytest.mark.timeout(600)]
TEXT = "The harbour was quiet.\n\nA zebrafinch nested in the clock tower above the square."


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(catalog, "_loaded", {})


def another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be loaded, as in a process that has only started."""
    monkeypatch.setattr(catalog, "_loaded", {})


def test_another_text_encoder_is_noticed_and_what_it_needs_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, file = tmp_path / "minilm", tmp_path / "story.md"
    shutil.copytree(MINILM.path().parent, folder)
    file.write_text(TEXT, encoding="utf-8")
    with Library() as library:
        library.add(file)
    monkeypatch.setenv("MEMQA_MODELS__TEXT_ENCODER", str(folder))
    another_process(monkeypatch)
    run = CliRunner().invoke
    assert "text by other models" in run(app, ["list"]).stdout
    assert "another text encoder" in run(app, ["show", "story.md"]).stdout
    assert "1 of 1 were indexed with another text encoder" in run(app, ["doctor"]).stdout
    assert not catalog._loaded
    assert "searched by words only" in run(app, ["search", "zebrafinch"]).stderr
    another_process(monkeypatch)
    told = json.loads(run(app, ["reindex", "--json"]).stdout)
    assert (told["status"], told["renewed"]) == ("reindexed", ["text"])
    another_process(monkeypatch)
    assert "ready" in run(app, ["list"]).stdout
    with Library() as library:
        (row,) = library.store.read.media_rows()
        assert row.signatures["text"] == catalog.text_encoder(str(folder)).signature
        assert "zebrafinch" in library.search("a bird on a building")[0].text
    (folder / "config_sentence_transformers.json").write_text('{"prompts": {"query": "ask: "}}')
    another_process(monkeypatch)
    assert "text by other models" in run(app, ["list"]).stdout


def test_a_picture_encoder_is_known_once_it_was_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"open_clip:{small_clip(tmp_path / 'clip')}"
    engines = CatalogEngines(ModelNames(image_encoder=name))
    assert "image" not in engines.signatures()
    load(engines, {"image"})
    signature = engines.image_encoder().signature
    another_process(monkeypatch)
    assert engines.signatures()["image"] == signature
    small_clip(tmp_path / "clip", seed=1)
    assert "image" not in engines.signatures()


def test_files_tell_the_signature_that_the_loaded_model_has(tmp_path: Path) -> None:
    shutil.copytree(MINILM.path().parent, tmp_path / "texts")
    name = str(tmp_path / "texts")
    told = catalog.signature("text_encoder", name)
    assert told == catalog.text_encoder(name).signature
    told = catalog.signature("text_reader", "rapidocr:japan")
    assert told == catalog.text_reader("rapidocr:japan").signature
    assert catalog.signature("text_encoder", str(tmp_path / "gone")) is None
    assert catalog.signature("text_reader", "rapidocr:klingon") is None

"""What is set for one model never reaches another: keys and projectors stay with their own."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from typing import Any

import pytest

from memqa import settings, worker
from memqa.engines import CatalogEngines
from memqa.library import Library
from memqa.settings import LanguageSettings, ModelNames, Settings
from memqa.whereabouts import config_path
from models import catalog
from models.options import PLAIN, LanguageOptions
from tests.chat_server import scripted

OWN = LanguageOptions(projector=Path("mmproj.gguf"), api_key="sk-own")
EYES = LanguageOptions(api_key="sk-eyes")
UNSET = LanguageSettings()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, LanguageOptions]]:
    """Which language models the catalogue was asked for, and how they are run."""
    calls: list[tuple[str, LanguageOptions]] = []

    def language_model(name: str, options: LanguageOptions) -> None:
        calls.append((name, options))

    monkeypatch.setattr(catalog, "language_model", language_model)
    return calls


@pytest.mark.parametrize(
    ("captioner", "run"),
    [
        ("", ("https://h/v1", OWN)),
        ("https://h/v1", ("https://h/v1", OWN)),
        ("smolvlm2-2.2b", ("smolvlm2-2.2b", EYES)),
    ],
)
def test_a_captioner_of_its_own_is_run_in_its_own_way(
    asked: list[tuple[str, LanguageOptions]], captioner: str, run: tuple[str, LanguageOptions]
) -> None:
    names = ModelNames(language_model="https://h/v1", captioner=captioner)
    CatalogEngines(names, OWN, EYES).captioner()
    CatalogEngines(names, OWN, EYES).language_model()
    assert asked == [run, ("https://h/v1", OWN)]


@pytest.mark.usefixtures("own_home")
def test_the_key_of_one_server_is_not_sent_to_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "_loaded", {})
    monkeypatch.setenv("MEMQA_LANGUAGE__API_KEY", "sk-own")
    with scripted() as provider, scripted() as box:
        names = ModelNames(language_model=provider.url, captioner=box.url)
        chosen = settings.load().model_copy(update={"models": names})
        with Library(settings=chosen) as library:
            library.engines.language_model()
            library.engines.captioner()
    assert {r.headers["Authorization"] for r in provider.requests} == {"Bearer sk-own"}
    assert {r.headers["Authorization"] for r in box.requests} == {None}


def test_the_captioners_own_settings_are_read(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(own_home))
    monkeypatch.setenv("MEMQA_CAPTION__API_KEY", "sk-eyes")
    config_path().write_text('[caption]\nprojector = "~/mmproj.gguf"\n')
    loaded = settings.load()
    assert loaded.language.options() == PLAIN
    assert loaded.caption.options() == LanguageOptions(
        api_key="sk-eyes", projector=own_home / "mmproj.gguf"
    )


def test_the_worker_is_told_no_key_not_even_a_mask(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = _Told()

    class Process:
        stdin = told

    monkeypatch.setattr(subprocess, "Popen", lambda *given, **named: Process())
    monkeypatch.setattr(worker, "_spawned", {})
    own_home.mkdir()
    keyed = LanguageSettings.model_validate({"api_key": "sk-own"})
    chosen = settings.load(home=own_home).model_copy(update={"language": keyed, "caption": keyed})
    worker.start_worker(chosen)
    assert b"sk-own" not in told.kept
    assert b"*" not in told.kept
    there = Settings.model_validate_json(told.kept)
    assert there == chosen.model_copy(update={"language": UNSET, "caption": UNSET})


class _Told(io.BytesIO):
    kept = b""

    def close(self) -> None:
        self.kept = self.getvalue()
        super().close()

    def __exit__(self, *given: Any) -> None:
        self.close()

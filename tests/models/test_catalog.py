"""The catalogue is cheap to import, loads once, and reports what is there."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from models import catalog
from models.errors import MissingExtra, ModelNotFound, SetupError
from models.weights import Weights


def test_importing_the_catalogue_imports_nothing_heavy() -> None:
    heavy = ("torch", "transformers", "llama_cpp", "rapidocr", "faster_whisper", "onnxruntime")
    code = f"import sys, models.catalog; print([m for m in {heavy} if m in sys.modules])"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_port_is_reported_with_nothing_loaded() -> None:
    reports = catalog.report()
    assert [report.port for report in reports] == [
        "image_encoder",
        "text_encoder",
        "transcriber",
        "text_reader",
        "language_model",
    ]
    assert all(report.problem is None and report.licence for report in reports)
    assert all(Path(report.where).is_dir() for report in reports)


def test_a_problem_is_reported_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = catalog._ENTRIES["transcriber"]["embedded"]
    gone = replace(entry, weights=(Weights("gone", "gone_module", "x", "0"),))
    monkeypatch.setitem(catalog._ENTRIES["transcriber"], "embedded", gone)
    (report,) = [r for r in catalog.report() if r.port == "transcriber"]
    assert report.problem is not None
    assert "pip install gone" in report.problem


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(SetupError, match=r"'clip'.*Known: embedded"):
        catalog.image_encoder("clip")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def build() -> object:
        raise ImportError("No module named 'rapidocr'", name="rapidocr")

    entry = replace(catalog._ENTRIES["text_reader"]["embedded"], build=build)
    monkeypatch.setitem(catalog._ENTRIES["text_reader"], "other", entry)
    with pytest.raises(MissingExtra, match="rapidocr"):
        catalog.text_reader("other")


def test_wrong_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "_WHISPER", replace(catalog._WHISPER, sha256="0" * 64))
    with pytest.raises(ModelNotFound, match="another SHA-256"):
        catalog._build_transcriber()


def test_many_threads_load_a_model_once(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[object] = []

    def build() -> object:
        built.append(object())
        return built[-1]

    entry = replace(catalog._ENTRIES["text_reader"]["embedded"], build=build)
    monkeypatch.setitem(catalog._ENTRIES["text_reader"], "counted", entry)
    got: list[object] = []
    threads = [
        threading.Thread(target=lambda: got.append(catalog.text_reader("counted")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    catalog._loaded.pop(("text_reader", "counted"))
    assert len(built) == 1
    assert len(set(map(id, got))) == 1


def test_the_class_names_are_the_thousand_of_imagenet() -> None:
    names = catalog._imagenet_names()
    assert len(names) == 1000
    assert (names[0], names[388]) == (("tench",), ("giant panda",))
    assert names[930] == ("baguette", "French loaf")


@pytest.mark.real_model
@pytest.mark.parametrize("port", list(catalog._ENTRIES))
def test_what_the_report_says_is_what_is_loaded(port: str) -> None:
    (report,) = [r for r in catalog.report() if r.port == port]
    model = getattr(catalog, port)()
    # A language model's own signature tells one file of weights from another.
    named = model.name if port == "language_model" else model.signature
    assert report.signature == named

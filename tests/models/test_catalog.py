"""The catalogue is cheap to import, loads once, builds what a name stands for, and reports."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from models import catalog, embedded, fetch, shelf
from models.embedded import EMBEDDED_MODELS
from models.errors import MissingExtra, ModelNotFound, SetupError
from models.options import PLAIN, LanguageOptions
from models.specs import parse
from models.weights import Weights


@pytest.fixture(autouse=True)
def nothing_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no stand-in of a test outlive it; what was loaded for real stays loaded."""
    monkeypatch.setattr(catalog, "_loaded", dict(catalog._loaded))


class Built:
    """Stands for a backend: keeps what it was built from."""

    def __init__(self, *given: Any, **named: Any) -> None:
        self.given, self.named = given, named
        self.signature = f"built/{given[0]}"


@pytest.fixture
def backends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put stand-ins where the backends are."""
    for module, name in (
        ("models.llm.server", "ServerModel"),
        ("models.llm.llama", "Llama"),
        ("models.llm.transformers", "TransformersModel"),
        ("models.vision.openclip", "OpenClip"),
        ("models.text", "SentenceEncoder"),
        ("models.speech", "Whisper"),
        ("models.ocr", "PaddleReader"),
    ):
        stand_in = ModuleType(module)
        setattr(stand_in, name, Built)
        monkeypatch.setitem(sys.modules, module, stand_in)


def test_importing_the_catalogue_imports_nothing_heavy() -> None:
    heavy = (
        *("torch", "transformers", "llama_cpp", "rapidocr", "faster_whisper", "onnxruntime"),
        *("open_clip", "huggingface_hub"),
    )
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
    gone = replace(
        EMBEDDED_MODELS["transcriber"], weights=(Weights("gone", "gone_module", "x", "0"),)
    )
    monkeypatch.setitem(EMBEDDED_MODELS, "transcriber", gone)
    (report,) = [r for r in catalog.report() if r.port == "transcriber"]
    assert report.problem is not None
    assert "pip install gone" in report.problem


def test_models_in_use_are_reported(tmp_path: Path) -> None:
    names = {
        "image_encoder": "siglip2-b16-256",
        "text_encoder": "no-such",
        "language_model": "https://models.example.org/v1#big",
        "captioner": str(tmp_path / "gone.gguf"),
    }
    reports = {report.port: report for report in catalog.report(names)}
    assert reports["image_encoder"].problem == "absent: memqa models pull siglip2-b16-256"
    assert "no-such" in (reports["text_encoder"].problem or "")
    assert reports["language_model"].server == "models.example.org"
    assert reports["language_model"].problem is None
    assert "gone.gguf" in (reports["captioner"].problem or "")
    assert reports["transcriber"].name == "embedded"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("rapidocr:klingon", "No text is read in the language 'klingon'"),
        ("rapidocr:korean", "which reads 'korean', is not in"),
    ],
)
def test_a_language_that_cannot_be_read_is_told_before_it_is_used(name: str, says: str) -> None:
    assert says in (catalog.absence("text_reader", name) or "")
    assert catalog.absence("text_reader", "rapidocr:japan") is None


@pytest.mark.parametrize(
    ("port", "files"),
    [
        ("text_encoder", ["modules.json"]),
        ("transcriber", ["model.bin", "tokenizer.json"]),
        ("language_model", ["config.json"]),
        ("captioner", ["config.json"]),
    ],
)
def test_a_folder_without_what_its_port_loads_is_absent(
    port: str, files: list[str], tmp_path: Path
) -> None:
    (tmp_path / "vocabulary.json").touch()
    for file in files:
        assert catalog.absence(port, str(tmp_path)) == f"there is no {file} in {tmp_path}"
        (tmp_path / file).touch()
    assert catalog.absence(port, str(tmp_path)) is None


def test_an_unknown_name_lists_the_known_ones_and_the_forms() -> None:
    with pytest.raises(SetupError, match=r"'clip'.*Known: embedded, mobileclip2-s2.*open_clip:"):
        catalog.image_encoder("clip")


def test_a_model_that_was_not_fetched_says_how_to_get_it() -> None:
    with pytest.raises(ModelNotFound, match=r"memqa models pull qwen3-4b"):
        catalog.language_model("qwen3-4b")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(options: LanguageOptions) -> object:
        raise ImportError("No module named 'rapidocr'", name="rapidocr")

    monkeypatch.setattr(catalog, "_loaded", {})
    monkeypatch.setitem(
        EMBEDDED_MODELS, "text_reader", replace(EMBEDDED_MODELS["text_reader"], build=build)
    )
    with pytest.raises(MissingExtra, match="rapidocr"):
        catalog.text_reader()


def test_wrong_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "WHISPER", replace(embedded.WHISPER, sha256="0" * 64))
    with pytest.raises(ModelNotFound, match="another SHA-256"):
        EMBEDDED_MODELS["transcriber"].build(PLAIN)


def test_many_threads_load_a_model_once(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[object] = []

    def build(options: LanguageOptions) -> object:
        built.append(object())
        return built[-1]

    monkeypatch.setattr(catalog, "_loaded", {})
    monkeypatch.setitem(
        EMBEDDED_MODELS, "text_reader", replace(EMBEDDED_MODELS["text_reader"], build=build)
    )
    got: list[object] = []
    threads = [threading.Thread(target=lambda: got.append(catalog.text_reader())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert len(set(map(id, got))) == 1


@pytest.mark.usefixtures("backends")
def test_a_name_becomes_the_backend_it_stands_for(tmp_path: Path) -> None:
    options = LanguageOptions(context_tokens=4096)
    model: Any = catalog.language_model("http://127.0.0.1:8080/v1#small", options)
    assert model.given == ("http://127.0.0.1:8080/v1", "small", options)
    model = catalog.language_model(str(tmp_path / "my.gguf"), options)
    assert model.given == (tmp_path / "my.gguf",)
    assert model.named == {"name": "my", "options": options}
    model = catalog.language_model(str(tmp_path / "folder"), options)
    assert model.given == (tmp_path / "folder",)
    model = catalog.text_encoder(str(tmp_path / "texts"))
    assert model.given == (tmp_path / "texts",)
    model = catalog.transcriber(str(tmp_path / "ears"))
    assert model.given == (tmp_path / "ears",)
    model = catalog.text_reader("rapidocr:japan")
    assert model.named == {"language": "japan"}
    model = catalog.image_encoder(f"open_clip:local-dir:{tmp_path}")
    assert model.given == (f"local-dir:{tmp_path}", None)
    model = catalog.image_encoder(f"open_clip:ViT-B-32:{tmp_path / 'w.pt'}")
    assert model.given == ("ViT-B-32", str(tmp_path / "w.pt"))


@pytest.mark.usefixtures("backends")
def test_other_options_are_another_model_and_the_same_are_the_same() -> None:
    address = "http://127.0.0.1:8080/v1"
    first = catalog.language_model(address)
    assert catalog.language_model(address) is first
    assert catalog.language_model(address, LanguageOptions(timeout_s=1)) is not first


@pytest.mark.usefixtures("backends")
def test_a_known_model_that_sees_gets_its_projector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = shelf.known("captioner", "smolvlm2-2.2b")
    assert known is not None
    monkeypatch.setattr(fetch, "checked", lambda need, name: tmp_path / need.files[0])
    model: Any = catalog.language_model("smolvlm2-2.2b")
    assert model.named["name"] == "smolvlm2-2.2b"
    assert model.named["options"].projector == tmp_path / known.projector


def test_a_tag_of_open_clip_stands_for_its_repository() -> None:
    need = catalog.need_of("image_encoder", "open_clip:ViT-B-16-SigLIP2-256:webli")
    assert need is not None
    assert need.repo == "timm/ViT-B-16-SigLIP2-256"
    with pytest.raises(SetupError, match="its tags: webli"):
        catalog.need_of("image_encoder", "open_clip:ViT-B-16-SigLIP2-256:nothing")


@pytest.mark.usefixtures("backends")
def test_a_signature_is_told_without_loading_where_it_can_be() -> None:
    assert catalog.signature("text_encoder", "embedded") == "all-minilm-l6-v2/1"
    assert catalog.signature("image_encoder", "siglip2-b16-256") is None
    catalog.image_encoder("open_clip:local-dir:/somewhere")
    told = catalog.signature("image_encoder", "open_clip:local-dir:/somewhere")
    assert told == "built/local-dir:/somewhere"


def test_nothing_asks_the_hub_while_a_model_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    seen = []

    def build(options: LanguageOptions) -> object:
        seen.append(constants.is_offline_mode())
        return object()

    monkeypatch.setattr(catalog, "_loaded", {})
    monkeypatch.setitem(
        EMBEDDED_MODELS, "text_reader", replace(EMBEDDED_MODELS["text_reader"], build=build)
    )
    catalog.text_reader()
    assert seen == [True]
    assert not constants.is_offline_mode()


@pytest.mark.parametrize("known", shelf.SHELF, ids=lambda known: known.name)
def test_every_known_model_names_a_source_of_the_hub(known: shelf.KnownModel) -> None:
    parse(known.port, known.source)
    need = catalog.need_of(known.port, known.name)
    assert need is not None
    assert all(len(total) == 64 for total in known.sums.values())
    if need.files:
        assert set(known.sums) <= set(need.files)


def test_every_preset_names_known_models() -> None:
    for preset in shelf.PRESETS.values():
        for port, name in preset.items():
            assert not name or name in shelf.names(port)


def test_the_class_names_are_the_thousand_of_imagenet() -> None:
    names = embedded.imagenet_names()
    assert len(names) == 1000
    assert (names[0], names[388]) == (("tench",), ("giant panda",))
    assert names[930] == ("baguette", "French loaf")


@pytest.mark.real_model
@pytest.mark.parametrize("port", list(EMBEDDED_MODELS))
def test_what_the_report_says_is_what_is_loaded(port: str) -> None:
    (report,) = [r for r in catalog.report() if r.port == port]
    model = getattr(catalog, port)()
    # A language model's own signature tells one file of weights from another.
    named = model.name if port == "language_model" else model.signature
    assert report.signature == named


def test_a_signature_is_told_while_a_model_of_its_port_loads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str | None] = []

    def build(options: LanguageOptions) -> object:
        asking = threading.Thread(
            target=lambda: told.append(catalog.signature("text_reader", "embedded")), daemon=True
        )
        asking.start()
        asking.join(10)
        return object()

    monkeypatch.setattr(catalog, "_loaded", {})
    monkeypatch.setitem(
        EMBEDDED_MODELS, "text_reader", replace(EMBEDDED_MODELS["text_reader"], build=build)
    )
    catalog.text_reader()
    assert told == ["pp-ocr-v6-small/1"]

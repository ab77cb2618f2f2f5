"""Which models are listed, how one is put in use, and what `memqa models` and doctor say of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from memqa import doctor, model_choice, settings
from memqa.cli import app
from memqa.whereabouts import config_path
from models import catalog, fetch, shelf
from models.embedded import SMOLLM
from models.errors import SetupError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def config(own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings file of the test, and a hub's cache with nothing in it."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return config_path()


@pytest.fixture
def everything_pulled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every known model count as pulled."""
    monkeypatch.setattr(fetch, "find", lambda need: Path("somewhere"))


class Memqa:
    """Runs ``memqa`` in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.told = ""

    def __call__(self, *arguments: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as left:
            app.run(list(arguments))
        out, self.told = self._capsys.readouterr()
        assert left.value.code == code, self.told
        return str(out)

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json"))


@pytest.fixture
def memqa(config: Path, capsys: pytest.CaptureFixture[str]) -> Memqa:
    return Memqa(capsys)


def test_every_known_model_is_listed_and_what_is_in_use_is_marked(memqa: Memqa) -> None:
    rows = memqa.json("models")
    assert {(row["port"], row["name"]) for row in rows} >= {
        (one.port, one.name) for one in shelf.SHELF
    }
    in_use = [row["port"] for row in rows if row["in_use"]]
    assert in_use == [*catalog.EMBEDDED_MODELS]
    assert {row["state"] for row in rows if row["name"] == "embedded"} == {"here"}
    assert {row["state"] for row in rows if row["name"] != "embedded"} == {"absent"}
    assert all(row["licence"] and row["disk_bytes"] for row in rows)
    table = memqa("models").splitlines()
    assert len(table) == 1 + len(rows)
    assert "* embedded" in table[1]


def test_a_model_of_the_persons_own_is_listed_too(memqa: Memqa, config: Path) -> None:
    config.write_text('[models]\ncaptioner = "http://h:1/v1"\nlanguage_model = "./gone.gguf"\n')
    own = {row["port"]: row for row in memqa.json("models") if row["in_use"]}
    assert own["captioner"]["state"] == "server"
    assert own["language_model"]["state"] == "absent"
    memqa("models")
    assert "gone.gguf" in memqa.told


@pytest.mark.usefixtures("everything_pulled")
def test_a_choice_is_written_and_all_else_in_the_file_stays(memqa: Memqa, config: Path) -> None:
    before = (
        "# mine\n"
        'tier = "B"  # never A\n'
        "\n"
        "[models]\n"
        "# heard best\n"
        'transcriber = "whisper-small"\n'
        "\n"
        "[video]\n"
        "frames_per_s = 2\n"
    )
    config.write_text(before)
    config.chmod(0o600)
    done = memqa.json("models", "use", "language-model", "qwen3-4b")
    assert done == {"models": {"language_model": "qwen3-4b"}, "path": str(config), "notes": []}
    after = config.read_text()
    assert [line for line in after.splitlines() if "qwen3" not in line] == before.splitlines()
    assert config.stat().st_mode & 0o777 == 0o600
    loaded = settings.load()
    assert loaded.models.language_model == "qwen3-4b"
    assert loaded.models.transcriber == "whisper-small"
    assert loaded.tier == "B"


def test_a_file_that_is_a_link_stays_one(memqa: Memqa, config: Path, tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles" / "memqa.toml"
    kept.parent.mkdir()
    kept.write_text('tier = "B"\n')
    kept.chmod(0o640)
    config.symlink_to(kept)
    memqa("models", "use", "captioner", "http://localhost:8080/v1#eyes")
    assert config.is_symlink()
    assert "#eyes" in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o640
    assert [one.name for one in kept.parent.iterdir()] == ["memqa.toml"]


def test_a_draft_with_a_key_is_never_open_to_others(
    memqa: Memqa, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text('[language]\napi_key = "sk-own"\n')
    config.chmod(0o600)
    made: list[int] = []
    open_ = os.open

    def opened(path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
        if str(path).startswith(str(config)) and flags & os.O_CREAT:
            made.append(mode)
        return open_(path, flags, mode, **more)

    monkeypatch.setattr(os, "open", opened)
    memqa("models", "use", "captioner", "http://localhost:8080/v1#eyes")
    assert made == [0o600]
    assert "sk-own" in config.read_text()


def test_a_file_is_made_where_there_is_none(memqa: Memqa, config: Path) -> None:
    assert not config.exists()
    memqa("models", "use", "captioner", "http://localhost:8080/v1#eyes")
    assert config.stat().st_mode & 0o777 == 0o600
    assert settings.load().models.captioner == "http://localhost:8080/v1#eyes"
    memqa("models", "use", "captioner", "")
    assert settings.load().models.captioner == ""


def test_a_model_named_from_here_is_found_from_elsewhere(
    memqa: Memqa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.gguf").symlink_to(SMOLLM.path())
    monkeypatch.chdir(tmp_path)
    memqa("models", "use", "language-model", "./m.gguf")
    assert settings.load().models.language_model == str(tmp_path / "m.gguf")


@pytest.mark.parametrize(
    ("port", "name", "says"),
    [
        ("language_model", "qwen3-4b", "absent: memqa models pull qwen3-4b"),
        ("language_model", "no-such", "Known: embedded, smollm2-1.7b"),
        ("language_model", "./gone.gguf", "There is no file gone.gguf"),
        ("text_encoder", "./gone", "no modules.json in gone"),
        ("image_encoder", "http://host/v1", "open_clip:hf-hub:OWNER/REPO"),
        ("image_encoder", "", "Name a model"),
        ("brain", "embedded", "The ports: image_encoder"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_written(
    memqa: Memqa, config: Path, port: str, name: str, says: str
) -> None:
    assert memqa("models", "use", port, name, code=3) == ""
    assert says in memqa.told
    assert not config.exists()


def test_an_environment_variable_that_wins_is_told(
    memqa: Memqa, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMQA_MODELS__LANGUAGE_MODEL", "embedded")
    memqa("models", "use", "language-model", "http://localhost:1/v1")
    assert "unset MEMQA_MODELS__LANGUAGE_MODEL" in memqa.told


@pytest.mark.usefixtures("everything_pulled")
def test_another_encoder_asks_for_a_reindex(memqa: Memqa) -> None:
    memqa("models", "use", "text-encoder", "bge-small-en")
    assert "text_encoder" in memqa.told
    assert "memqa reindex" in memqa.told
    memqa("models", "use", "text-encoder", "bge-small-en")
    assert "reindex" not in memqa.told


def test_a_server_elsewhere_is_warned_of(memqa: Memqa) -> None:
    memqa("models", "use", "language-model", "https://models.example.org/v1")
    assert "another machine" in memqa.told
    memqa("models", "use", "language-model", "http://127.0.0.1:8080/v1")
    assert "another machine" not in memqa.told


def test_every_command_says_when_something_is_sent_to_a_server_elsewhere(config: Path) -> None:
    code = (
        "import logging; from memqa.cli import app\n"
        "try: app.run(['models'])\n"
        "except SystemExit: pass\n"
        "logging.getLogger('models.llm.server').warning('sent elsewhere')\n"
        "logging.getLogger('models.other').warning('not worth a line')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "memqa: WARNING: sent elsewhere" in done.stderr
    assert "not worth" not in done.stderr


def test_a_preset_lists_what_has_to_be_pulled_first(memqa: Memqa, config: Path) -> None:
    memqa("models", "use", "--preset", "laptop", code=3)
    assert "siglip2-b16-256, bge-small-en, whisper-small, qwen3-4b" in memqa.told
    assert "memqa models pull --preset laptop" in memqa.told
    memqa("models", "use", "--preset", "huge", code=3)
    assert "embedded, laptop, gpu" in memqa.told
    assert not config.exists()


@pytest.mark.usefixtures("everything_pulled")
def test_a_preset_sets_every_port(memqa: Memqa) -> None:
    memqa("models", "use", "--preset", "gpu")
    assert model_choice.in_use(settings.load().models) == {
        port: name for port, name in shelf.PRESETS["gpu"].items() if name
    }
    memqa("models", "use", "--preset", "embedded")
    assert settings.load().models == settings.ModelNames()


@pytest.mark.parametrize(
    "arguments",
    [
        ("use",),
        ("use", "language-model"),
        ("use", "language-model", "embedded", "--preset", "gpu"),
        ("pull",),
        ("pull", "qwen3-4b", "--preset", "gpu"),
    ],
)
def test_a_wrong_command_line_is_the_inputs_fault(memqa: Memqa, arguments: tuple[str, ...]) -> None:
    assert memqa("models", *arguments, code=2) == ""


def test_a_settings_file_that_is_no_toml_is_left_as_it_is(memqa: Memqa, config: Path) -> None:
    config.write_text("models = [")
    memqa("models", "use", "captioner", "http://localhost:1/v1", code=3)
    assert str(config) in memqa.told
    assert config.read_text() == "models = ["


def test_models_are_pulled_by_name_and_by_preset(
    memqa: Memqa, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[fetch.Need] = []

    def pull(need: fetch.Need, on_progress: object) -> fetch.Pulled:
        asked.append(need)
        return fetch.Pulled(Path("there"), 2_000_000)

    monkeypatch.setattr(fetch, "pull", pull)
    assert "2.0 MB fetched and checked" in memqa("models", "pull", "bge-small-en")
    assert asked.pop().kind is fetch.SENTENCES
    (row,) = memqa.json("models", "pull", "hf:own/whatever")
    assert row == {"name": "hf:own/whatever", "path": "there", "fetched_bytes": 2_000_000}
    assert asked.pop().kind is None
    memqa("models", "pull", "--preset", "gpu")
    assert len(asked) == 4
    assert memqa("models", "pull", "--preset", "embedded").startswith("everything")
    for name in ("embedded", "http://localhost:1/v1", "no-such"):
        memqa("models", "pull", name, code=3)
        assert "nothing that can be fetched" in memqa.told


def test_a_hub_switched_off_fetches_nothing(memqa: Memqa, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    memqa("models", "pull", "bge-small-en", code=3)
    assert "HF_HUB_OFFLINE" in memqa.told


def test_doctor_tells_of_the_models_in_use_and_of_data_that_leaves(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMQA_LANGUAGE__API_KEY", "sk-very-secret")
    names = {
        "image_encoder": "siglip2-b16-256",
        "language_model": "https://models.example.org/v1#big",
        "captioner": "http://localhost:1/v1",
    }
    found = {check.name: check for check in doctor.checks(own_home, names)}
    assert found["model image encoder"].finding == "problem"
    assert found["model image encoder"].remedy == "memqa models pull siglip2-b16-256"
    assert found["model language model"].finding == "ok"
    assert found["model transcriber"].finding == "ok"
    network = found["network"]
    assert network.finding == "note"
    assert "language model on models.example.org" in network.detail
    assert "captioner" not in network.detail
    assert not any("secret" in f"{check}" for check in found.values())
    assert {c.name: c for c in doctor.checks(own_home)}["network"].finding == "ok"


def test_a_library_asks_doctor_about_its_own_settings(own_home: Path) -> None:
    import memqa

    chosen = settings.load().model_copy(
        update={"models": settings.ModelNames(text_encoder="bge-small-en")}
    )
    with memqa.Library(settings=chosen) as library:
        found = {check.name: check for check in library.doctor()}
    assert found["model text encoder"].finding == "problem"


def test_nothing_is_put_in_use_by_halves(config: Path) -> None:
    with pytest.raises(SetupError):
        model_choice.use({"captioner": "http://localhost:1/v1", "language_model": "no-such"})
    assert not config.exists()

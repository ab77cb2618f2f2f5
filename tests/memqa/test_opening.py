"""Importing memqa costs nothing, names what shadows it, and wrong settings are told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import memqa
from memqa import settings
from memqa.whereabouts import config_path
from models.errors import SetupError

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "gradio", "lancedb", "av", "decord", "transformers", "pyarrow", "llama_cpp")


def python(code: str, *, cwd: Path = ROOT, path: str = "") -> subprocess.CompletedProcess[str]:
    script = f"import sys\nsys.path[:0] = {[path] if path else []!r}\n{code}"
    command = [sys.executable, "-c", script]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("what", ["memqa", "memqa.library", "memqa.worker", "memqa.values"])
def test_importing_is_light(what: str) -> None:
    done = python(f"import {what}; print([m for m in {HEAVY!r} if m in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr


def test_every_exported_name_is_there() -> None:
    for name in memqa.__all__:
        assert getattr(memqa, name) is not None
    assert set(memqa.__all__) <= set(dir(memqa))
    with pytest.raises(AttributeError, match="nothing"):
        memqa.nothing  # noqa: B018


@pytest.mark.parametrize("shadow", ["models/__init__.py", "models.py"])
def test_a_shadowing_models_is_named(tmp_path: Path, shadow: str) -> None:
    (tmp_path / shadow).parent.mkdir(exist_ok=True)
    (tmp_path / shadow).write_text("raise RuntimeError('must not run')")
    done = python("import memqa", cwd=tmp_path, path=str(ROOT))
    assert done.returncode == 0, done.stderr
    done = python(f"sys.path.append({str(ROOT)!r})\nimport memqa", cwd=tmp_path)
    assert done.returncode != 0
    assert "ImportError: memqa needs its own package 'models'" in done.stderr
    assert str(tmp_path / shadow) in done.stderr


def test_settings_come_from_flag_environment_and_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = config_path()
    assert file.parent == tmp_path
    file.write_text("[video]\nframes_per_s = 2.0\nlisten = false\n[jobs]\nidle_exit_s = 7")
    monkeypatch.setenv("MEMQA_VIDEO__FRAMES_PER_S", "3.0")
    loaded = settings.load(home=tmp_path / "flag")
    assert loaded.home == tmp_path / "flag"
    assert (loaded.video.frames_per_s, loaded.video.listen) == (3.0, False)
    assert loaded.jobs.idle_exit_s == 7
    assert settings.Settings.model_validate_json(loaded.model_dump_json()) == loaded


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[video]\nframes_per_s = 0", "video.frames_per_s"),
        ("[video]\nframes = 1", "video.frames"),
        ("colour = 'red'", "colour"),
        ("[video", "memqa.toml"),
    ],
)
def test_wrong_settings_are_told(text: str, told: str) -> None:
    config_path().write_text(text)
    with pytest.raises(SetupError, match=told):
        settings.load()

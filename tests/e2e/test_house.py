"""The house rules that no type checker sees: who imports whom, and what an import costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "transformers", "sentence_transformers", "gradio", "lancedb", "llama_cpp", "av")
LIBRARIES = {
    "lancedb": ("memqa/store/",),
    "decord": ("vidmem/video.py", "vidmem/audio.py", "vidmem/reader.py"),
    "gradio": ("memqa/ui/", "app.py"),
    "torch": ("models/",),
    "llama_cpp": ("models/",),
    "faster_whisper": ("models/",),
    "rapidocr": ("models/",),
    "ray": ("memqa/cluster_ray.py",),
}


def product_files() -> list[Path]:
    packages = ("models", "vidmem", "docmem", "memqa")
    return [ROOT / "app.py", *(f for name in packages for f in sorted((ROOT / name).rglob("*.py")))]


def imports_of(file: Path) -> set[str]:
    """Every module that a file imports anywhere, type-checking blocks included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def modules_after(statement: str) -> set[str]:
    """The top-level modules that are loaded once a fresh interpreter has run a statement."""
    show = "import sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\n{show}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(done.stdout.split()[-2000:])


def test_app_is_a_door_and_nothing_more() -> None:
    app = ROOT / "app.py"
    assert len(app.read_text(encoding="utf-8").splitlines()) <= 12
    ours = {name for name in imports_of(app) if name.split(".")[0] not in sys.stdlib_module_names}
    assert ours
    assert all(name.startswith("memqa.ui") for name in ours), ours


@pytest.mark.parametrize("statement", ["import memqa", "import memqa.library, memqa.values"])
def test_importing_memqa_loads_nothing_heavy(statement: str) -> None:
    assert not modules_after(statement) & set(HEAVY)


def test_help_loads_nothing_heavy() -> None:
    help_ = "import memqa.cli.app as a\ntry: a.run(['--help'])\nexcept SystemExit: pass"
    assert not modules_after(help_) & set(HEAVY)


@pytest.mark.parametrize("library", sorted(LIBRARIES))
def test_only_its_own_room_imports_a_library(library: str) -> None:
    users = {
        file.relative_to(ROOT).as_posix()
        for file in product_files()
        if library in {name.split(".")[0] for name in imports_of(file)}
    }
    strangers = {user for user in users if not user.startswith(LIBRARIES[library])}
    assert not strangers


def test_the_layers_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout

"""What the README shows is run as it stands there, on the sample media."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from memqa import examples

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.M | re.S)


def blocks(language: str) -> list[str]:
    return [body for name, body in BLOCKS if name == language]


def commands() -> list[str]:
    """The shell lines in their order, without their comments."""
    lines = [
        line.partition("  #")[0].strip() for body in blocks("sh") for line in body.splitlines()
    ]
    return [line for line in lines if line]


def test_the_first_things_shown_are_make_app_and_make_test() -> None:
    assert commands()[:3] == ["make app", "make test", "make demo"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("app", "test", "demo", "check", "bench"):
        assert re.search(rf"^{target}:", makefile, re.M)


def test_every_block_is_of_a_kind_that_is_tested_or_only_shown() -> None:
    assert {name for name, _ in BLOCKS} == {"sh", "python", "text"}


def test_every_link_into_the_project_leads_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links
    assert not [link for link in links if not (ROOT / link).exists()]


@pytest.mark.real_model
@pytest.mark.timeout(900)
def test_what_is_shown_works(tmp_path: Path, own_home: Path) -> None:
    shutil.copy(examples.VIDEO, tmp_path / "talk.mp4")
    shutil.copy(examples.DOCUMENT, tmp_path / "report.pdf")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "MEMQA_HOME": str(own_home)}
    environment["MEMQA_CONFIG"] = str(tmp_path / "memqa.toml")
    shown = [line for line in commands() if not line.startswith("make ")]
    assert all(line.startswith(("memqa ", "echo ")) for line in shown)

    def run(command: list[str]) -> str:
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    said = {line: run(["bash", "-c", line]) for line in shown}
    assert "0:15" in said['memqa ask "When are the water bottles shown?"']
    assert "country" in said['memqa ask "What should my fellow Americans ask?" --media talk.mp4']
    for body in blocks("python"):
        assert "0:15" in run([sys.executable, "-c", body])

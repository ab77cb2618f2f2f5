"""The command line is quick to say what it can do, and completes itself in the shell."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from memqa.cli.commands import COMMANDS, loaded

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"numpy", "lancedb", "torch", "transformers", "gradio", "pydantic", "rich", "memqa.library"}


def run(*arguments: str, **environment: str) -> tuple[str, float]:
    """Run the command line; give what it printed and what it worked, the best of three.

    Of the time it took, only what it worked itself does not hang on the machine's other work.
    """
    cpu_s = []
    for _ in range(3):
        before = sum(os.times()[2:4])
        done = subprocess.run(
            [sys.executable, "-m", "memqa", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            env=os.environ | environment,
        )
        cpu_s.append(sum(os.times()[2:4]) - before)
    assert done.returncode == 0, done.stderr
    return done.stdout, min(cpu_s)


def test_help_is_there_at_once() -> None:
    told, cpu_s = run("--help")
    assert all(f"\n  {name} " in told for name in COMMANDS)
    assert "..." not in told.partition("Commands:")[2]  # no line is cut off
    assert cpu_s < 1  # 0.1 s where nothing else runs


def test_help_imports_nothing_that_works() -> None:
    show = (
        "import sys, memqa.cli.app as app\n"
        "try: app.run(['--help'])\n"
        "except SystemExit: print('\\nLOADED', *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", show], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    loaded_modules = set(done.stdout.partition("\nLOADED ")[2].split())
    assert "typer" in loaded_modules
    assert not loaded_modules & HEAVY


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_is_there_and_says_more_of_itself(name: str) -> None:
    assert "Examples:" in (loaded(name).help or "")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("se", {"search", "serve", "settings"}),
        ("search --lim", {"--limit"}),
        ("models pu", {"pull"}),
        ("show --mem", {"--memory"}),
    ],
)
def test_the_shell_completes_commands_and_their_options(typed: str, offered: set[str]) -> None:
    told, cpu_s = run(
        _MEMQA_COMPLETE="complete_bash",
        COMP_WORDS=f"memqa {typed}",
        COMP_CWORD=str(len(typed.split())),
    )
    assert set(told.split()) == offered
    assert cpu_s < 1.5  # 0.2 s where nothing else runs


def test_completion_can_be_shown_for_a_shell() -> None:
    # Which shell it is, is seen from whose child the command is.
    asked = f"{shlex.quote(sys.executable)} -m memqa --show-completion; exit $?"
    done = subprocess.run(
        ["bash", "-c", asked], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert "_memqa_completion" in done.stdout, done.stderr

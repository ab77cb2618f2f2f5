"""What other people's words can do in the log: stand in it, and nothing else."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import memqa
from memqa.cli.app import app
from memqa.logged import Line

ROOT = Path(memqa.__file__).parent


def test_a_name_neither_begins_a_line_nor_steers_the_terminal() -> None:
    try:
        raise ValueError("no\nmemqa: ERROR: all is lost\x1b[2J")
    except ValueError:
        trace = sys.exc_info()
    words = ("/assets/\x1b]0;mine\x07\x00\nmemqa: ERROR: off\u2028with it",)
    record = logging.LogRecord("memqa.ui", logging.ERROR, "", 0, "answering %s", words, trace)
    lines = Line("memqa: %(levelname)s: %(message)s").format(record).split("\n")
    assert all(line.isprintable() for line in lines)
    assert [line for line in lines if line.startswith("memqa:")] == lines[:1]
    assert r"\x1b]0;mine\x07\x00\nmemqa: ERROR: off\u2028with it" in lines[0]


def test_who_fails_to_log_in_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    page = logging.getLogger("memqa.ui")
    monkeypatch.setattr(page, "level", logging.NOTSET)
    monkeypatch.setattr("memqa.cli.app.log_to_stderr", lambda *_: None)
    CliRunner().invoke(app, ["settings"])
    assert page.level == logging.WARNING


def test_all_that_logs_to_a_terminal_or_a_file_does_so_here() -> None:
    files = ROOT.rglob("*.py")
    having = [one.name for one in files if "basicConfig" in one.read_text(encoding="utf-8")]
    assert having == ["logged.py"]

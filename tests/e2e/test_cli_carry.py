"""``memqa export`` and ``memqa import`` as a person uses them, with a library of real memories."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import memqa
from tests.e2e.test_cli import Memqa

pytestmark = pytest.mark.real_model

QUESTIONS = ("When are the water bottles shown?", "Which Wikipedia dump does HOVER use?")


def test_an_imported_library_answers_as_the_original(
    copy_of_samples: Callable[[], Path], tmp_path: Path
) -> None:
    here, there = Memqa(copy_of_samples()), Memqa(tmp_path / "there")
    *media, last = here.json_lines("export", tmp_path / "out", "--with-files")
    assert [one["status"] for one in media] == ["exported"] * 2
    assert all(one["file"] for one in media)
    assert last["summary"]["exported"] == 2
    told = there("import", tmp_path / "out").stdout.splitlines()
    assert told[-1] == "2 imported"
    assert all("with its file" in line for line in told[:-1])
    *again, _ = there.json_lines("import", tmp_path / "out")
    assert [one["status"] for one in again] == ["unchanged"] * 2

    with memqa.open(here.home) as one, memqa.open(there.home) as other:
        for question in QUESTIONS:
            first, second = one.ask(question), other.ask(question)
            assert (first.text, first.state) == (second.text, second.state)
            places = [[(e.id, e.score, e.locator) for e in a.evidence] for a in (first, second)]
            assert places[0] == places[1]
            found = [[(e.id, e.score) for e in lib.search(question)] for lib in (one, other)]
            assert found[0] == found[1]


def test_what_cannot_be_carried_is_said_in_a_sentence(
    copy_of_samples: Callable[[], Path], tmp_path: Path
) -> None:
    here = Memqa(copy_of_samples())
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    done = here("export", tmp_path / "full", "--json", code=2)
    assert done.stdout == ""
    assert "name a new folder" in done.stderr
    done = here("import", tmp_path / "full", code=2)
    assert "Make one on the other machine: memqa export DIR" in done.stderr
    manifest = tmp_path / "newer" / "manifest.json"
    manifest.parent.mkdir()
    told = {"format": "memqa export", "schema": 99, "memqa": "9", "exported_at": "", "media": []}
    manifest.write_text(json.dumps({**told, "chats": False}))
    assert "update memqa here" in here("import", tmp_path / "newer", code=3).stderr

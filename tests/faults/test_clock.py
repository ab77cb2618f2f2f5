"""A clock that was put back: what is forgotten is still gone, and an edited file still replaces."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from memqa.library import Library
from tests.faults import shim
from tests.memqa.parts import FakeEngines, bytes_under, write_document

ROOT = Path(__file__).parents[2]
EDIT_AND_FORGET = """
import sys
from pathlib import Path
from memqa.library import Library
from tests.memqa.parts import FakeEngines

home, story, other = map(Path, sys.argv[1:])
with Library(home, engines=FakeEngines()) as library:
    print(library.add(story).added_at)
    library.forget("other.md")
"""


def test_a_clock_that_was_put_back_costs_nothing(tmp_path: Path) -> None:
    if why := shim.missing():
        pytest.skip(why)
    home, story = tmp_path.resolve() / "home", tmp_path / "story.md"
    other = write_document(tmp_path / "other.md", chapters=1, seed=3)
    other.write_text(f"{other.read_text()} A quaggamire came.", encoding="utf-8")
    write_document(story, chapters=1)
    with Library(home, engines=FakeEngines()) as library:
        first = library.add(story)
        library.add(other)
    story.write_text(f"{story.read_text()} A kingfisher came.", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", EDIT_AND_FORGET, home, story, other],
        cwd=ROOT,
        env=shim.environment(home) | {"FAULTS_CLOCK_BACK_S": "86400"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() > first.added_at
    assert bytes_under(home, "quaggamire") == []
    with Library(home, engines=FakeEngines()) as library:
        (media,) = library.media()
        assert media.id != first.id
        assert library.store.read.search_text("kingfisher")

"""A library that may only be read, or whose disk is full when it is opened: it can be asked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from memqa.library import Library
from tests.faults import shim
from tests.memqa.parts import FakeEngines, write_document

ROOT = Path(__file__).parents[2]
ASK = """
import json, sys
from pathlib import Path
from memqa.library import Library
from models.errors import MemqaError
from tests.memqa.parts import FakeEngines

home, other = map(Path, sys.argv[1:])
said = {}
with Library(home, engines=FakeEngines()) as library:
    said["found"] = bool(library.search("zebrafinch"))
    said["answer"] = library.ask("Where did the zebrafinch nest?").state
    said["kept"] = library.ask("Where was the zebrafinch?", chat="c").fallbacks
    said["media"] = [one.status for one in library.media()]
    said["jobs"] = len(library.jobs())
    said["stats"] = library.stats().memories
    deeds = {
        "add": lambda: library.add(other),
        "later": lambda: library.add(other, wait=False),
        "upload": lambda: library.keep_upload(other),
        "forget": lambda: library.forget("story.md"),
        "collect": lambda: library.collect("mine", "story.md"),
    }
    for name, deed in deeds.items():
        try:
            said[name] = str(deed())
        except MemqaError as exc:
            said[name] = f"{type(exc).__name__}: {exc}"
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if why := shim.missing():
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("only-read").resolve()
    write_document(folder / "story.md", chapters=2)
    write_document(folder / "other.md", chapters=1, seed=5)
    with Library(folder / "home", engines=FakeEngines()) as library:
        library.add(folder / "story.md")
    return folder / "home"


def asked(home: Path, deed: shim.Deed) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(home), str(home.parent / "other.md")],
        cwd=ROOT,
        env=shim.environment(home, deed),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("deed", "beginning"),
    [
        ("refuse", "ReadOnly: {} may only be read here"),
        ("full", "DiskFull: the disk with {} is full"),
    ],
)
def test_it_can_be_asked_and_says_why_it_cannot_be_changed(
    home: Path, deed: shim.Deed, beginning: str
) -> None:
    said = asked(home, deed)
    assert said["found"]
    assert said["answer"] in ("grounded", "ungrounded")
    assert [one for one in said["kept"] if "the turn is not kept" in one]
    assert (said["media"], said["jobs"]) == (["indexed"], 0)
    for name in ("add", "later", "upload", "forget", "collect"):
        assert str(said[name]).startswith(beginning.format(home)), (name, said[name])


def test_an_export_that_was_never_opened_can_be_asked_where_it_may_only_be_read(
    home: Path, tmp_path: Path
) -> None:
    out = tmp_path.resolve() / "out"
    with Library(home, engines=FakeEngines()) as library:
        library.export(out)
    write_document(out.parent / "other.md", chapters=1, seed=5)
    said = asked(out, "refuse")
    assert (said["found"], said["jobs"]) == (True, 0)
    assert not (out / "jobs.sqlite").exists()

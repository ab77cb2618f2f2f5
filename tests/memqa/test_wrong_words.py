"""What a person may get wrong at the command line: one sentence, what to do next, nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from memqa.cli.app import run
from memqa.library import Library
from tests.memqa.parts import FakeEngines

FERRY, LIGHT = "The ferry leaves at nine.\n", "The lighthouse is green.\n"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("base")
    for name, text in (("ferry.txt", FERRY), ("light.txt", LIGHT), ("a/same.txt", "One.\n")):
        (base / name).parent.mkdir(exist_ok=True)
        (base / name).write_text(text)
    (base / "b").mkdir()
    (base / "b" / "same.txt").write_text("Two.\n")
    library = Library(base / "home", engines=FakeEngines())
    for name in ("ferry.txt", "light.txt", "a/same.txt", "b/same.txt"):
        library.add(base / name)
    library.collect("harbour", ["ferry.txt"])
    return base


def tried(
    capsys: pytest.CaptureFixture[str], home: Path, *arguments: str | Path
) -> tuple[int, str, str]:
    """Run a command; give its exit code, and what it wrote to stdout and stderr."""
    with pytest.raises(SystemExit) as left:
        run(["--home", str(home), *map(str, arguments)])
    told = capsys.readouterr()
    return int(left.value.code or 0), told.out, told.err


WRONG = [
    (("indx", "x"), 2, "Did you mean 'index'"),
    (("list", "--jsn"), 2, "--json"),
    (("index",), 2, "Missing argument 'PATH...'"),
    (("search", "x", "--limit", "0"), 2, "greater than or equal to 1"),
    (("search", "x", "--limit"), 2, "requires an argument"),
    (("search", ""), 2, "search for something"),
    (("ask", ""), 2, "ask something"),
    (("ask", "x", "--at", "12:99"), 2, "write seconds (751) or a clock (12:31)"),
    (("ask", "x", "--mode", "momet"), 2, "'auto', 'global', 'moment'"),
    (("ask", "x", "--media", "fery.txt"), 2, "Did you mean 'ferry.txt'"),
    (("ask", "x", "--media", "harbor"), 2, "Did you mean 'harbour'"),
    (("search", "x", "--media", "FERRY"), 2, "Did you mean 'ferry.txt'"),
    (("show", "lihgt.txt"), 2, "Did you mean 'light.txt'"),
    (("show", "same.txt"), 2, "name one by its id"),
    (("show", "zzzz"), 2, "see `memqa list`"),
    (("forget", "lihgt.txt"), 2, "Did you mean 'light.txt'"),
    (("reindex", "lihgt.txt"), 2, "Did you mean 'light.txt'"),
    (("enrich", "lihgt.txt"), 2, "Did you mean 'light.txt'"),
    (("collect", "mine", "lihgt.txt"), 2, "Did you mean 'light.txt'"),
    (("uncollect", "harbor"), 2, "Did you mean 'harbour'"),
    (("export", "nowhere/out"), 2, "there is no folder"),
    (("export", "out", "lihgt.txt"), 2, "Did you mean 'light.txt'"),
    (("import", "nowhere"), 2, "name one that `memqa export` made"),
    (("watch", "nowhere"), 2, "make it, or check its name"),
    (("index", "x", "--for", "3"), 2, "give --live too"),
    (("models", "use"), 2, "name a port and a model"),
    (("models", "pull"), 2, "name the models to fetch"),
    (("serve", "--auth", "ada"), 3, "set MEMQA_AUTH=USER:PASSWORD"),
    (("serve", "--host", "0.0.0.0"), 3, "say that you mean it with --open-to-all"),
    (("users", "nowhere"), 3, "make it: memqa users nowhere --add NAME"),
    (("users", "team.txt", "--remove", "ada"), 3, "there is no file of users team.txt"),
    (("chat", "--chat", "x", "--last"), 2, "give one of them"),
    (("stats", "extra"), 2, "unexpected extra argument"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), WRONG)
def test_a_slip_is_told_with_what_to_do(
    base: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    left, out, err = tried(capsys, base / "home", *arguments)
    assert left == code, err
    assert words in err
    assert out == "", "results only go to stdout"
    assert "Traceback" not in err


def test_an_empty_library_says_how_to_begin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (("show", "x.pdf"), ("ask", "x", "-m", "x.pdf"), ("chat",), ("export", "o")):
        code, out, err = tried(capsys, tmp_path / "empty", *arguments)
        assert (code, out) == (2, "")
        assert "memqa index FILE" in err


def test_a_misspelt_file_is_near_one_in_its_folder(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(base / "home", tmp_path / "copy")
    code, out, _ = tried(capsys, tmp_path / "copy", "index", base / "fery.txt", "--json")
    assert code == 2
    outcome = json.loads(out.splitlines()[0])
    assert "Did you mean 'ferry.txt'" in outcome["error"]["message"]


@pytest.mark.parametrize("what", ["file", "nowhere", "config"])
def test_a_place_that_cannot_be_is_the_set_ups_fault(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    home, words = tmp_path / "home", "is a folder; let MEMQA_CONFIG name a file"
    if what == "config":
        monkeypatch.setenv("MEMQA_CONFIG", str(tmp_path))
    else:
        home.write_text("x")
        words = "memqa --home DIR …, or set MEMQA_HOME"
        home = home / "deeper" if what == "nowhere" else home
    code, out, err = tried(capsys, home, "list", "--json")
    assert (code, out) == (3, "")
    assert words in err

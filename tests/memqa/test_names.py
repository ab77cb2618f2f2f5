"""Files may be called anything: whatever shows a name shows it as text, and no more."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

import memqa
from memqa.cli import words
from memqa.cli.app import run
from memqa.cli.progress import _Bars, _Lines
from memqa.cli.shelf import _print_media
from memqa.library import Library
from memqa.settings import Settings
from memqa.shown.html import html, library_html
from memqa.shown.plain import library_text, plain
from memqa.ui.cards import card_html, cards
from memqa.ui.collections import above_html
from memqa.values import Collection, Media
from models.values import Progress
from tests.memqa.parts import FakeEngines
from tests.names import LINE, NAMES, NOT_UTF8

_CALM = "The pier is quiet, and nobody waits there. " * 30
_SAID = "The harbour fee is 12 crowns, \x1b]8;;http://192.0.2.1\x07see\x1b]8;;\x07 \x1b[2Jhere."
Command = Callable[..., tuple[str, str]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files with these names, in which the same fee is told in other words."""
    folder = tmp_path_factory.mktemp("names") / "files"
    folder.mkdir()
    for number, name in enumerate(NAMES.values()):
        told = f"# Fees of port {number}\n\n{_SAID} {_CALM} Port {number}.\n"
        (folder / name).write_text(told, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def filled(place: Path) -> Path:
    """The home of a library that took them in."""
    home = place.parent / "home"
    with library(home) as opened:
        outcomes = list(opened.index([place], recursive=True))
    assert [outcome.status for outcome in outcomes] == ["indexed"] * len(NAMES)
    return home


def library(home: Path) -> Library:
    return Library(home, Settings(tier="D"), engines=FakeEngines())  # type: ignore[arg-type]


@pytest.fixture
def command(
    filled: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Command]:
    """Run a command in this process; give what it wrote on stdout and stderr."""
    opened = ExitStack()

    def once(home: Path | None = None) -> AbstractContextManager[Library]:
        if home not in libraries:
            libraries[home] = opened.enter_context(library(home or filled))
        return nullcontext(libraries[home])  # a command that ends does not close it for the next

    libraries: dict[Path | None, Library] = {}
    monkeypatch.setattr(memqa, "open", once)

    def called(*arguments: str) -> tuple[str, str]:
        with pytest.raises(SystemExit):
            run([*arguments])
        return capsys.readouterr()

    with opened:
        yield called


def assert_harmless(printed: str) -> None:
    """Nothing in it moves the cursor or turns text round, and no name makes a line of its own."""
    obeyed = {char for char in printed if not char.isprintable() and char not in "\n\u00a0"}
    assert not obeyed, obeyed
    assert not [line for line in printed.split("\n") if line.startswith(LINE)]


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["list", "--json"],
        ["stats"],
        ["doctor"],
        ["doctor", "--json"],
        ["search", "harbour fee"],
        ["search", "harbour fee", "--json", "--limit", "50"],
        ["ask", "How much is the harbour fee?"],
        ["ask", "How much is the harbour fee?", "--json"],
    ],
    ids=" ".join,
)
def test_what_is_told_of_all_files_is_harmless(command: Command, arguments: list[str]) -> None:
    out, err = command(*arguments)
    assert_harmless(out)
    assert_harmless(err)
    if "--json" in arguments:
        told = json.loads(out.splitlines()[-1])
        assert told


def test_a_file_is_found_by_its_name_whatever_it_is(command: Command, place: Path) -> None:
    for name in NAMES.values():
        path = str(place / name)
        for arguments in (
            ["index", path],
            ["show", path, "--memory"],
            ["search", "harbour fee", "--media", path],
        ):
            out, err = command(*arguments)
            assert out, (name, err)
            assert_harmless(out)
            assert_harmless(err)
        assert_harmless("".join(command("collect", f"x {name}", path)))  # which may be refused
        out, _ = command("show", path, "--json")
        assert json.loads(out)["path"] == path
    for told in (command("collections"), command("collections", "--json")):
        assert told[0].count("x ") > len(NAMES) / 2
        assert_harmless(told[0])
    for name in NAMES.values():
        assert_harmless("".join(command("uncollect", f"x {name}")))
    assert not list(Path().glob("pwned"))


def test_a_name_that_is_not_there_is_told_harmlessly(command: Command) -> None:
    for name in NAMES.values():
        for arguments in (["index", "--", f"{name}?"], ["show", "--", f"{name}?"]):
            out, err = command(*arguments)
            assert_harmless(out + err)
            assert out + err


def test_a_name_that_is_not_utf8_is_told_as_that(command: Command, tmp_path: Path) -> None:
    with open(os.path.join(os.fsencode(tmp_path), NOT_UTF8), "wb") as file:
        file.write(b"Some words about a harbour.")
    out, err = command("index", str(tmp_path))
    assert "is not written in UTF-8; rename the file" in out + err
    assert_harmless(out + err)


def test_files_go_to_another_library_and_back_under_their_names(
    command: Command, filled: Path, tmp_path: Path
) -> None:
    out, err = command("export", str(tmp_path / "out"))
    assert_harmless(out + err)
    out, err = command("--home", str(tmp_path / "other"), "import", str(tmp_path / "out"))
    assert_harmless(out + err)
    written = [one.relative_to(tmp_path) for one in tmp_path.rglob("*")]
    assert all(one.parts[0] in ("out", "other", "home", "memqa.toml") for one in written)
    with library(tmp_path / "other") as other, library(filled) as own:
        assert {one.name for one in other.media()} == {one.name for one in own.media()}


@pytest.mark.parametrize("name", NAMES.values(), ids=list(NAMES))
def test_progress_shows_any_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines, bars = _Lines(), _Bars()
    for shown in (lines, bars):
        shown.begin(name)
        shown.update(Progress("Reading pages", 1, 2, "pages"))
    Console(width=400).print(bars._bars.get_renderable())
    bars._bars.stop()
    out, err = capsys.readouterr()
    assert "Reading pages" in out
    assert_harmless(out + err)


class _Elements(HTMLParser):
    """Which elements and attributes stand in markup, and its text."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.words = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.parametrize("name", NAMES.values(), ids=list(NAMES))
def test_markup_holds_a_name_as_text(name: str) -> None:
    def of(called: str) -> list[str]:
        path = f"/films/{called}"
        media = [
            Media("a" * 64, path, "document", "indexed", pages=1, notes=(called,)),
            Media("b" * 64, path, "video", "failed", duration_s=9.0, error=f"{called} is damaged"),
        ]
        several = [Collection(called, tuple(one.id for one in media))]
        shelf = cards(media, [])
        return [
            *(str(card_html(card)) for card in shelf),
            str(above_html(shelf, several, [media[0].id])),
            *(str(html(one)) for one in (*media, *several)),
            str(library_html(Path("/home"), media)),
        ]

    for markup, innocent in zip(of(name), of("innocent.md"), strict=True):
        shown, plain_one = _Elements(markup), _Elements(innocent)
        assert shown.tags - {"wbr"} == plain_one.tags - {"wbr"}
        assert shown.attributes == plain_one.attributes
        assert not {"\u202e", "\u2066"} & set(shown.words)


@pytest.mark.parametrize("name", NAMES.values(), ids=list(NAMES))
def test_what_a_prompt_of_python_shows_is_harmless(name: str) -> None:
    media = [Media("a" * 64, f"/films/{name}", "document", "failed", error=f"{name}: damaged")]
    several = Collection(name, ("a" * 64,))
    for text in (plain(media[0]), plain(several), library_text(Path(), media)):
        assert_harmless(text)


@pytest.mark.parametrize("name", NAMES.values(), ids=list(NAMES))
def test_no_cell_and_no_fact_of_a_library_from_elsewhere_steers_the_terminal(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words.print_table(("shows", "is"), [(name, name)])
    media = Media("a" * 64, "/film.mp4", "video", "indexed", method=name, added_at=name)
    _print_media(media)
    assert_harmless(capsys.readouterr().out)

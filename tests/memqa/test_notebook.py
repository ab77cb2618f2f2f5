"""The notebook's widget: what it answers to the browser, in threads, over messages alone."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from memqa import examples, notebook
from memqa.jobs import Job
from memqa.notebook import Cell, LibraryWidget
from memqa.values import Answer, Citation, Evidence, Media, Step, Token
from models.errors import ChatModelUnavailable
from models.values import PageSpan, Progress, TimeSpan
from tests.ui_fakes import FakeLibrary

FILM = Media("film", str(examples.VIDEO), "video", "indexed", duration_s=48.0)
PAPER = Media("paper", str(examples.DOCUMENT), "document", "indexed", pages=24)
MOMENT = Evidence("f.e1", "film", FILM.path, "video", "said", TimeSpan(15, 26), "hello", 0.9)
PAGE = Evidence("p.p1", "paper", PAPER.path, "document", "text", PageSpan(2, 2, 0, 9), "x", 0.9)
ANSWER = Answer("It is so.", "grounded", (MOMENT, PAGE), (Citation(0, 9, ("f.e1",)),))


class Browser:
    """The other end: it keeps what it is sent and can wait for it."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, Any], list[bytes]]] = []
        self.came = threading.Condition()

    def __call__(self, content: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        with self.came:
            self.got.append((content, buffers or []))
            self.came.notify_all()

    def first(
        self, what: str, fits: Callable[[dict[str, Any]], bool] = lambda _: True
    ) -> tuple[dict[str, Any], list[bytes]]:
        def found() -> list[tuple[dict[str, Any], list[bytes]]]:
            return [one for one in self.got if one[0]["what"] == what and fits(one[0])]

        with self.came:
            assert self.came.wait_for(found, timeout=20), (what, self.got)
            return found()[0]


@pytest.fixture
def library(tmp_path: Path) -> FakeLibrary:
    made = FakeLibrary(tmp_path, (FILM, PAPER))
    made.script = [Step("found", "2 places"), Token("It "), Token("is so."), ANSWER]
    return made


@pytest.fixture
def browser() -> Browser:
    return Browser()


@pytest.fixture
def cell(library: Any, browser: Browser) -> Any:
    made = Cell(library, browser)
    yield made
    made.close()


def test_a_new_view_is_shown_the_media_with_their_pictures(cell: Cell, browser: Browser) -> None:
    cell.hear({"do": "hello", "view": "v"})
    assert browser.first("turns")[0] == {"what": "turns", "html": [], "running": False}
    items = browser.first("shelf")[0]["items"]
    assert [item["key"] for item in items] == ["film", "paper"]
    assert "data:image/jpeg;base64," in items[0]["html"]
    assert "sample.mp4" in items[0]["html"]
    assert "24 pages" in items[1]["html"]


def test_asking_leaves_the_kernel_free_and_streams(
    cell: Cell, browser: Browser, library: FakeLibrary
) -> None:
    library.gate.clear()
    began = time.monotonic()
    cell.hear({"do": "ask", "question": "Is it so?"})
    assert time.monotonic() - began < 0.5
    browser.first("turn", lambda told: "It is so." in told["html"] and told["running"])
    library.gate.set()
    told = browser.first("turn", lambda told: not told["running"])[0]
    turns = [one["html"] for one, _ in browser.got if one["what"] == "turn"]
    assert len({re.findall(r'data-key="(\w+)"', html)[0] for html in turns}) == 1
    assert 'data-state="grounded"' in told["html"]
    assert 'href="#media=film&amp;t=15"' in told["html"]
    assert told["said"] == "grounded: It is so."


def test_stopping_keeps_what_was_written(
    cell: Cell, browser: Browser, library: FakeLibrary
) -> None:
    library.gate.clear()
    cell.hear({"do": "ask", "question": "Is it so?"})
    browser.first("turn", lambda told: "It is so." in told["html"])
    cell.hear({"do": "stop"})
    told = browser.first("turn", lambda told: not told["running"])[0]
    assert "stopped" in told["html"]
    assert "It is so." in told["html"]
    library.gate.set()


def test_what_goes_wrong_is_a_sentence(
    cell: Cell, browser: Browser, library: FakeLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_question: str, **_: Any) -> Any:
        raise ChatModelUnavailable("the model failed; try another")

    monkeypatch.setattr(library, "stream", fails)
    cell.hear({"do": "ask", "question": "Is it so?"})
    assert (
        "the model failed; try another"
        in browser.first("turn", lambda told: not told["running"])[0]["html"]
    )
    cell.hear({"do": "ask", "question": " "})
    assert "empty" in browser.first("problem")[0]["text"]
    cell.hear({"do": "show", "media": "gone", "view": "v", "number": 1})
    told = browser.first("place")[0]
    assert (told["kind"], told["number"]) == ("problem", 1)
    assert "'gone' is not in the library" in told["text"]


def test_with_nothing_to_ask_it_says_what_to_do(tmp_path: Path, browser: Browser) -> None:
    empty: Any = FakeLibrary(tmp_path)
    Cell(empty, browser).hear({"do": "ask", "question": "Is it so?"})
    assert "lib.add(" in browser.first("problem")[0]["text"]


def test_only_ticked_media_are_asked(cell: Cell, browser: Browser, library: FakeLibrary) -> None:
    cell.hear({"do": "tick", "media": "paper", "ticked": False})
    cell.hear({"do": "ask", "question": "Is it so?"})
    told = browser.first("turn", lambda told: not told["running"])[0]
    assert library.asked[0]["media"] == ["film"]
    assert "asks 1 of 2 media" in told["html"]


def test_two_widgets_have_a_chat_each(library: Any, browser: Browser) -> None:
    one, other = Cell(library, browser), Cell(library, Browser())
    for cell in (one, other):
        cell.hear({"do": "ask", "question": "Is it so?"})
    browser.first("turn", lambda told: not told["running"])
    deadline = time.monotonic() + 10
    while len(library.asked) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len({asked["chat"] for asked in library.asked}) == 2


def test_a_moment_comes_as_a_clip_and_a_page_as_a_picture(cell: Cell, browser: Browser) -> None:
    cell.hear({"do": "show", "view": "v", "number": 1, "media": "film", "start": 15, "end": 16})
    told, blobs = browser.first("place", lambda told: told["number"] == 1)
    assert (told["kind"], told["mime"], told["view"]) == ("video", "video/mp4", "v")
    assert told["caption"] == "sample.mp4 · 0:15–0:18"  # a second alone is no scene
    assert blobs[0][4:8] == b"ftyp"
    box = {"page": 2, "x0": 0.1, "y0": 0.1, "x1": 0.5, "y1": 0.2}
    wanted = {"do": "show", "view": "v", "number": 2, "media": "paper", "page": 2, "boxes": [box]}
    cell.hear(wanted)
    told, _ = browser.first("place", lambda told: told["number"] == 2)
    assert 'src="data:image/png;base64,' in told["html"]
    assert 'class="box"' in told["html"]


def test_text_without_pages_is_shown_with_the_passage_marked(
    browser: Browser, tmp_path: Path
) -> None:
    note = tmp_path / "note.txt"
    note.write_text("The keeper counted ships. <b>Rope</b> was dear.", encoding="utf-8")
    media = Media("note", str(note), "document", "indexed", pages=1)
    library: Any = FakeLibrary(tmp_path, (media,))
    Cell(library, browser).hear(
        {"do": "show", "view": "v", "number": 1, "media": "note", "page": 1, "chars": "4-10"}
    )
    told, _ = browser.first("place")
    assert "<mark>keeper</mark>" in told["html"]
    assert "&lt;b&gt;Rope" in told["html"]


def test_a_file_that_is_gone_is_told_of(browser: Browser, tmp_path: Path) -> None:
    media = Media("film", str(tmp_path / "gone.mp4"), "video", "indexed", duration_s=9.0)
    library: Any = FakeLibrary(tmp_path, (media,))
    Cell(library, browser).hear({"do": "show", "number": 1, "media": "film", "start": 1, "end": 2})
    assert "not there any more" in browser.first("place")[0]["text"]


def test_progress_is_told_while_somebody_looks_and_no_longer(
    cell: Cell, browser: Browser, library: FakeLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebook, "_BUSY_S", 0.05)
    progress = Progress("Listening", 41, 100)
    library.queue["j"] = Job("j", "/a/new.mp4", "running", progress=progress)
    cell.hear({"do": "hello", "view": "v"})
    told = browser.first("shelf")[0]["items"][0]["html"]
    assert 'value="0.41"' in told
    assert "Listening 41" in told
    library.queue["j"] = Job("j", "/a/new.mp4", "running", progress=Progress("Listening", 90, 100))
    browser.first("shelf", lambda told: 'value="0.9"' in told["items"][0]["html"])
    cell.hear({"do": "gone", "view": "v"})
    deadline = time.monotonic() + 5
    while any(one.name == "memqa-_watch" for one in threading.enumerate()):
        assert time.monotonic() < deadline, "the shelf is still watched"
        time.sleep(0.01)
    cell.hear({"do": "here", "view": "v"})  # and again, once somebody is back
    assert any(one.name == "memqa-_watch" for one in threading.enumerate())


def test_unknown_messages_are_passed_over(cell: Cell) -> None:
    cell.hear({"do": "rm", "media": "film"})
    cell.hear({})


def test_the_widget_needs_nothing_from_elsewhere(library: Any) -> None:
    widget = LibraryWidget(library)
    view = widget.view()["application/vnd.jupyter.widget-view+json"]
    assert view["model_id"] == widget.model_id
    for part in (widget._esm, widget._css):
        assert "http" not in part
        assert "import " not in part
    widget.close()

"""Values read well printed, in a console and in a cell, and nothing in them becomes markup."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from memqa import examples
from memqa.jobs import Job
from memqa.library import Library, Stats
from memqa.shown import bundle, in_notebook
from memqa.shown.bar import watched
from memqa.values import Answer, Citation, Collection, Evidence, Media
from models.values import Box, PageSpan, Progress, TimeSpan
from tests.ui_fakes import FakeLibrary

EVIL = '<img src=x onerror="alert(1)">\u202e'
FILM = Media("ab" * 32, "/a/talk.mp4", "video", "indexed", duration_s=3731.0, memories=4)
PAPER = Media("cd" * 32, "/a/report.pdf", "document", "indexed", pages=212)
MOMENT = Evidence(
    "m.u1", FILM.id, FILM.path, "video", "said", TimeSpan(724.0, 726.5), "Said: hello", 0.9
)
PAGE = Evidence(
    "d.p1", PAPER.id, PAPER.path, "document", "text", PageSpan(37, 37, 1, 9), "rope", 0.5,
    boxes=(Box(37, 0.1, 0.1, 0.2, 0.2),),
)  # fmt: skip
ANSWER = Answer("One. Two.", "grounded", (MOMENT, PAGE), (Citation(0, 4, ("m.u1",)),))
STATS = Stats("/h", 2, 1, 1, 3731.0, 212, 42, 1_200_000, 0)
VALUES = [FILM, PAPER, MOMENT, PAGE, ANSWER, STATS, Job("j", "/a/b.mp4", "queued")]


def words_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", html)).strip()


def test_plain_text_says_what_a_person_wants_to_know() -> None:
    assert str(FILM) == "talk.mp4: video, 1:02:11, ready (id abababab)"
    assert str(PAPER) == "report.pdf: document, 212 p., ready (id cdcdcdcd)"
    assert str(MOMENT) == '▶ 12:04–12:06 talk.mp4  "Said: hello"'
    lines = str(ANSWER).splitlines()
    assert lines[:2] == ["One. Two.", "grounded: rests on"]
    assert "12:04" in lines[2]
    assert lines[3] == "see also"
    assert "p. 37 report.pdf" in lines[4]
    assert str(Collection("talks", ("a", "b"), 1)) == "talks: 2 media, 1 more are gone"
    assert str(STATS).startswith("2 media, 1 video 1:02:11, 1 document 212 pages; 42 memories")


def test_a_job_says_how_far_it_is() -> None:
    job = Job("j", "/a/b.mp4", "running", progress=Progress("Listening", 41, 100), eta_s=120.0)
    assert str(job) == "b.mp4: running, Listening 41 %, 2 min left"
    assert 'value="0.41"' in job._repr_html_()


@pytest.mark.parametrize("value", VALUES)
def test_repr_stays_exact(value: Any) -> None:
    assert repr(value).startswith(f"{type(value).__name__}(")


def test_html_has_the_places_behind_their_sentence() -> None:
    shown = words_of(ANSWER._repr_html_())
    assert "One. ▶ 12:04–12:06 Two." in shown
    assert shown.startswith("grounded")
    unanswered = Answer("Nothing.", "unanswered", (PAGE,))
    assert "Closest places p. 37 report.pdf" in words_of(unanswered._repr_html_())


@pytest.mark.parametrize(
    "value",
    [
        Media("ab" * 32, f"/a/{EVIL}.mp4", "audio", "failed", error=EVIL, notes=(EVIL,)),
        Evidence("e", "m", f"/a/{EVIL}", "video", "said", TimeSpan(0, 1), EVIL, 0.1),
        Answer(EVIL, "grounded", (MOMENT,), (Citation(0, 3, ("m.u1",)),)),
        Job("j", f"/a/{EVIL}", "failed", error=EVIL),
        Collection(EVIL),
    ],
)
def test_what_media_say_never_becomes_markup(value: Any) -> None:
    html = value._repr_html_()
    assert "<img src=x" not in html
    assert "\u202e" not in html
    assert "\u202e" not in str(value)


def test_html_is_small_and_fetches_nothing() -> None:
    many = Answer("x" * 50, "grounded", (MOMENT,) * 40, ())
    for value in (*VALUES, many):
        html = value._repr_html_()
        assert len(html) < 12_000
        assert "http" not in html
        assert "<script" not in html


def test_a_media_shows_its_picture() -> None:
    film = Media("m", str(examples.VIDEO), "video", "indexed", duration_s=48.0)
    assert 'src="data:image/jpeg;base64,' in film._repr_html_()


def test_a_library_outside_a_notebook_is_told_in_text_and_html(tmp_path: Path) -> None:
    assert not in_notebook()
    known: Any = FakeLibrary(tmp_path, (FILM, PAPER))
    shown = bundle(known)
    assert shown["text/plain"] == (
        f"Library {tmp_path}: 2 media, 1 video 1:02:11, 1 document 212 pages; ask with lib.ask(…)"
    )
    assert "talk.mp4 Video · 1:02:11" in words_of(shown["text/html"])
    assert set(shown) == {"text/plain", "text/html"}


def test_an_empty_library_says_what_to_do(tmp_path: Path) -> None:
    with Library(tmp_path / "home") as library:
        shown = library._repr_mimebundle_()
        assert 'nothing in it yet; add a file with lib.add("talk.mp4")' in shown["text/plain"]
        assert repr(library) == f"<Library {tmp_path / 'home'}>"


def test_progress_goes_to_whoever_asked_for_it(tmp_path: Path) -> None:
    heard: list[Progress] = []
    with watched("talk.mp4", heard.append) as told:
        assert told == heard.append
    with watched("talk.mp4", None) as told:
        assert told is None


def test_nothing_of_a_notebook_is_loaded_without_one() -> None:
    script = (
        "import sys, memqa.library, memqa.values as v; "
        "print(v.Answer('x', 'unanswered')); v.Answer('x', 'unanswered')._repr_html_(); "
        "print([m for m in ('IPython', 'anywidget', 'ipywidgets', 'gradio', 'torch', 'lancedb') "
        "if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == ["x", "not found in your media", "[]"]


def test_in_a_kernel_adding_shows_a_bar_and_a_library_its_widget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import IPython.display

    drawn: list[dict[str, str]] = []

    class Handle:
        def update(self, shown: dict[str, str], raw: bool) -> None:
            drawn.append(shown)

    def display(shown: dict[str, str], raw: bool, display_id: bool) -> Handle:
        drawn.append(shown)
        return Handle()

    shell = type("Shell", (), {"kernel": object()})()
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    monkeypatch.setattr(IPython.display, "display", display)
    with watched("talk.mp4", None) as told:
        assert told is not None
        told(Progress("Listening", 41, 100))
    assert drawn[0]["text/plain"] == "talk.mp4: Listening 41 %"
    assert 'value="0.41"' in drawn[0]["text/html"]
    assert drawn[-1]["text/plain"] == ""

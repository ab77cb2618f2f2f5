"""An answer stands with its state, its chips behind the sentences they bear, and its steps."""

from __future__ import annotations

import re

import pytest

from memqa.chats import Asked
from memqa.cli.words import evidence_line
from memqa.ui.turns import ShownTurn, answer_html, short_names, state_html, turn_html
from memqa.values import Answer, Citation, Evidence, Step
from models.values import Box, Locator, PageSpan, TimeSpan


def evidence(
    name: str, locator: Locator, *, media: str = "m", path: str = "/a/talk.mp4"
) -> Evidence:
    boxes = (Box(37, 0.1, 0.2, 0.3, 0.4),) if isinstance(locator, PageSpan) else ()
    kind = "document" if isinstance(locator, PageSpan) else "video"
    return Evidence(name, media, path, kind, "said", locator, "what was said", 0.9, boxes=boxes)


MOMENT = evidence("m.u1", TimeSpan(724.0, 726.5))
PAGE = evidence("d.p1", PageSpan(37, 37, 10, 20), media="d", path="/a/report.pdf")


def text_of(html: str) -> str:
    return re.sub("<[^>]*>", "", html)


def test_a_chip_stands_behind_the_characters_it_bears() -> None:
    answer = Answer("One. Two.", "grounded", (MOMENT,), (Citation(0, 4, ("m.u1",)),))
    assert text_of(answer_html(answer, {})) == "One. 12:04 Two."


def test_a_chip_carries_all_that_the_stage_needs() -> None:
    answer = Answer("One.", "grounded", (MOMENT, PAGE), (Citation(0, 4, ("m.u1", "d.p1")),))
    html = turn_html(ShownTurn("t", "q", answer=answer))
    assert 'href="#media=m&amp;t=724" data-start="724.0" data-end="726.5"' in html
    assert 'href="#media=d&amp;page=37" data-page="37" data-chars="10-20"' in html
    assert "&quot;x0&quot;: 0.1" in html
    assert "talk 12:04" in html
    assert "report p. 37" in html


def test_over_one_media_chips_need_no_name() -> None:
    assert short_names([MOMENT, MOMENT]) == {}


@pytest.mark.parametrize(
    ("state", "word"),
    [("grounded", "grounded"), ("ungrounded", "ungrounded"), ("unanswered", "not found")],
)
def test_each_state_is_a_dot_and_a_word(state: str, word: str) -> None:
    html = state_html(state)
    assert 'class="dot"' in html
    assert text_of(html).partition(" · ")[0] == word


def test_an_unanswered_question_shows_the_closest_places() -> None:
    html = turn_html(ShownTurn("t", "q", answer=Answer("Nothing.", "unanswered", (MOMENT,))))
    assert "Closest places" in html
    assert "12:04" in html


def test_a_citation_of_unknown_evidence_or_beyond_the_text_does_no_harm() -> None:
    answer = Answer("One.", "grounded", (MOMENT,), (Citation(0, 99, ("gone", "m.u1")),))
    assert text_of(answer_html(answer, {})) == "One. 12:04"


def test_while_running_the_step_is_named_and_then_the_words_come() -> None:
    looking = ShownTurn("t", "q", steps=(Step("found", "12 places"),), running=True)
    assert "looking… found: 12 places" in turn_html(looking)
    assert 'aria-busy="true"' in turn_html(looking)
    writing = ShownTurn("t", "q", text="It was", running=True)
    assert "It was" in turn_html(writing)


def test_a_stopped_turn_keeps_what_was_written() -> None:
    html = turn_html(ShownTurn("t", "q", text="It was", stopped=True))
    assert "It was" in html
    assert "stopped" in html


def test_what_was_not_cited_is_folded() -> None:
    answer = Answer("One.", "grounded", (MOMENT, PAGE), (Citation(0, 4, ("m.u1",)),))
    html = turn_html(ShownTurn("t", "q", answer=answer))
    assert "See also 1\u00a0more place<" in html
    cited, folded = html.split("See also")
    assert 'data-evidence="d.p1"' not in cited
    assert 'data-evidence="d.p1"' in folded


def test_a_finished_turn_can_be_copied_and_asked_again() -> None:
    answer = Answer("One.", "grounded", (MOMENT,), (Citation(0, 4, ("m.u1",)),))
    html = turn_html(ShownTurn("t", "q?", answer=answer, asked=Asked(at_s=12.5)))
    assert 'data-text="One. [1]\n\n[1] talk.mp4, 12:04–12:06"' in html
    assert 'data-question="q?" data-at="12.5"' in html
    assert "Ask again" in turn_html(ShownTurn("t", "q", stopped=True))
    assert "Ask again" not in turn_html(ShownTurn("t", "q", running=True))


def test_files_of_one_name_keep_their_endings() -> None:
    other = evidence("d.p1", PageSpan(1, 1, 0, 1), media="d", path="/b/talk.pdf")
    assert short_names([MOMENT, other]) == {"m": "talk.mp4", "d": "talk.pdf"}


def test_what_lies_at_an_address_is_called_as_it_is_everywhere() -> None:
    file = evidence("d.p1", PageSpan(1, 1, 0, 1), media="d", path="https://h/b.pdf?token=…")
    site = evidence("e.p1", PageSpan(1, 1, 0, 1), media="e", path="http://h.org/")
    assert short_names([MOMENT, file, site]) == {"m": "talk", "d": "b", "e": "http://h.org/"}
    assert "  p. 1 http://h.org/  " in evidence_line(site, "what")


def test_what_could_not_be_done_is_a_quiet_note() -> None:
    steps = (Step("no language model", "It is not there.", fallback=True), Step("told", "quoted"))
    html = turn_html(ShownTurn("t", "q", answer=Answer("One.", "ungrounded", walk=steps)))
    assert '<p class="note">It is not there.</p>' in html
    assert "quoted" in html

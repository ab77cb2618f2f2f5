"""What leaves the page as text keeps its places, and media cannot write Markdown into it."""

from __future__ import annotations

import pytest

from memqa.chats import Asked, turn_from, turn_row
from memqa.ui.transcript import Told, escaped, file_name, markdown, plain
from memqa.values import Answer, Citation, Evidence
from models.values import PageSpan, TimeSpan

MOMENT = Evidence(
    "m.e1", "m", "/a/talk.mp4", "video", "said", TimeSpan(724.0, 726.5), "Hello [there](x)", 0.9
)
PAGE = Evidence(
    "d.p1", "d", "/a/re_port.pdf", "document", "text", PageSpan(37, 37, 0, 9), "Words", 0.8
)
ANSWER = Answer(
    "One thing. *Two* things.",
    "grounded",
    (MOMENT, PAGE),
    (Citation(0, 10, ("m.e1",)), Citation(11, 24, ("d.p1", "m.e1"))),
)
ADDRESS = "http://127.0.0.1:7860/"


def test_a_copied_answer_numbers_its_places() -> None:
    assert plain(ANSWER) == (
        "One thing. [1] *Two* things. [2] [1]\n\n[1] talk.mp4, 12:04–12:06\n[2] re_port.pdf, p. 37"
    )


def test_a_copied_answer_that_found_nothing_names_the_closest() -> None:
    text = plain(Answer("Nothing.", "unanswered", (PAGE,)))
    assert text == "Nothing.\n\nClosest places:\n[1] re_port.pdf, p. 37"
    assert plain(Answer("Nothing.", "unanswered")) == "Nothing."


def test_a_chat_as_markdown_reads_well_and_links_back() -> None:
    told = Told("Who *is* it?", ANSWER, "2026-11-28T10:04:05.000000+00:00", "asked of a_b.pdf")
    assert markdown("Who *is* it?", [told], address=ADDRESS) == (
        "# Who \\*is\\* it?\n\n"
        "28 November 2026, 10:04 UTC · 1 question asked with memqa\n\n"
        "## Who \\*is\\* it?\n\n"
        "*asked of a\\_b.pdf · 28 November 2026, 10:04 UTC*\n\n"
        f"One thing. [[1]]({ADDRESS}#media=m&t=724) \\*Two\\* things."
        f" [[2]]({ADDRESS}#media=d&page=37) [[1]]({ADDRESS}#media=m&t=724)\n\n"
        "*grounded: each sentence rests on a place in the media*\n\n"
        f"1. [talk.mp4, 12:04–12:06]({ADDRESS}#media=m&t=724): “Hello \\[there\\](x)”\n"
        f"2. [re\\_port.pdf, p. 37]({ADDRESS}#media=d&page=37): “Words”\n"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("# no heading", "\\# no heading"),
        ("- no list", "\\- no list"),
        ("12. no list", "12\\. no list"),
        ("<script>alert(1)</script>", "\\<script\\>alert(1)\\</script\\>"),
        ("![x](http://evil)", "!\\[x\\](http://evil)"),
        ("a\n\n    code `x`", "a code \\`x\\`"),
        ("fish &amp; chips & more", "fish \\&amp; chips & more"),
        ("a \u202egnp.exe", "a gnp.exe"),
        ("1 * 2 | $x$ ~~y~~", "1 \\* 2 \\| \\$x\\$ \\~\\~y\\~\\~"),
    ],
)
def test_media_cannot_write_markdown(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_each_line_of_an_answer_is_a_paragraph_of_its_own() -> None:
    told = Told("q", Answer("P. 2: “a”\n- b", "ungrounded"), "", "")
    assert "P. 2: “a”\n\n\\- b" in markdown("q", [told], address=ADDRESS)


def test_a_file_is_named_after_the_day_and_the_question() -> None:
    assert file_name("Who said: “no”?/../x", "2026-11-28T10:04:05") == "2026-11-28-who-said-no-x.md"


def test_what_a_question_was_asked_of_is_kept_with_it() -> None:
    wanted = Asked(("m", "d"), 12.5, "n1-2")
    row = turn_row("chat", "q", ANSWER, wanted)
    turn = turn_from(row)
    assert (turn.asked, turn.id, turn.answer.text) == (wanted, row["id"], ANSWER.text)
    assert turn_from(turn_row("chat", "q", ANSWER)).asked == Asked()

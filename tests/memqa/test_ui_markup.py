"""Whatever media say, the page shows it as text."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from docmem.tree import SummaryNode, Tree
from memqa.store.schema import Memory
from memqa.ui.cards import card_html, cards
from memqa.ui.leaves import Leaf, leaf_html, outline_html
from memqa.ui.markup import Safe, el, icon, join
from memqa.ui.timeline import cues, timeline, timeline_html
from memqa.ui.turns import ShownTurn, turn_html
from memqa.values import Answer, Citation, Evidence, Media, Step
from models.values import Box, PageSpan, TimeSpan

EVIL = """</p><script>alert(1)</script><img src=x onerror='alert(2)'>"&'{{7*7}}${7*7}"""
MEDIA = Media("a" * 64, f"/home/me/{EVIL}", "document", "indexed", pages=3, notes=(EVIL,))


class _Strict(HTMLParser):
    """Fails on whatever the page never writes itself."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag != "script"
        for name, value in attrs:
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href"):
                assert (value or "").startswith(("#media=", "data:image/"))


def assert_harmless(html: str) -> None:
    """Check that the evil text became neither a script nor a handler nor an address."""
    assert "alert(1)" in html
    _Strict(convert_charrefs=True).feed(html)


def test_strings_are_escaped_and_markup_is_kept() -> None:
    assert el("p", "a < b", el("b", "&")) == "<p>a &lt; b<b>&amp;</b></p>"
    assert join(["<", None, Safe("<br>")]) == "&lt;<br>"


def test_attributes_are_quoted_dropped_or_bare() -> None:
    made = el("input", class_="a", data_key='"><', checked=True, disabled=False, title=None)
    assert made == '<input class="a" data-key="&quot;&gt;&lt;" checked>'


def test_an_unknown_drawing_is_an_error_of_ours() -> None:
    with pytest.raises(KeyError):
        icon("unicorn")


def test_cards_escape_names_notes_and_errors() -> None:
    failed = replace(MEDIA, id="b" * 64, status="failed", error=EVIL)
    assert_harmless("".join(map(card_html, cards([MEDIA, failed], []))))


def test_turns_escape_questions_answers_quotes_and_steps() -> None:
    evidence = Evidence(
        id="a.p1",
        media_id=MEDIA.id,
        path=MEDIA.path,
        kind="document",
        modality="text",
        locator=PageSpan(2, 2, 0, 9),
        text=EVIL,
        score=1.0,
        boxes=(Box(2, 0.1, 0.1, 0.2, 0.2),),
    )
    other = replace(evidence, id="b.p1", media_id="b" * 64)
    steps = (Step(EVIL, EVIL, {EVIL: 0.5, "a.p1": 0.4}),)
    cited = (Citation(0, len(EVIL), ("a.p1", "b.p1")),)
    answer = Answer(
        EVIL, "grounded", (evidence, other), cited, walk=steps, models={"language": EVIL}
    )
    weighed = Memory("a.p1", MEDIA.id, 0, "passage", "text", evidence.locator, EVIL, 0)
    assert_harmless(turn_html(ShownTurn("1", EVIL, answer=answer, scope=EVIL), {"a.p1": weighed}))
    assert_harmless(turn_html(ShownTurn("1", EVIL, steps=steps, text=EVIL, error=EVIL)))


def test_the_time_line_and_its_subtitles_escape_what_was_said() -> None:
    said = Memory("a.u0", MEDIA.id, 0, "observation", "said", TimeSpan(0, 2), EVIL, 0)
    event = Memory("a.e0", MEDIA.id, 0, "event", "seen", TimeSpan(0, 2), f"Seen: {EVIL}", 0)
    assert_harmless(timeline_html(timeline(replace(MEDIA, kind="video"), [said, event])))
    assert "<" not in str(cues([said])[0]["text"])


def test_pages_and_outlines_escape_their_text() -> None:
    assert_harmless(leaf_html(Leaf(MEDIA, 1, text=EVIL, marks=((0, 20), (10, 30)))))
    node = SummaryNode("n1-0", 1, 0, ("p0",), None, PageSpan(1, 2, 0, 9), EVIL, 0, 0)
    assert_harmless(outline_html(Tree((node,), "n1-0"), MEDIA))

"""The way to an answer is drawn in the shape of the document, and its branches can be picked."""

from __future__ import annotations

import re
from dataclasses import replace

from memqa.store.schema import Memory
from memqa.ui.way import in_words, led_to, summed_up, way_html
from memqa.values import Look, Option, Step
from memqa.way import Branch, way_of
from models.values import PageSpan

D, V = "d" * 64, "v" * 64


def option(name: str, score: float, *, chosen: bool, media: str = D) -> Option:
    return Option(name, f"p. {name[-1]}", f"about {name}", score, chosen, media)


def look(node: str, path: str, *options: Option, reason: str = "", chosen: bool = True) -> Look:
    picked = tuple(one.id for one in options if one.chosen) or ((node,) if chosen else ())
    names = (*path.split(), node)
    return Look(node, names, "p. 9", f"gist of {node}", options, picked, reason, media=D)


ROOT = look(
    "n2-0",
    "",
    option("n1-0", 0.2, chosen=False),
    option("n1-1", 0.8, chosen=True),
    reason="The best places lie below n1-1.",
)
PART = look(
    "n1-1", "n2-0", option("p4", 0.8, chosen=True), option("p5", 0.1, chosen=False), reason="Opened"
)
LEAF = look("p4", "n2-0 n1-1", reason="Read.")
STEPS = (
    Step("found", "2 places", {f"{D[:16]}.p4": 0.8}),
    *(Step("walk", look=one) for one in (ROOT, PART, LEAF)),
    Step("told", "by the program"),
)
PASSAGE = Memory(f"{D[:16]}.p4", D, 0, "passage", "text", PageSpan(4, 4, 0, 9), "Words <b>", 4)


def below(branch: Branch) -> list[tuple[str, str]]:
    return [(one.node, one.fate) for one in branch.below]


def test_a_branch_hangs_below_what_offered_it() -> None:
    way = way_of(STEPS)
    assert way is not None
    assert below(way) == [("n1-1", "opened"), ("n1-0", "passed")]
    assert below(way.below[0]) == [("p4", "kept"), ("p5", "passed")]
    assert [one.node for one in way.all()] == ["n2-0", "n1-1", "p4", "p5", "n1-0"]


def test_a_passage_that_was_read_in_vain_is_refused() -> None:
    refused = replace(LEAF, chosen=())
    way = way_of(Step("walk", look=one) for one in (ROOT, PART, refused))
    assert way is not None
    assert way.below[0].below[0].fate == "refused"


def test_without_a_walk_there_is_no_tree() -> None:
    assert way_of([Step("found")]) is None
    assert summed_up([Step("found")]) == "1\u00a0step"
    assert "tree" not in way_html([Step("found")], {})


def test_a_drawing_names_what_it_leads_to() -> None:
    assert {f"{D[:16]}.{one}" for one in ("n2-0", "n1-1", "p4", "e4", "n1-0")} <= led_to(STEPS)


def test_each_branch_but_the_top_can_be_picked_and_no_passage() -> None:
    html = way_html(STEPS, {})
    assert re.findall(r'data-node="([^"]+)"', html) == ["n1-1", "n1-0"]
    assert set(re.findall(r'data-media="([^"]+)"', html)) == {D}
    assert 'aria-label="Look here: p. 0, about n1-0"' in html


def test_what_became_of_a_branch_is_said_and_not_only_coloured() -> None:
    html = way_html(STEPS, {})
    assert "opened</span>" in html
    assert "counts</span>" in html
    assert "not opened</span>" in html


def test_places_lead_there_and_reasons_name_them_in_words() -> None:
    html = way_html(STEPS, {PASSAGE.id: PASSAGE})
    assert html.count(f'href="#media={D}&amp;page=4"') == 2  # as found, and in the tree
    assert "<b>\n" not in html
    assert "Words &lt;b&gt;" in html
    assert "The best places lie below p. 9." in html
    assert "1\u00a0passage read" in html


def test_of_several_media_each_is_named_below_their_collection() -> None:
    top = look("library", "", option("talk.mp4:n1-0", 0.4, chosen=False, media=V), reason="Best.")
    html = way_html([Step("walk library", look=replace(top, media=""))], {})
    assert "<b>talk.mp4 </b>" in html
    assert f'data-node="n1-0" data-media="{V}"' in html


def test_what_is_going_on_is_said_in_words() -> None:
    assert in_words(STEPS[0]) == "found: 2 places"
    assert in_words(STEPS[1]) == "opened p. 9"
    assert in_words(STEPS[3]) == "read p. 9"

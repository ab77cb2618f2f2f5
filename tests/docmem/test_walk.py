"""The hybrid walk: by retrieval alone, with a model's probabilities, from a picked branch."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docmem.extracts import excerpt, keywords, nearest
from docmem.overview import overview
from docmem.steps import Guide, Query, WalkParams
from docmem.walk import walk, walking
from docmem.worth import Worth, leaves_under
from tests.docmem.walks import guide, read, text_of, tree_of
from tests.fakes import FakeLanguageModel, FakeScoringModel

ASKED = Query("When was the lantern bought?")


def likes_word(word: str, *, yes: str = "") -> FakeScoringModel:
    """A model that likes the letter whose part holds a word, and says yes to texts with ``yes``."""

    def likes(prompt: str, reply: str) -> float:
        if reply.lower() in ("yes", "no"):
            asked = "N/A" not in prompt
            return 0.0 if (reply.lower() == "yes") == (asked and yes in prompt) else -4.0
        part = prompt.split(f"{reply}:\n")[1].split("\n\n")[0].split("\n" + chr(ord(reply) + 1))[0]
        return 0.0 if word in part else -5.0

    return FakeScoringModel(likes=likes)


def test_without_a_model_passages_are_read_in_the_order_of_their_scores() -> None:
    tree = tree_of(64)
    own = {"p3": 0.9, "p30": 0.8, "p60": 0.7, "p45": 0.6, "p20": 0.65, "p11": 0.5, "p50": 0.4}
    way = walk(tree, ASKED, guide(own))
    assert way.leaves == ("p3", "p30", "p60", "p20", "p45", "p11")
    assert [one.passage for one in way.kept] == ["p3", "p11", "p20", "p30", "p45", "p60"]
    assert way.steps[0].node == tree.root
    assert way.stop == "enough"


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 90),
    st.integers(2, 5),
    st.dictionaries(st.integers(0, 89), st.floats(-1, 1), max_size=30),
    st.integers(1, 12),
)
def test_no_tree_makes_the_walk_worse_than_flat_retrieval(
    count: int, fan_out: int, scores: Mapping[int, float], leaves: int
) -> None:
    own = {f"p{order}": score for order, score in scores.items() if order < count}
    tree = tree_of(count, fan_out)
    way = walk(tree, ASKED, guide(own), params=WalkParams(leaves=leaves))
    flat = sorted(own, key=lambda one: (-own[one], int(one[1:])))[:leaves]
    assert list(way.leaves) == flat
    opened = {step.node for step in way.steps if step.options}
    for leaf in way.leaves:
        level1 = next(node.id for node in tree.nodes if leaf in node.children)
        assert set(tree.path(level1)) <= opened
    assert walk(tree, ASKED, guide(own), params=WalkParams(leaves=leaves)) == way


def test_a_branch_is_worth_the_best_below_it_not_its_summary() -> None:
    tree = tree_of(64)
    own = {node.id: 0.5 for node in tree.nodes if node.first_passage >= 16}
    own |= {f"p{n}": 0.1 for n in range(64)} | {"p5": 0.9}
    way = walk(tree, ASKED, guide(own), params=WalkParams(leaves=1))
    assert [step.node for step in way.steps] == [tree.root, "n2-0", "n1-1", "p5"]


def test_a_named_node_lends_its_score_to_passages_that_nothing_names() -> None:
    way = walk(tree_of(), ASKED, guide({"n1-2": 0.4, "p0": 0.1, "n1-0": 0.9}))
    assert way.leaves == ("p8", "p9", "p10", "p11", "p0")


def test_the_walk_begins_at_the_lowest_nodes_that_hold_the_best_places() -> None:
    tree = tree_of(64)
    worth = Worth.of(tree, {"p0": 0.9, "p2": 0.8, "p21": 0.7, "p60": 0.1})
    seeds = ["p0", "p2", "p21", "p60"]
    assert worth.starts(tree.root, seeds, most=2, share=0.8) == ["n1-0", "n1-5"]
    assert worth.starts(tree.root, seeds, most=1, share=0.8) == [tree.root]
    assert worth.starts("n2-0", seeds[:2], most=3, share=1.0) == ["n1-0"]


def test_every_step_shows_its_options_and_why() -> None:
    tree = tree_of()
    way = walk(tree, ASKED, guide({"p2": 0.9, "p9": 0.4}))
    root = way.steps[0]
    assert root.options == (("n1-0", 0.9), ("n1-2", 0.4))
    assert root.chosen == ("n1-0", "n1-2")
    assert root.reason == "The best places lie below n1-0, n1-2."
    visits = [step for step in way.steps if step.node.startswith("p")]
    assert [(step.node, step.chosen) for step in visits] == [("p2", ("p2",)), ("p9", ("p9",))]
    assert all(step.tokens > 0 for step in visits)


def test_a_kept_extract_quotes_the_nearest_sentence_in_document_order() -> None:
    way = walk(tree_of(), ASKED, guide({"p11": 0.9, "p3": 0.8}))
    assert [one.quote for one in way.kept] == [text_of(3), text_of(11)]
    assert nearest("Which lantern?", "It rained. A lantern hung there. It rained on.", most=1) == (
        "A lantern hung there."
    )


def test_nothing_found_is_asked_once_more_in_keywords() -> None:
    asked: list[str] = []

    def scores(question: str) -> Mapping[str, float]:
        asked.append(question)
        return {"p11": 0.5} if len(asked) == 2 else {}

    way = walk(tree_of(), ASKED, Guide(scores, read))
    assert asked == [ASKED.text, "lantern bought"]
    assert way.rewritten == "lantern bought"
    assert way.leaves == ("p11",)


def test_twice_nothing_reaches_nothing() -> None:
    way = walk(tree_of(), ASKED, guide({}))
    assert way.leaves == way.kept == ()
    assert way.stop == "nothing left"
    assert "None of its 4 parts" in way.steps[0].reason


def test_a_picked_branch_is_all_that_is_walked_and_its_path_is_told() -> None:
    tree = tree_of(64)
    own = {f"p{n}": 1.0 - n / 100 for n in range(64)}
    way = walk(tree, ASKED, guide(own), start="n2-1")
    assert way.leaves == tuple(f"p{n}" for n in range(16, 22))
    assert way.steps[0].node == tree.root
    assert way.steps[0].chosen == ("n2-1",)
    assert way.steps[0].reason == "The branch n2-1 was picked by hand."
    with pytest.raises(KeyError):
        walk(tree, ASKED, guide(own), start="n7-7")


def test_tier_b_mixes_the_models_probabilities_into_retrieval() -> None:
    tree = tree_of()
    own = {"p8": 0.50, "p11": 0.45, "p5": 0.1}
    assert walk(tree, ASKED, guide(own)).leaves[0] == "p8"
    model = likes_word("lantern", yes="lantern")
    way = walk(tree, ASKED, guide(own, model, "B"))
    assert way.leaves[0] == "p11"
    assert way.stop == "sure"
    assert [one.passage for one in way.kept] == ["p11"]
    level1 = next(step for step in way.steps if step.node == "n1-2")
    assert "prefers p11" in level1.reason
    values = dict(level1.options)
    assert values["p11"] == pytest.approx(0.7 * 0.9 + 0.3, abs=0.01)


def test_a_question_for_many_facts_goes_on_after_a_yes() -> None:
    own = {f"p{n}": 1 - n / 20 for n in range(16)}
    model = likes_word("bought", yes="was bought in 190")
    many = walk(tree_of(), Query(ASKED.text, many=True), guide(own, model, "B"))
    assert len(many.leaves) == 6
    assert many.stop == "enough"
    assert len(many.kept) > 1
    model = likes_word("bought", yes="was bought in 190")
    assert len(walk(tree_of(), ASKED, guide(own, model, "B")).leaves) == 1


def test_a_model_whose_choice_hangs_on_the_order_abstains() -> None:
    def first(prompt: str, reply: str) -> float:
        return 0.0 if reply in ("A", "Yes", "yes") else -3.0

    own = {"p0": 0.5, "p11": 0.9, "p2": 0.45}
    way = walk(tree_of(), ASKED, guide(own, FakeScoringModel(likes=first), "B"))
    looks = [step for step in way.steps if step.options and step.tokens]
    assert looks
    assert all("abstains" in step.reason for step in looks)
    assert way.leaves[0] == "p11"


def test_a_model_that_says_yes_to_anything_is_sure_of_nothing_beyond_that() -> None:
    always = FakeScoringModel(likes=lambda prompt, reply: 0.0 if "es" in reply else -9.0)
    way = walk(tree_of(), ASKED, guide({"p0": 0.5}, always, "B"), params=WalkParams(sure=0.1))
    assert way.kept == ()


def test_a_no_everywhere_is_asked_once_more_and_then_given_up() -> None:
    own = {f"p{n}": 1 - n / 20 for n in range(16)}
    model = likes_word("lantern", yes="never said")
    way = walk(tree_of(), ASKED, guide(own, model, "B"), params=WalkParams(leaves=3))
    assert way.kept == ()
    assert way.rewritten == keywords(ASKED.text)
    assert len(way.leaves) == len(set(way.leaves)) == 6


def test_a_tier_without_what_it_needs_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a model"):
        guide({}, None, "A")
    with pytest.raises(ValueError, match="scores options"):
        guide({}, FakeLanguageModel(), "B")
    with pytest.raises(ValueError, match="not a walk"):
        WalkParams(beam=0)


def test_steps_come_one_by_one() -> None:
    steps = walking(tree_of(), ASKED, guide({"p2": 0.9}))
    assert next(steps).node == "n2-0"


def whole(budget: int, own: Mapping[str, float] | None = None) -> tuple[list[str], list[str]]:
    steps = overview(tree_of(), Query("Summarise it."), guide(own or {}), budget_tokens=budget)
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return list(end.value.nodes), [one.passage for one in end.value.extracts]


def test_a_question_about_the_whole_reads_from_the_top_within_its_budget() -> None:
    own = {f"p{n}": n / 16 for n in range(16)}
    assert whole(10_000, own) == (
        ["n2-0", "n1-0", "n1-1", "n1-2", "n1-3"],
        [f"p{n}" for n in range(16)],
    )
    nodes, extracts = whole(330, own)
    assert nodes == ["n2-0", "n1-0", "n1-1", "n1-2", "n1-3"]
    assert extracts == [f"p{n}" for n in range(16 - len(extracts), 16)]
    assert 0 < len(extracts) < 16
    assert whole(1)[0] == ["n2-0"]


def test_leaves_under_a_node() -> None:
    tree = tree_of()
    assert leaves_under(tree, "n1-1") == ["p4", "p5", "p6", "p7"]
    assert leaves_under(tree, "p3") == ["p3"]


def test_an_excerpt_holds_the_words_asked_for_and_no_more_than_it_may():
    filler = "Nothing of note was written on that day. " * 30
    text = f"{filler}The lantern hung at the gate. {filler}"
    start, end = excerpt("Where did the lantern hang?", text, most_words=40)
    assert "The lantern hung at the gate." in text[start:end]
    assert len(text[start:end].split()) <= 40
    assert excerpt("Where?", "Short.") == (0, 6)


def test_a_long_table_is_cut_at_its_rows():
    text = "\n".join(f"Row {number} holds {number * 7} and {number * 9}" for number in range(90))
    start, end = excerpt("What does row 44 hold?", text, most_words=30)
    assert "Row 44 holds" in text[start:end]
    assert len(text[start:end].split()) <= 30
    assert text[start:end].startswith("Row")


@given(st.text(alphabet="ab .\n", max_size=200), st.text(alphabet="ab ", max_size=20))
def test_an_excerpt_is_a_stretch_of_the_text(text, question):
    start, end = excerpt(question, text, most_words=5)
    assert 0 <= start <= end <= len(text)

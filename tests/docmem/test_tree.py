from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docmem.passages import Passage
from docmem.summarise import headline, representative, telling_sentences
from docmem.tree import Gist, Tree, TreeParams, build, grow
from models.values import Features, PageSpan, TimeSpan
from tests.fakes import FakeTextEncoder

ENCODE = FakeTextEncoder().encode


def passage(order: int, text: str = "", heading: str = "") -> Passage:
    said = text or f"Sentence number {order} tells of item {order}."
    return Passage(order, PageSpan(order + 1, order + 1, 10 * order, 10 * order + 9), said, heading)


def tree_of(count: int, **params: int) -> Tree:
    return build([passage(n) for n in range(count)], encode=ENCODE, params=TreeParams(**params))


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 90), st.integers(2, 9))
def test_the_tree_holds_every_passage_once_in_order(count: int, fan_out: int) -> None:
    tree = tree_of(count, fan_out=fan_out)
    leaves = [child for node in tree.nodes if node.level == 1 for child in node.children]
    assert leaves == [f"p{n}" for n in range(count)]
    assert all(1 <= len(node.children) <= fan_out for node in tree.nodes)
    root = tree.node(tree.root)
    assert (root.first_passage, root.last_passage, root.parent) == (0, count - 1, None)
    assert root.locator == PageSpan(1, count, 0, 10 * count - 1)
    for node in tree.nodes:
        assert node.id == f"n{node.level}-{node.order}"
        for child in node.children:
            if tree.is_node(child):
                assert tree.node(child).parent == node.id
                assert tree.node(child).level == node.level - 1


def test_stored_nodes_make_the_same_tree_again() -> None:
    tree = tree_of(40)
    assert Tree.from_nodes(reversed(tree.nodes)) == tree
    assert tree.path("n1-2")[0] == tree.root
    assert tree.path("n1-2")[-1] == "n1-2"
    with pytest.raises(ValueError, match="one root, not 0"):
        Tree.from_nodes([])


def test_groups_end_where_headings_change() -> None:
    heads = ["A"] * 6 + ["B"] * 7 + ["C"] * 5
    tree = build([passage(n, heading=head) for n, head in enumerate(heads)], encode=ENCODE)
    groups = [(n.first_passage, n.last_passage) for n in tree.nodes if n.level == 1]
    assert groups == [(0, 5), (6, 12), (13, 17)]
    assert [tree.node(f"n1-{n}").text.split("\n")[0] for n in range(3)] == ["A", "B", "C"]
    assert tree.node(tree.root).text.startswith("A, B, C\n")


def test_a_tree_over_times_joins_times() -> None:
    events = [Passage(n, TimeSpan(10.0 * n, 10.0 * n + 10), f"Said: words {n}") for n in range(20)]
    tree = build(events, encode=ENCODE)
    assert tree.node(tree.root).locator == TimeSpan(0.0, 200.0)
    mixed = [passage(0), events[0]]
    with pytest.raises(ValueError, match="not over both"):
        build(mixed, encode=ENCODE)


def test_no_passages_no_tree() -> None:
    with pytest.raises(ValueError, match="at least one passage"):
        build([], encode=ENCODE)


def test_summaries_are_words_of_the_text_within_their_length_and_the_same_each_time() -> None:
    texts = [
        f"Year {2000 + n} was fair. The profit rose to {n} million in Oslo. Weather was mild then."
        for n in range(30)
    ]
    passages = [passage(n, text) for n, text in enumerate(texts)]
    tree = build(passages, encode=ENCODE)
    assert tree == build(passages, encode=ENCODE)
    everything = " ".join(texts)
    for node in tree.nodes:
        assert len(node.text.split()) <= 60
        for sentence in node.text.replace(". ", ".\n").split("\n"):
            assert sentence in everything


def test_telling_sentences_keep_the_first_and_the_ones_with_the_texts_own_words() -> None:
    filler = "It was so and so again in the day."
    text = f"Opening words stand here. {filler} The zeppelin carried helium over Bergen. {filler}"
    (kept, _) = telling_sentences(
        [text, f"{filler} Nothing much happened on that day."], per_text=2
    )
    assert kept == ("Opening words stand here.", "The zeppelin carried helium over Bergen.")


def test_representative_sentences_are_near_the_centre_and_unlike_each_other() -> None:
    features = np.array([[1, 0], [1, 0], [0.6, 0.8], [0, -1]], np.float32)
    texts = ["a one two three", "b one two three", "c one two three", "d one two three"]
    assert representative(texts, features, max_words=8) == [0, 2]
    assert representative([], features[:0], max_words=8) == []
    assert representative(["far too long for it"], features[:1], max_words=1) == [0]


def test_a_headline_names_what_is_shared_then_what_differs() -> None:
    assert headline(["A › B", "A › C", "A › B"], join=" › ") == "A › B, C"
    assert headline(["", ""], join=" › ") == ""
    assert headline(["A › B"], join=" › ") == "A › B"


def test_a_single_passage_makes_a_tree_of_one_node() -> None:
    tree = tree_of(1)
    assert [node.id for node in tree.nodes] == ["n1-0"]


def test_parameters_that_make_no_tree_are_refused() -> None:
    with pytest.raises(ValueError, match="not a shape"):
        TreeParams(fan_out=1)


def gists_of(passages: Sequence[Passage]) -> dict[str, Gist]:
    return {grown.gist.inputs: grown.gist for grown in grow(passages, encode=ENCODE)}


def edited(how: str, at: int = 201) -> list[Passage]:
    texts = [f"Item {n} tells of {n * 7919 % 1013} things. It does." for n in range(400)]
    heads = ["A › " + "xyz"[n // 30 % 3] * (n // 30 + 1) if n < 200 else "" for n in range(400)]
    if how == "change":
        texts[at] = "Something else was written in this place altogether."
    elif how == "insert":
        texts[at:at] = ["A new page was put in here.", "It had a second passage."]
        heads[at:at] = [heads[at]] * 2
    elif how == "delete":
        del texts[at], heads[at]
    return [passage(n, *both) for n, both in enumerate(zip(texts, heads, strict=True))]


@pytest.mark.parametrize("how", ["change", "insert", "delete"])
@pytest.mark.parametrize("at", [5, 100, 201, 333])
def test_an_edit_makes_anew_only_what_is_around_and_above_it(how: str, at: int) -> None:
    known = gists_of(edited("nothing"))
    encoded: list[str] = []

    def encode(texts: Sequence[str]) -> Features:
        encoded.extend(texts)
        return ENCODE(texts)

    passages = edited(how, at)
    grown = list(grow(passages, encode=encode, known=known))
    made = [one.node for one in grown if not one.is_known]
    levels = grown[-1].node.level
    assert len(grown) > 60
    assert 1 <= len(made) <= 4 * levels
    assert len(encoded) <= 3 * 8 * 5
    assert build(passages, encode=ENCODE, known=known) == build(passages, encode=ENCODE)


def test_sections_become_subtrees_with_their_names() -> None:
    heads = [f"Part {n // 40} › Chapter {n // 12}" for n in range(160)]
    tree = build([passage(n, heading=head) for n, head in enumerate(heads)], encode=ENCODE)
    names = {node.text.split("\n")[0] for node in tree.nodes}
    assert {f"Part {n // 40} › Chapter {n // 12}" for n in range(160)} <= names
    for part in range(4):
        whole = (40 * part, 40 * part + 39)
        inside = [n for n in tree.nodes if (n.first_passage, n.last_passage) == whole]
        assert inside, f"part {part} is no subtree"
        assert inside[-1].text.startswith(f"Part {part} › Chapter")


def test_small_sections_are_packed_whole() -> None:
    heads = [f"Section {n // 2}" for n in range(64)]
    tree = build([passage(n, heading=head) for n, head in enumerate(heads)], encode=ENCODE)
    lowest = [node for node in tree.nodes if node.level == 1]
    assert all(node.first_passage % 2 == 0 for node in lowest)
    assert len(lowest) <= 16


def test_growing_can_stop_anywhere_and_goes_on_with_what_is_known() -> None:
    passages = edited("nothing")
    whole = list(grow(passages, encode=ENCODE))
    for stop in (1, 20, len(whole) - 1):
        known = {one.gist.inputs: one.gist for one in whole[:stop]}
        again = list(grow(passages, encode=ENCODE, known=known))
        assert [one.node for one in again] == [one.node for one in whole]
        assert [one.is_known for one in again[:stop]] == [True] * stop
        assert not any(one.is_known for one in again[stop:])

"""What an answer found in a document, step by step, and the walk through its outline."""

from __future__ import annotations

from dataclasses import replace

from docmem.tree import SummaryNode, Tree
from memqa.ui.excerpt import quotes
from memqa.ui.outlines import outline_html
from memqa.ui.reading import Walked, hits, literal, spans_of, walked
from memqa.values import Answer, Citation, Evidence, Look, Media, Step
from models.values import Box, PageSpan, TimeSpan

REPORT = Media("d" * 64, "/home/me/report.pdf", "document", "indexed", pages=9)
BOX = Box(3, 0.1, 0.1, 0.5, 0.2)


def evidence(local: str, page: int, start: int, text: str = "", media: Media = REPORT) -> Evidence:
    return Evidence(
        id=f"{media.id[:16]}.{local}",
        media_id=media.id,
        path=media.path,
        kind="document",
        modality="text",
        locator=PageSpan(page, page, start, start + 9),
        text=text,
        score=0.5,
        boxes=(BOX,),
    )


def looked(*path: str, media: str = REPORT.id) -> Step:
    named = tuple(f"report.pdf:{name}" if name != "library" else name for name in path)
    return Step("walk", look=Look(named[-1], named, "", "", (), (), "", media=media))


ANSWER = Answer(
    "It says “We counted forty-two ships.” and “fewer”.",
    "grounded",
    evidence=(evidence("p7", 5, 700), evidence("p2", 3, 200), evidence("p2", 3, 200)),
    citations=(Citation(0, 30, (f"{REPORT.id[:16]}.p7",)),),
    walk=(
        Step("found"),
        looked("library", "n2-0", "n1-1"),
        looked("library", "n2-0", "n1-1", "p2"),
        looked("library", "n2-0", "n1-2", "p7"),
        looked("library", "n1-0", media="another"),
    ),
)


def test_places_are_stepped_through_in_reading_order_each_once() -> None:
    found = hits(ANSWER.evidence, REPORT)
    assert [(one.page, one.chars) for one in found] == [(3, "200-209"), (5, "700-709")]
    assert found[0].as_json()["boxes"][0]["page"] == 3


def test_evidence_of_other_media_is_none_of_a_documents_places() -> None:
    other = evidence("p1", 1, 1, media=Media("e" * 64, "/x.pdf", "document", "indexed"))
    moment = replace(evidence("p1", 1, 1), locator=TimeSpan(1, 2))
    assert hits([other, moment], REPORT) == []


def test_sentences_taken_over_to_the_letter_are_quotes_and_single_words_are_not() -> None:
    assert quotes(ANSWER) == ["We counted forty-two ships."]


def test_a_quote_is_found_however_its_lines_break() -> None:
    text = "Before. We counted\nforty-two “big” ships. After."
    start, end = spans_of(text, ["We counted forty-two 'big' ships."])[0]
    assert text[start:end] == "We counted\nforty-two “big” ships."
    assert spans_of(text, ["not there", ""]) == ()
    assert len(spans_of("a needle, a Needle", ["needle"])) == 2


def test_finding_prefers_where_the_words_stand() -> None:
    found = [evidence("p1", 1, 1, "ships of war"), evidence("p2", 1, 20, "War on many Ships")]
    assert literal(found, "ships war") == found
    assert literal(found, "many ships") == found[1:]
    assert literal(found, "peace") == []


def test_the_way_to_what_was_cited_is_told_from_what_was_only_opened() -> None:
    way = walked(ANSWER, REPORT)
    assert way.opened == {"library", "n2-0", "n1-1", "n1-2", "p2", "p7"}
    assert way.led == {"library", "n2-0", "n1-2", "p7"}


def node(name: str, children: tuple[str, ...], parent: str | None, text: str) -> SummaryNode:
    level, order = (int(part) for part in name[1:].split("-"))
    where = PageSpan(order + 1, order + 2, 10 * order, 10 * order + 9)
    return SummaryNode(
        id=name,
        level=level,
        order=order,
        children=children,
        parent=parent,
        locator=where,
        text=text,
        first_passage=order,
        last_passage=order,
        written_by="",
    )


TREE = Tree(
    (
        node("n1-0", ("p0",), "n2-0", "Report › Ships › many of them"),
        node("n1-1", ("p1",), "n2-0", "Report › Rope › its price"),
        node("n2-0", ("n1-0", "n1-1"), None, "Report › all of it"),
    ),
    "n2-0",
)


def test_the_outline_marks_the_way_and_leaves_out_what_all_entries_share() -> None:
    html = outline_html(TREE, REPORT, Walked(frozenset({"n1-0", "n1-1"}), frozenset({"n1-1"})))
    assert ">Rope › its price<" in html
    assert "Report ›" not in html
    assert '<li class="opened" data-from="1" data-to="2" data-char="0"' in html
    assert '<li class="led" data-from="2"' in html
    assert "the way to the answer" in html


def test_no_link_is_hidden_inside_a_fold() -> None:
    deep = Tree((*TREE.nodes[:2], replace(TREE.nodes[2], parent="n3-0"),
                 node("n3-0", ("n2-0",), None, "Report › top")), "n3-0")  # fmt: skip
    html = outline_html(deep, REPORT)
    folds = html.split("<summary>")[1:]
    assert folds
    assert all(fold.split("</summary>")[0] == "2\u00a0parts" for fold in folds)
    assert "the way to the answer" not in html

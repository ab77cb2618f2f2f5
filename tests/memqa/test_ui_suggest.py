"""An empty chat offers questions about what the media hold, in forms that can be answered."""

from __future__ import annotations

from collections.abc import Sequence

from memqa.store.schema import Memory
from memqa.ui.suggest import Known, known_of, suggestions
from memqa.values import Media
from models.values import PageSpan, TimeSpan

FILM = Media("v" * 64, "/a/film.mp4", "video", "indexed", duration_s=30.0)
PAPER = Media("d" * 64, "/a/paper.pdf", "document", "indexed", pages=9)


def events(*texts: str) -> list[Memory]:
    span = TimeSpan(0.0, 1.0)
    return [
        Memory(f"v.e{n}", FILM.id, 0, "event", "seen", span, text, n)
        for n, text in enumerate(texts)
    ]


def passages(headings: Sequence[str]) -> list[Memory]:
    return [
        Memory(f"d.p{n}", PAPER.id, 0, "passage", "text", PageSpan(1, 1, 0, 1), "…", n, heading=one)
        for n, one in enumerate(headings)
    ]


def test_a_video_is_asked_for_what_is_said_seen_and_written() -> None:
    found = known_of(
        FILM,
        events(
            "Seen: owl (bird) or hawk\nSaid: Tell me, is the keeper of the lighthouse at home now?",
            "Read: GATE 5 · 11:42",
            "Read: EXIT BELOW",
        ),
    )
    assert found.said == ("Tell me, is the keeper of the lighthouse",)
    assert (found.seen, found.read) == (("owl",), ("EXIT BELOW",))
    assert suggestions([found]) == [
        "When is “Tell me, is the keeper of the lighthouse” said?",
        "When is an owl seen?",
        "Where is “EXIT BELOW” written?",
    ]


def test_a_document_is_asked_for_what_stands_under_its_own_headings() -> None:
    title = "A paper on ropes"
    paths = [
        title,
        *(f"{title} › {one}" for one in ("Abstract", "2 Rope making", "3.1 Knots at sea")),
        *(f"{title} › {one}" for one in ("Figure 3", "4 Is it 5 % stronger?", "References")),
    ]
    found = known_of(PAPER, passages(paths))
    assert found.headings == ("Rope making", "Knots at sea")
    assert suggestions([found]) == [
        "Summarise paper.pdf.",
        "What does paper.pdf say about Rope making?",
        "Where does paper.pdf mention Knots at sea?",
    ]


def test_several_media_take_turns() -> None:
    film = Known("film.mp4", False, said=("we choose to go",), seen=("television", "glasses"))
    other = Known("other.mp4", False, seen=("television", "glasses"))
    paper = Known("paper.pdf", True, headings=("Rope making",))
    assert suggestions([film, paper]) == [
        "When is “we choose to go” said?",
        "Summarise paper.pdf.",
        "When are glasses seen?",
    ]
    assert suggestions([paper, film]) == suggestions([film, paper])
    assert suggestions([other]) == ["When are glasses seen?"]


def test_of_several_documents_each_is_asked_for_something_else() -> None:
    names = ("ropes.pdf", "ferries.pdf", "weirs.pdf")
    papers = [Known(name, True, headings=(f"Of {name[:-4]}", "Prices")) for name in names]
    assert suggestions(papers) == [
        "Summarise ropes.pdf.",
        "What does ferries.pdf say about Of ferries?",
        "Where does weirs.pdf mention Prices?",
    ]
    assert suggestions([Known(name, True) for name in names[:1]]) == ["Summarise ropes.pdf."]


def test_of_nothing_known_nothing_is_asked() -> None:
    assert suggestions([]) == []
    assert suggestions([known_of(FILM, events("Seen: 1234", "Said: No."))]) == []

"""The memory tab as a view: banks against their room, what was merged, what stands for most."""

from __future__ import annotations

from dataclasses import replace

from memqa.account import HeldElement, MemoryAccount
from memqa.ui.memory import memory_html
from memqa.ui.stock import MOST_CELLS, SHOWN, Counts, counts_view, memory_view
from memqa.values import Media
from models.values import TimeSpan
from vidmem.memory.contract import Bank

VIDEO = Media("v" * 64, "/home/me/talk.mp4", "video", "indexed", duration_s=20.0)
ACCOUNT = MemoryAccount(
    media_id=VIDEO.id,
    method="moviechat",
    keeps="The newest frames.",
    budget_bytes=10_000,
    nbytes=10_000,
    elements=(
        HeldElement(0, 4, 3, 2000, "dog"),
        HeldElement(4, 5, 1, 2000, "<cat>"),
        HeldElement(5, 7, 2, 1000),
    ),
    figures={"frames_seen": 6.0, "elements": 3.0},
    timeline={"nbytes": 1000.0, "horizon_s": 3600.0},
    captions={"seer": 2},
    banks=(Bank("short-term memory", 2, 4), Bank("frames", 7, None)),
    sticky=(TimeSpan(1, 2),),
)


def test_banks_and_bytes_are_told_against_their_room() -> None:
    bars = memory_view(ACCOUNT, VIDEO).bars
    assert [(bar.name, bar.share, bar.told) for bar in bars] == [
        ("Short-term memory", 0.5, "2 of 4"),
        ("Frames", None, "7, no end"),
        ("Bytes", 0.5, "5\u00a0kB of 10\u00a0kB"),
    ]


def test_what_was_seen_merged_and_given_up_is_told_in_plain_words() -> None:
    facts = dict(memory_view(ACCOUNT, VIDEO).facts)
    assert facts["Frames seen"] == "6"
    assert facts["Merged"] == "3\u00a0frames"
    assert facts["Given up"] == "nothing"
    assert facts["Tells apart"] == (
        "all 7 seconds so far, in steps of 2 seconds, 4 seconds at most"
    )
    assert facts["Time line"].endswith("1 hour; 1\u00a0stretch held more finely")
    assert facts["Captions"] == "2\u00a0events by seer, checked by nothing"


def test_a_memory_that_gives_up_says_how_much_and_one_that_blurs_since_when() -> None:
    evicting = replace(ACCOUNT, figures={**ACCOUNT.figures, "frames_given_up": 4.0})
    assert dict(memory_view(evicting, VIDEO).facts)["Given up"] == "4\u00a0frames"
    blurring = replace(ACCOUNT, horizon_s=3.0)
    assert dict(memory_view(blurring, VIDEO).facts)["Tells apart"].startswith("the last 3 seconds")


def test_elements_stand_along_the_video_stronger_where_more_frames_are_one() -> None:
    cells = memory_view(ACCOUNT, VIDEO).cells
    assert cells[0].shade == 1 > cells[2].shade > cells[1].shade > 0
    assert cells[0].told == "0:00–0:04: 3\u00a0frames held as one\ndog"
    html = memory_html(memory_view(ACCOUNT, VIDEO))
    assert "&lt;cat&gt;" in html
    assert "width:57.143%" in html


def test_a_day_is_drawn_in_as_many_cells_as_can_be_seen() -> None:
    many = tuple(HeldElement(at, at + 1, 1, 10) for at in range(5 * MOST_CELLS))
    cells = memory_view(replace(ACCOUNT, elements=many), VIDEO).cells
    assert len(cells) == MOST_CELLS
    assert cells[0].told.startswith("0:00–0:05: 5\u00a0frames held as 5")


def test_the_elements_that_stand_for_most_show_their_frame_in_order_of_time() -> None:
    view = memory_view(ACCOUNT, VIDEO)
    assert [(one.start_s, one.told) for one in view.held] == [
        (0, "3\u00a0frames"), (5, "2\u00a0frames"),
    ]  # fmt: skip
    assert view.shown_for == "Standing for most frames"
    html = memory_html(view)
    assert 'data-at="2.0"' in html
    assert f'href="#media={VIDEO.id}&amp;t=5"' in html


def test_prototypes_are_chosen_by_how_much_they_were_read() -> None:
    used = tuple(HeldElement(at, at + 1, 1, 10, usage=at / 100) for at in range(20))
    view = memory_view(replace(ACCOUNT, elements=used), VIDEO)
    assert view.shown_for == "Read most often"
    assert [one.start_s for one in view.held] == list(range(20 - SHOWN, 20))
    assert view.held[-1].told == "read for 19.0% of its life"


def test_an_empty_memory_is_told_without_failing() -> None:
    empty = replace(ACCOUNT, elements=(), figures={}, banks=())
    assert dict(memory_view(empty, VIDEO).facts)["Tells apart"] == "nothing yet"
    memory_html(memory_view(empty, VIDEO))


def test_a_document_tells_its_passages_and_outline() -> None:
    report = Media("d" * 64, "/home/me/report.pdf", "document", "indexed", pages=24)
    facts = dict(counts_view(report, Counts(77, 14, 3, 313_000, rewritten=2)).facts)
    assert facts == {
        "Length": "24 pages",
        "Passages": "77",
        "Outline": "14\u00a0summaries on 3\u00a0levels",
        "On disk": "313\u00a0kB",
        "Written by a model": "2 of the summaries",
    }


def test_a_recording_whose_outline_is_not_made_says_when_it_will_be() -> None:
    talk = Media("a" * 64, "/home/me/talk.mp3", "audio", "indexing", duration_s=60.0)
    view = counts_view(talk, Counts(4, 0, 0, 1000))
    assert dict(view.facts)["Outline"] == "made when indexing ends"
    assert "said" in view.rule

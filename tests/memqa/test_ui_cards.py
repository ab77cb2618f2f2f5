"""The shelf says of every file where it stands, once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from memqa.jobs import Job
from memqa.ui import words
from memqa.ui.cards import card_html, cards
from memqa.ui.shelf import asked, scope
from memqa.values import Media
from models.values import Progress

VIDEO = Media("v" * 64, "/home/me/talk.mp4", "video", "indexed", duration_s=3731.0)
REPORT = Media("d" * 64, "/home/me/report.pdf", "document", "indexed", pages=212)


def test_a_ready_media_says_its_length_and_counts() -> None:
    (card,) = cards([VIDEO], [])
    assert (card.state, card.length, card.line, card.ticked) == ("ready", "1:02:11", "", True)
    assert "checked" in card_html(card)


def test_a_running_job_names_its_stage_and_the_time_left() -> None:
    half = Media(VIDEO.id, VIDEO.path, "video", "indexing", duration_s=3731, remembered_s=840)
    job = Job(
        "j", half.path, "running", half.id, "video", Progress("Listening", 41, 100), eta_s=125
    )
    (card,) = cards([half], [job])
    assert card.line == "Listening 41\u00a0%, 2\u00a0min left"
    assert card.reach == "can be asked up to 14:00"
    assert card.share == pytest.approx(0.41)
    assert card.can_be_asked


def test_a_file_has_one_card_whether_known_by_path_or_by_id() -> None:
    moved = Job("j", "/uploads/talk.mp4", "running", VIDEO.id)
    by_path = Job("k", REPORT.path, "queued")
    found = cards([VIDEO, REPORT], [moved, by_path])
    assert [(card.key, card.state) for card in found] == [
        (VIDEO.id, "working"),
        (REPORT.id, "waiting"),
    ]


def test_the_last_job_of_a_file_counts() -> None:
    path = "/home/me/odd.mp4"
    jobs = [Job("1", path, "failed", error="it broke"), Job("2", path, "queued")]
    assert [card.state for card in cards([], jobs)] == ["waiting"]
    assert cards([VIDEO], [Job("3", VIDEO.path, "done", VIDEO.id)])[0].state == "ready"


def test_a_failed_file_says_why_until_it_is_dismissed() -> None:
    job = Job("1", "/home/me/odd.mp4", "failed", error="odd.mp4 is no video.")
    (card,) = cards([], [job])
    html = card_html(card)
    assert 'role="alert"' in html
    assert html.count("odd.mp4 is no video.") == 1
    assert cards([], [job], dismissed={"1"}) == []


def test_what_is_being_indexed_stands_first() -> None:
    running = Job("1", "/home/me/new.mp4", "running")
    assert [card.name for card in cards([VIDEO], [running])] == ["new.mp4", "talk.mp4"]


def test_a_media_left_by_a_killed_process_can_be_gone_on_with() -> None:
    half = Media(VIDEO.id, VIDEO.path, "video", "cancelled", remembered_s=840)
    (card,) = cards([half], [])
    assert card.line == "stopped at 14:00"
    assert card.reach == "can be asked up to 14:00"
    assert 'data-do="retry"' in card_html(card)
    book = Media(REPORT.id, REPORT.path, "document", "cancelled", remembered_pages=12)
    assert cards([book], [])[0].line == "stopped at page 12"


def test_a_media_that_another_process_works_on_is_left_to_it() -> None:
    half = Media(VIDEO.id, VIDEO.path, "video", "indexing", remembered_s=60)
    (card,) = cards([half], [])
    assert (card.state, card.line) == ("working", "another program is reading it")
    assert "data-do" not in card_html(card)


def test_a_media_of_other_models_can_be_brought_up_to_date() -> None:
    old = replace(VIDEO, stale=("text", "image"))
    (card,) = cards([old], [])
    assert "text encoder and picture encoder" in card_html(card)
    assert 'data-do="renew"' in card_html(card)
    job = Job("j", old.path, "running", old.id, "video", Progress("Texts", 1, 4), task="reindex")
    (card,) = cards([old], [job])
    assert (card.state, card.share, card.can_be_asked) == ("working", 0.25, True)
    assert "indexed with other models" not in card_html(card)


def test_what_could_not_be_brought_up_to_date_is_said_until_dismissed() -> None:
    old = replace(VIDEO, stale=("image",))
    job = Job("j", old.path, "failed", old.id, error="the file is missing", task="reindex")
    (card,) = cards([old], [job])
    assert card.error == "the file is missing"
    assert 'data-of="j"' in card_html(card)
    (card,) = cards([old], [job], dismissed={"j"})
    assert card.error is None
    assert card.can_be_renewed


def test_a_media_says_what_it_takes() -> None:
    (card,) = cards([replace(VIDEO, memories=340, bytes=1_230_000)], [])
    assert "remembers 1.2\u00a0MB in 340\u00a0memories" in card_html(card)


def test_a_partly_read_media_says_first_what_is_missing_of_it() -> None:
    notes = ("its pictures end at 14.5 s", "it has no sound")
    half = Media(VIDEO.id, VIDEO.path, "video", "partial", duration_s=30.0, notes=notes)
    (card,) = cards([half], [])
    assert (card.line, card.notes) == (notes[0], notes[1:])
    assert card.can_be_asked


def test_nothing_ticked_asks_of_everything() -> None:
    both = [VIDEO, REPORT]
    assert asked(cards(both, [])) is None
    assert asked(cards(both, [], unticked={VIDEO.id})) == [REPORT.id]
    assert asked(cards(both, [], unticked={VIDEO.id, REPORT.id})) is None


@pytest.mark.parametrize(
    ("unticked", "line"),
    [((), "asks all 2 media"), ((VIDEO.id,), "asks report.pdf")],
)
def test_the_question_box_says_what_is_asked(unticked: tuple[str, ...], line: str) -> None:
    assert scope(cards([VIDEO, REPORT], [], unticked=unticked))["line"] == line


def test_an_empty_shelf_invites_to_add() -> None:
    assert scope([])["ready"] == 0
    assert "Add" in scope([])["placeholder"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (3, "a few seconds left"),
        (42, "40\u00a0s left"),
        (120, "2\u00a0min left"),
        (9000, "2.5\u00a0h left"),
    ],
)
def test_time_left_is_no_finer_than_it_is_known(seconds: float, said: str) -> None:
    assert words.left(seconds) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (12, "12\u00a0bytes"),
        (1_200_000, "1.2\u00a0MB"),
        (31_200_000, "31\u00a0MB"),
        (1_234_000_000, "1.2\u00a0GB"),
    ],
)
def test_sizes_are_in_the_unit_a_person_would_use(count: int, said: str) -> None:
    assert words.size(count) == said


def test_only_what_is_watched_is_called_the_camera() -> None:
    path = "/home/me/camera-tour.mp4"
    (file,) = cards([], [Job("j", path, "queued")])
    (live,) = cards([], [Job("j", path, "running", task="live")])
    assert (file.name, live.name) == ("camera-tour.mp4", "Camera")

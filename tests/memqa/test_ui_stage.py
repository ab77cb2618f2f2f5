"""Time line, pages and outline as view models, and the calls that the stage answers."""

from __future__ import annotations

from pathlib import Path

import pytest
import webvtt

from memqa.store.schema import Memory
from memqa.ui.leaves import boxes_from, marked
from memqa.ui.places import Places
from memqa.ui.stage import Stage
from memqa.ui.subtitles import as_webvtt, cues, file_name
from memqa.ui.timeline import MOST_TICKS, timeline, timeline_html
from memqa.values import Media
from models.errors import InputError
from models.values import Box, TimeSpan
from tests.ui_fakes import FakeLibrary

VIDEO = Media("v" * 64, "/home/me/talk.mp4", "video", "indexed", duration_s=20.0)


def memory(
    local: str, level: str, modality: str, start_s: float, end_s: float, text: str
) -> Memory:
    return Memory(f"v.{local}", VIDEO.id, 0, level, modality, TimeSpan(start_s, end_s), text, 0)  # type: ignore[arg-type]


def test_marks_stand_where_they_happened() -> None:
    line = timeline(
        VIDEO,
        [
            memory("e0", "event", "seen", 5, 10, "Seen: dog\nSaid: sit"),
            memory("u0", "observation", "said", 6, 7, "sit"),
        ],
    )
    html = timeline_html(line)
    assert "left:25.000%;width:25.000%" in html
    assert ">dog<" in html
    assert "no text found" in html
    assert "no speech found" not in html
    assert "ask something" in html
    assert "Brackets" not in html


def test_what_the_memory_holds_more_finely_is_bracketed_and_explained() -> None:
    html = timeline_html(timeline(VIDEO, [], sticky=[TimeSpan(5, 10)]))
    assert "Brackets: held more finely than the rest" in html
    assert 'style="left:25.000%;width:25.000%" data-start="5"' in html


def test_a_recording_has_no_attention_to_show() -> None:
    recording = Media(VIDEO.id, "/home/me/talk.mp3", "audio", "indexed", duration_s=20.0)
    html = timeline_html(timeline(recording, []))
    assert "no pictures to look at" in html
    assert "attention-words" not in html


def test_a_row_that_was_not_reached_says_so_instead_of_nothing_found() -> None:
    half = Media(VIDEO.id, VIDEO.path, "video", "indexing", duration_s=20.0, remembered_s=5.0)
    assert "not looked at yet" in timeline_html(timeline(half, []))


def test_a_media_without_duration_is_as_long_as_what_is_known_of_it() -> None:
    endless = Media(VIDEO.id, VIDEO.path, "video", "indexed")
    assert timeline(endless, [memory("u0", "observation", "said", 6, 7, "x")]).duration_s == 7
    assert "Nothing is known" in timeline_html(timeline(endless, []))


def test_a_day_of_speech_draws_no_more_ticks_than_can_be_seen() -> None:
    said = [memory(f"u{i}", "observation", "said", i / 500, i / 500, "x") for i in range(9000)]
    assert timeline_html(timeline(VIDEO, said)).count("tick-mark") <= MOST_TICKS


def test_subtitles_are_what_was_said_and_last_long_enough_to_read() -> None:
    made = cues(
        [
            memory("u0", "observation", "said", 6, 6.1, "sit"),
            memory("e0", "event", "seen", 0, 9, "x"),
        ]
    )
    assert made == [{"start": 6, "end": 6.5, "text": "sit"}]


def test_what_is_said_becomes_a_subtitle_file_that_only_shows_words() -> None:
    said = [
        memory("u1", "observation", "said", 3725.5, 3727, "two\n\nlines --> <b>bold</b> & more"),
        memory("u0", "observation", "said", 0.0, 1.25, "first"),
    ]
    written = as_webvtt(cues(said))
    assert written.splitlines() == [
        "WEBVTT",
        "",
        "00:00:00.000 --> 00:00:01.250",
        "first",
        "",
        "01:02:05.500 --> 01:02:07.000",
        "two lines --&gt; &lt;b&gt;bold&lt;/b&gt; &amp; more",
    ]
    read = webvtt.from_string(written)
    assert [(one.start_in_seconds, one.end_in_seconds) for one in read] == [(0, 1), (3725, 3727)]
    assert file_name(VIDEO) == "talk.vtt"


def test_marks_in_a_text_are_merged_and_kept_inside_it() -> None:
    assert marked("abcdef", [(4, 99), (1, 3), (2, 4)]) == ["a", "<mark>bcdef</mark>"]
    assert marked("abcdef", [(0, 4)], [(2, 3)]) == [
        "<mark>ab</mark>", '<mark class="quoted">c</mark>', "<mark>d</mark>", "ef",
    ]  # fmt: skip


def test_boxes_come_from_the_browser_and_are_not_believed() -> None:
    good = {"page": 1, "x0": 0.1, "y0": 0.1, "x1": 0.2, "y1": 0.2}
    assert boxes_from([good, {"page": 1}, "x", {**good, "x1": 9}]) == (Box(1, 0.1, 0.1, 0.2, 0.2),)
    assert boxes_from("no list") == ()


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    text = tmp_path / "notes.txt"
    text.write_text("The needle lies here.", encoding="utf-8")
    media = Media("d" * 64, str(text), "document", "indexed", pages=1)
    gone = Media("g" * 64, str(tmp_path / "gone.pdf"), "document", "indexed", pages=1)
    return Stage(FakeLibrary(tmp_path, [media, gone]), Places(local=True))  # type: ignore[arg-type]


def test_a_page_of_text_marks_the_passage(stage: Stage) -> None:
    html = stage.leaf({"media": "d" * 64, "page": 1, "chars": "4-10"})["html"]
    assert "<mark>needle</mark>" in html


def test_a_page_beyond_the_last_is_the_last(stage: Stage) -> None:
    assert 'data-page="1"' in stage.leaf({"media": "d" * 64, "page": 99})["html"]


def test_a_document_that_went_away_is_said_in_a_sentence(stage: Stage) -> None:
    with pytest.raises(InputError, match="not there any more"):
        stage.leaf({"media": "g" * 64, "page": 1})

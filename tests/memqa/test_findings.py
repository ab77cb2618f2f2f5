from __future__ import annotations

from dataclasses import replace

import pytest

from memqa.findings import appearances, duration, finding, parts_of, times
from memqa.fuse import Found, Parts
from memqa.question import understand
from memqa.store.schema import Memory
from memqa.values import Media
from models.values import PageSpan, TimeSpan

CLIP = Media("a" * 64, "/v/clip.mp4", "video", "indexed", duration_s=60)
REPORT = Media("b" * 64, "/d/report.pdf", "document", "indexed", pages=4)


def event(order: int, text: str, score: float) -> Found:
    span = TimeSpan(10.0 * order, 10.0 * order + 10)
    memory = Memory(f"aaaa.e{order}", CLIP.id, 0, "event", "seen", span, text, order)
    return Found(memory, CLIP, score, Parts())


def test_parts_of_an_event_are_told_apart() -> None:
    text = "Seen: bus, tram\nRead: GATE 5\nSaid: Mind the gap."
    assert parts_of(text) == {"seen": "bus, tram", "read": "GATE 5", "said": "Mind the gap."}


def test_events_in_a_row_are_one_appearance() -> None:
    found = [event(4, "Seen: bus", 0.9), event(5, "Seen: bus", 0.8), event(1, "Seen: bus", 0.85)]
    assert [span for span, _ in appearances(found)] == [TimeSpan(10, 20), TimeSpan(40, 60)]


def test_a_faint_showing_is_no_appearance() -> None:
    found = [event(4, "Seen: bus", 0.9), event(1, "Seen: tram", 0.2)]
    assert [span for span, _ in appearances(found)] == [TimeSpan(40, 50)]


def test_when_names_the_times_best_first() -> None:
    told = finding(understand("When does the photo of a bus appear?"), [event(2, "Seen: bus", 0.9)])
    assert told.text == "Bus: 0:20–0:30."
    assert told.evidence[0].locator == TimeSpan(20, 30)


def test_a_scene_is_told_once_and_beside_it_what_looks_else() -> None:
    asked = understand("When is this scene shown: two people wrestle on a table in a school hall?")
    looks = ("bars", "bars or swing", "desk", "bars, rope", "crane", "bus")
    found = [event(2 * at, f"Seen: {look}", 0.9 - at / 100) for at, look in enumerate(looks)]
    told = finding(asked, found)
    assert told.text.endswith(": 0:00–0:10.")
    starts = [one.locator.start_s for one in told.evidence if isinstance(one.locator, TimeSpan)]
    assert starts == [0, 40, 60, 80, 100]


def test_count_counts_appearances() -> None:
    found = [event(4, "Seen: bus", 0.9), event(1, "Seen: bus", 0.85)]
    told = finding(understand("How many times does the bus appear?"), found)
    assert told.text.startswith("2 times: ")


def test_order_puts_the_earlier_thing_first() -> None:
    question = understand("Which appears first: the photo of a tram or the photo of a bus?")
    told = finding(question, [event(4, "Seen: tram", 0.9), event(1, "Seen: bus", 0.9)])
    assert told.text.startswith("Bus")


def test_order_of_several_names_them_in_time() -> None:
    question = understand("In which order do the bus, the cat and the drum appear?")
    found = [event(4, "Seen: bus", 0.9), event(1, "Seen: cat", 0.9), event(2, "Seen: drum", 0.9)]
    told = finding(question, found)
    assert told.text == "Cat (0:10–0:20), drum (0:20–0:30) and bus (0:40–0:50)."


def test_the_first_or_last_showing_is_picked() -> None:
    found = [event(4, "Seen: bus", 0.9), event(1, "Seen: bus", 0.85)]
    first = finding(understand("When does the bus first appear?"), found)
    assert first.text == "Bus, for the first time: 0:10–0:20."
    last = finding(understand("When is the bus last shown?"), found)
    assert last.evidence[0].locator == TimeSpan(40, 50)


def test_lengths_and_gaps_are_computed() -> None:
    found = [event(4, "Seen: bus", 0.9), event(1, "Seen: bus", 0.85)]
    told = finding(understand("How long is the bus shown?"), found)
    assert told.text == "Bus: 20 seconds, at 0:10–0:20 and 0:40–0:50."
    told = finding(understand("How long after the cat does the bus appear?"), found[::-1])
    assert told.text == "20 seconds: cat ends at 0:20, bus begins at 0:40."


def test_a_pause_is_no_part_of_what_is_around_it() -> None:
    late = TimeSpan(50, 55)
    said = [event(0, "Said: Hello bus.", 0.9), event(1, "Said: Goodbye bus.", 0.9)]
    said[1] = replace(said[1], memory=replace(said[1].memory, locator=late))
    assert finding(understand("How long is the bus heard?"), said).text.startswith("Bus heard: 15 ")
    asked = understand("What is happening at 0:20?")
    assert finding(asked, said[1:]).text == "At 0:50: “Goodbye bus”."


def test_what_is_said_next_to_a_thing_is_quoted() -> None:
    asked = understand("What is said after the bus?")
    said = [event(2, "Seen: cat\nSaid: Mind the gap.", 0.9), event(1, "Seen: bus", 0.9)]
    assert finding(asked, said).text == "“Mind the gap.”, at 0:20–0:30."
    assert finding(asked, said[1:]).text == "Nothing is said, at 0:10–0:20."


def test_one_place_has_no_order_and_no_gap() -> None:
    found = [event(1, "Seen: bus", 0.9)] * 2
    assert not finding(understand("Which comes first, the bus or the bus?"), found).text
    assert not finding(understand("How long between the bus and the bus?"), found).text


def test_the_length_of_a_stretch_is_told_without_a_thing() -> None:
    asked = understand("How much time is between 0:10 and 0:30?")
    found = [event(1, "Seen: bus", 1.0), event(2, "Seen: cat", 1.0)]
    assert finding(asked, found).text == "20 seconds, at 0:10–0:30."


def test_a_stretch_is_told_event_by_event() -> None:
    found = [event(at, f"Seen: thing {at}\nSaid: Word {at}.", 1.0) for at in range(7)]
    told = finding(understand("What is shown between 0:00 and 1:10?"), found)
    assert told.text.startswith("Thing 0 (0:00–0:10), thing 1")
    assert told.text.endswith("And 2 more.")
    said = finding(understand("What is said in the first 2 minutes?"), found[:1])
    assert said.text == "“Word 0.” (0:00–0:10)."


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.3, "less than a second"), (1, "1 second"), (125, "2 minutes 5 seconds"),
     (3600, "1 hour"), (7384, "2 hours 3 minutes")],
)  # fmt: skip
def test_lengths_read_as_a_person_would_write_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_said_is_quoted_by_the_sentences_that_matter() -> None:
    text = "Seen: bus\nSaid: Welcome all. The bus cost 300 euros. Thank you."
    told = finding(understand("What does the speaker say the bus cost?"), [event(0, text, 0.9)])
    assert "The bus cost 300 euros." in told.text


def test_read_is_quoted() -> None:
    told = finding(
        understand("What does the sign say?"), [event(0, "Seen: bus\nRead: GATE 5", 0.9)]
    )
    assert "“GATE 5”" in told.text


def test_what_a_sign_says_is_taken_from_the_best_moment_with_text() -> None:
    found = [event(0, "Seen: mask", 0.9), event(3, "Seen: hat\nRead: GATE 5", 0.7)]
    told = finding(understand("What does the sign over the photo of a mask say?"), found)
    assert "“GATE 5”" in told.text
    assert told.evidence[0].locator == TimeSpan(30, 40)
    assert finding(understand("What does the sign say?"), found[:1]).text == ""


def test_a_video_is_summed_up_by_sense() -> None:
    text = "Seen: bus, tram Read: GATE 5 Seen: cat Said: Mind the gap."
    told = finding(understand("What is this video about?"), [event(0, text, 1.0)])
    assert told.text == "Seen: bus, tram, cat. Read: GATE 5. Said: Mind the gap."


def test_a_page_is_quoted() -> None:
    span = PageSpan(3, 3, 100, 200)
    memory = Memory("bbbb.p7", REPORT.id, 0, "passage", "text", span, "Costs fell by 4%.", 7)
    told = finding(understand("How much did costs fall?"), [Found(memory, REPORT, 0.8, Parts())])
    assert told.text == "“Costs fell by 4%.”"


def test_a_number_is_looked_for_where_one_is_asked_for() -> None:
    text = "Claims are simple. We kept 2,962 claims. Nothing else."
    span = PageSpan(3, 3, 0, 60)
    memory = Memory("bbbb.p7", REPORT.id, 0, "passage", "text", span, text, 7)
    told = finding(understand("How many claims?"), [Found(memory, REPORT, 0.8, Parts())])
    assert [note.text for note in told.notes] == ["We kept 2,962 claims."]


def test_nothing_found_is_nothing_said() -> None:
    assert finding(understand("When does the bus appear?"), []).text == ""


def test_times_read_as_a_person_would_write_them() -> None:
    spans = [TimeSpan(1, 1.4), TimeSpan(61, 65), TimeSpan(3700, 3702)]
    assert times(spans) == "0:01, 1:01–1:05 and 1:01:40–1:01:42"

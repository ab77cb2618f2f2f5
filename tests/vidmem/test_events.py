import json

import numpy as np
import pytest

from models.values import Box, TextLine, Utterance
from tests.fakes import FakeImageEncoder
from vidmem.events import EventParams, Events, paragraphs
from vidmem.values import Observation

RED, BLUE = np.eye(8, dtype=np.float32)[2], np.eye(8, dtype=np.float32)[4]


def seen(pts_s, *, cut=False, feature=RED, lines=()):
    return Observation(round(pts_s * 10), pts_s, feature[None], (), tuple(lines), cut)


def line(text, x0=0.1, y0=0.1, x1=0.5, y1=0.2):
    return TextLine(text, Box(1, x0, y0, x1, y1), 0.9)


def events(**params):
    return Events(EventParams(**params), FakeImageEncoder())


def spans(found):
    return [(event.span.start_s, event.span.end_s) for event in found]


def fed(collected, times, cuts=(), changes=None):
    for t in times:
        collected.see(seen(float(t), cut=t in cuts), (changes or {}).get(t, 0.0), None)
    return collected


def test_what_is_read_behind_a_segment_s_border_is_known_unfinished():
    collected = fed(events(), (0.0, 14.0))
    collected.see(seen(15.2, lines=[line("GATE 5")]), 0.0, None)
    (going_on,) = collected.unfinished(15.0)
    assert (going_on.span.end_s, going_on.read[0].span.start_s) == (15.2, 15.2)


def test_a_long_event_of_one_frame_stood_still_and_of_a_short_one_no_one_knows():
    collected = fed(events(), (0.0, 5.0, 6.0), cuts=(0.0, 5.0, 6.0))
    collected.finish(12.0)
    assert [one.moves for one in collected.give(99.0, last=True)] == [0.0, None, 0.0]


def test_events_end_at_cuts_and_at_the_end():
    collected = fed(events(), range(10), cuts=(0, 4))
    collected.finish(10.0)
    assert spans(collected.give(99.0, last=True)) == [(0.0, 4.0), (4.0, 10.0)]


def test_a_long_shot_is_parted_at_the_longest_length():
    collected = fed(events(max_s=5.0), range(12), cuts=(0,))
    collected.finish(12.0)
    found = collected.give(99.0, last=True)
    assert spans(found) == [(0.0, 5.0), (5.0, 10.0), (10.0, 12.0)]
    assert [event.index for event in found] == [0, 1, 2]


def test_a_fade_is_a_border_and_a_pan_is_none():
    pan = dict.fromkeys(range(1, 12), 9.0)
    collected = fed(events(), range(12), cuts=(0,), changes=pan | {3: 38.0, 7: 60.0})
    collected.finish(12.0)
    assert spans(collected.give(99.0, last=True)) == [(0.0, 7.0), (7.0, 12.0)]


def test_where_all_stood_still_a_small_stir_is_a_border():
    still = dict.fromkeys(range(1, 20), 1.0)
    collected = fed(events(), range(20), cuts=(0,), changes=still | {9: 15.0, 10: 12.0})
    collected.finish(20.0)
    assert spans(collected.give(99.0, last=True)) == [(0.0, 9.0), (9.0, 20.0)]


def test_cuts_in_quick_succession_are_one():
    collected = events()
    for t in (0.0, 2.0, 2.1, 2.2, 4.0):
        collected.see(seen(t, cut=True), 0.0, None)
    collected.finish(5.0)
    assert spans(collected.give(99.0, last=True)) == [(0.0, 2.0), (2.0, 4.0), (4.0, 5.0)]


def test_an_event_waits_until_speech_is_known():
    collected = fed(events(), range(10), cuts=(0, 4, 8))
    assert collected.give(3.9, last=False) == []
    collected.hear([Utterance(3.5, 6.0, "later"), Utterance(1.0, 2.0, "sooner")])
    (first,) = collected.give(7.0, last=False)
    assert [u.text for u in first.said] == ["sooner"]
    (second,) = collected.give(8.0, last=False)
    assert [u.text for u in second.said] == ["later"]


def test_labels_name_the_mean_of_all_frames():
    collected = events()
    for t, feature in enumerate([RED, RED, BLUE]):
        collected.see(seen(float(t), feature=feature), 0.0, None)
    collected.finish(3.0)
    (event,) = collected.give(9.0, last=True)
    assert [label.name for label in event.labels[:2]] == ["red", "blue"]
    assert event.labels[0].probability == pytest.approx(2 / 3)


def test_the_thumbnail_is_of_the_second_frame():
    collected = events()
    for t in range(3):
        wanted = collected.wants_picture(float(t), t == 0, 0.0)
        collected.see(seen(float(t), cut=t == 0), 0.0, b"%d" % t if wanted else None)
    collected.finish(3.0)
    (event,) = collected.give(9.0, last=True)
    assert (event.thumbnail, event.key_s) == (b"1", 1.0)


def test_text_counts_once_in_an_event():
    collected = events()
    for t, text in enumerate(["GATE 5", "GATE5", "EXIT 9"]):
        collected.see(seen(float(t), lines=[line(text)]), 0.0, None)
    collected.finish(3.0)
    (event,) = collected.give(9.0, last=True)
    assert [(read.text, read.span.start_s) for read in event.read] == [("GATE 5", 0), ("EXIT 9", 2)]


def test_lines_side_by_side_and_under_each_other_are_one_text():
    found = [
        line("47", x0=0.52, x1=0.6),
        line("EXIT"),
        line("far away", y0=0.8, y1=0.9),
        line("second line", y0=0.21, y1=0.31),
    ]
    assert paragraphs(found) == ["EXIT 47 second line", "far away"]


def test_speech_after_the_pictures_and_before_them_is_kept():
    collected = events()
    collected.see(seen(1.0), 0.0, None)
    collected.finish(2.0)
    said = [Utterance(0.1, 0.9, "before"), Utterance(5.0, 6.0, "after"), Utterance(9.0, 9.5, "end")]
    collected.hear(said)
    found = collected.give(99.0, last=True)
    assert spans(found) == [(1.0, 2.0), (5.0, 6.0), (9.0, 9.5)]
    assert [event.said[0].text for event in found] == ["before", "after", "end"]


def test_a_recording_gives_events_from_speech_as_it_goes():
    collected = Events(EventParams(pause_s=2.0), FakeImageEncoder(), blind=True)
    collected.hear([Utterance(0.0, 1.0, "a"), Utterance(1.5, 2.0, "b"), Utterance(6.0, 7.0, "c")])
    assert spans(collected.give(10.0, last=False)) == [(0.0, 2.0)]
    collected.hear([Utterance(8.0, 9.0, "d")])
    assert spans(collected.give(20.0, last=True)) == [(6.0, 9.0)]


def test_state_is_taken_along():
    whole, first = events(), events()
    for collected in (whole, first):
        fed(collected, range(5), cuts=(0, 3))
        collected.hear([Utterance(3.2, 4.0, "said")])
    second = events()
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    for collected in (whole, second):
        fed(collected, range(5, 9))
        collected.finish(9.0)
    assert second.give(99.0, last=True) == whole.give(99.0, last=True)

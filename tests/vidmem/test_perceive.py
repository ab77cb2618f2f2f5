import numpy as np

from tests.fakes import FakeImageEncoder, FakeTextReader, picture_of
from tests.media import picture
from vidmem.perceive import Perceiver, Shown, text_blocks


def shown(pts_s, text="", *, is_cut=False, motion=0.0, shot=0):
    size = (640, 360)
    return Shown(0, pts_s, picture(0, shot, size=size, text=text), is_cut, motion, 0.0)


def reads(frames, perceiver=None):
    perceiver = perceiver or Perceiver(FakeImageEncoder(), FakeTextReader())
    before = perceiver.reader.calls
    perceiver.observe(frames)
    return perceiver.reader.calls - before


LONG = "THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG"


def test_text_stands_out_from_what_is_smooth():
    assert text_blocks(shown(0.0, LONG).picture).sum() >= 3
    assert text_blocks(picture_of("blue", height=360, width=640)).sum() == 0


def test_tiny_pictures_hold_no_text():
    assert not text_blocks(np.zeros((8, 8, 3), np.uint8)).any()


def test_text_is_read_once_while_it_stays():
    assert reads([shown(float(t), LONG, is_cut=t == 0) for t in range(12)]) == 1


def test_text_is_read_after_the_blur_of_a_cut():
    frames = [shown(0.0, LONG, is_cut=True, motion=30.0), shown(1.0, LONG)]
    perceiver = Perceiver(FakeImageEncoder(), FakeTextReader())
    assert reads(frames[:1], perceiver) == 0
    assert reads(frames[1:], perceiver) == 1


def test_text_is_read_again_in_the_next_shot():
    frames = [shown(0.0, LONG, is_cut=True), shown(1.0, LONG), shown(2.0, LONG, is_cut=True)]
    assert reads(frames) == 2


def test_without_a_reader_nothing_is_read():
    (seen,) = Perceiver(FakeImageEncoder(), None).observe([shown(0.0, LONG)])
    assert seen.lines == ()
    assert seen.feature.shape == (8,)
    assert len(seen.labels) == 5


def test_no_frames_are_no_observations():
    assert Perceiver(FakeImageEncoder(), None).observe([]) == []


def test_state_is_taken_along():
    first = Perceiver(FakeImageEncoder(), FakeTextReader())
    assert reads([shown(0.0, LONG, is_cut=True)], first) == 1
    second = Perceiver(FakeImageEncoder(), FakeTextReader())
    second.load_state_dict(first.state_dict())
    assert reads([shown(3.0, LONG)], second) == 0

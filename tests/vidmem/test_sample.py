import pytest

from tests.media import picture
from vidmem.frame import Decoded, tiny
from vidmem.sample import SampleParams, Sampler


def frame(pts_s, shot=0, pan=0):
    shown = picture(0, shot, pan_px=pan)
    return Decoded(pts_s, tiny(shown), lambda: shown)


def kept(frames, sampler=None):
    sampler = sampler or Sampler()
    out = [item for one in frames for item in sampler.push(one)]
    return out + list(sampler.finish())


def times(items):
    return [round(item.frame.pts_s, 3) for item in items]


def test_one_frame_a_second_and_one_at_each_cut():
    frames = [frame(n / 10, shot=n >= 24, pan=n) for n in range(50)]
    found = kept(frames)
    assert times(found) == [0.0, 1.0, 2.0, 2.4, 3.4, 4.4]
    assert [item.is_cut for item in found] == [True, False, False, True, False, False]


def test_a_still_picture_is_kept_rarely():
    assert times(kept([frame(n / 10) for n in range(120)])) == [0.0, 5.0, 10.0]


def test_a_flash_is_no_cut():
    frames = [frame(n / 10, shot=7 if n == 15 else 0, pan=n) for n in range(30)]
    assert [item.is_cut for item in kept(frames)] == [True, False, False]


def test_a_pan_is_no_cut():
    assert sum(item.is_cut for item in kept([frame(n / 10, pan=2 * n) for n in range(90)])) == 1


def test_a_single_frame_is_kept():
    assert times(kept([frame(0.4)])) == [0.4]


@pytest.mark.parametrize("half", [1, 13, 24, 25, 40])
def test_resumed_sampling_keeps_the_same_frames(half):
    frames = [frame(n / 10, shot=n >= 24, pan=n) for n in range(50)]
    whole = kept(frames)
    first = Sampler()
    before = [item for one in frames[:half] for item in first.push(one)]
    state, again_s = first.state_dict(), first.waiting_s
    second = Sampler()
    second.load_state_dict(state)
    after = kept([one for one in frames if one.pts_s >= again_s], second)
    assert times(before + after) == times(whole)
    assert [item.index for item in before + after] == [item.index for item in whole]
    assert [item.change for item in before + after] == [item.change for item in whole]


def test_impossible_parameters_are_refused():
    with pytest.raises(ValueError, match="sampling"):
        SampleParams(every_s=0)

"""What a video's time line holds more finely than the rest."""

from __future__ import annotations

import numpy as np

from memqa.held import sticky_of
from vidmem.memory.infinite import InfiniteParams, InfiniteVideo


def line(scenes: np.ndarray) -> InfiniteVideo:
    """Watch scenes of 20 s each, a frame a second."""
    memory = InfiniteVideo(InfiniteParams(bins=128, tau=1 - np.e / 128))
    for at in range(20 * len(scenes)):
        frame = scenes[at // 20] + 0.02 * np.random.default_rng(at).random(scenes.shape[1])
        memory.observe(frame[None] / np.linalg.norm(frame), float(at))
    return memory


def scenes(many: int) -> np.ndarray:
    return np.abs(np.random.default_rng(0).normal(size=(many, 200))) ** 6


def test_a_scene_that_keeps_coming_back_is_held_more_finely_where_it_was_first_seen() -> None:
    shown = scenes(60)
    shown[9::6] = shown[5]  # first at 100 s
    found = sticky_of(line(shown))
    assert any(span.start_s >= 100 and span.end_s <= 121 for span in found)
    assert sum(span.duration_s for span in found) < 300


def test_a_video_in_its_first_chunk_holds_everything_alike() -> None:
    assert sticky_of(line(scenes(2))) == ()
    assert sticky_of(InfiniteVideo()) == ()

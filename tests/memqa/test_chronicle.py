"""Which places a question about time is about, with a finder that finds what the test wants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from memqa.chronicle import locate
from memqa.fuse import Found, Parts
from memqa.question import Question, understand
from memqa.store.schema import Memory
from memqa.values import Media
from models.values import TimeSpan

FILMS = [Media(name * 64, f"/{name}.mp4", "video", "indexed", duration_s=60) for name in "ab"]


class Finds:
    """Finds for each focus the given (media, start, score)."""

    def __init__(self, found: dict[str, list[tuple[Media, float, float]]]) -> None:
        self._found = found

    def events(self, media_id: str) -> list[Memory]:
        return [
            Memory(f"{media_id}.e{at}", media_id, 0, "event", "seen",
                   TimeSpan(10.0 * at, 10.0 * at + 10), f"Seen: thing {at}", at)
            for at in range(6)
        ]  # fmt: skip

    def find_focus(self, _: Question, focus: str, media: Sequence[Media]) -> list[Found]:
        return [
            Found(
                Memory(f"{of.id}.e{start_s:g}", of.id, 0, "event", "seen",
                       TimeSpan(start_s, start_s + 5), "", int(start_s)),
                of, score, Parts(),
            )
            for of, start_s, score in self._found[focus]
            if of in media
        ]  # fmt: skip


def test_an_order_is_one_of_a_single_video() -> None:
    one, two = FILMS
    finder = Finds({"cat": [(one, 50, 0.9), (two, 10, 0.8)], "dog": [(two, 20, 0.7)]})
    asked = Question("which is first, cat or dog?", "cat", wants="order", others=("dog",))
    both = locate(asked, finder, FILMS)  # type: ignore[arg-type]
    assert [(item.media.id, item.memory.order) for item in both] == [(two.id, 10), (two.id, 20)]
    assert locate(asked, finder, [one]) == []  # type: ignore[arg-type]


def orders(asked: str, finder: Finds, films: Sequence[Media] = FILMS[:1]) -> list[int]:
    found = locate(understand(asked), finder, films)  # type: ignore[arg-type]
    return [item.memory.order for item in found]


def test_only_the_stretch_asked_about_counts() -> None:
    one = FILMS[0]
    finder = Finds({"cat": [(one, 50, 0.9), (one, 20, 0.8), (one, 5, 0.7)]})
    assert orders("How many times does the cat appear in the last 30 seconds?", finder) == [50]
    assert orders("When does the cat appear before 0:30?", finder) == [20, 5]
    assert orders("How many times does the cat appear?", finder) == [50, 20, 5]


def test_a_stretch_without_a_thing_gives_its_events() -> None:
    assert orders("What is shown in the first 20 seconds?", Finds({})) == [0, 1]
    assert orders("What is shown between 0:30 and 0:50?", Finds({})) == [3, 4]


def test_what_lies_between_two_things_are_the_events_there() -> None:
    one = FILMS[0]
    finder = Finds({"cat": [(one, 4, 0.9)], "dog": [(one, 1, 0.5)]})
    found = locate(understand("What is shown between the cat and the dog?"), finder, [one])  # type: ignore[arg-type]
    assert [(item.memory.order, item.score) for item in found] == [(2, 0.5), (3, 0.5)]


def test_what_lies_outside_of_the_stretch_is_not_part_of_how_long() -> None:
    asked = understand("How long is the cat shown in the first 22 seconds?")
    finder = Finds({"cat": [(FILMS[0], 20, 0.9), (FILMS[0], 18, 0.8), (FILMS[0], 40, 0.7)]})
    found = locate(asked, finder, FILMS[:1])  # type: ignore[arg-type]
    assert [one.memory.locator for one in found] == [TimeSpan(20, 22), TimeSpan(18, 22)]


def test_nothing_comes_after_the_last_thing_or_before_the_first() -> None:
    finder = Finds({"cat": [(FILMS[0], 5, 0.9)], "dog": [(FILMS[0], 0, 0.9)]})
    assert orders("What comes after the cat?", finder) == []
    assert orders("What is shown before the dog?", finder) == []
    assert orders("What comes after the dog?", finder) == [1, 0]
    assert orders("What happens after that?", finder) == []


def test_now_is_the_last_event_of_what_is_being_watched() -> None:
    one, two = FILMS
    watched = replace(two, status="indexing", duration_s=None, remembered_s=60)
    finder = Finds({})
    found = locate(understand("What is happening now?"), finder, [one, watched])  # type: ignore[arg-type]
    assert [(item.media.id, item.memory.order) for item in found] == [(two.id, 5)]
    assert orders("What is shown first?", finder) == [0]
    stopped = replace(two, status="indexing")
    found = locate(understand("What is happening now?"), finder, [one, stopped])  # type: ignore[arg-type]
    assert len(found) == 2
    asked = understand("What was shown in the last minute?")
    found = locate(asked, finder, [one, watched])  # type: ignore[arg-type]
    assert {item.media.id for item in found} == {two.id}


def test_when_a_thing_is_not_shown_is_not_answered_by_when_it_is() -> None:
    finder = Finds({"cat": [(FILMS[0], 5, 0.9)]})
    assert orders("When is the cat not shown?", finder) == []
    assert orders("When isn't the cat shown?", finder) == []


def test_what_is_shown_in_a_stretch_is_all_that_reaches_into_it() -> None:
    assert orders("What is shown between 0:25 and 0:41?", Finds({})) == [2, 3, 4]


def test_a_moment_after_the_end_is_none() -> None:
    assert orders("What is shown at 99:59:59?", Finds({})) == []
    assert orders("What is shown at 0:59?", Finds({})) == [5]


def test_whether_a_thing_is_there_is_as_sure_as_the_event_shows_it() -> None:
    finder = Finds({"zebra": [(FILMS[0], 30, 0.9)]})
    (found,) = locate(understand("Was a zebra shown at 0:05?"), finder, FILMS[:1])  # type: ignore[arg-type]
    assert (found.memory.order, found.parts.seen) == (0, 0.0)

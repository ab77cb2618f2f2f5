"""Which places a question about time is about, with a finder that finds what the test wants."""

from __future__ import annotations

from collections.abc import Sequence

from memqa.chronicle import locate
from memqa.fuse import Found, Parts
from memqa.question import Question
from memqa.store.schema import Memory
from memqa.values import Media
from models.values import TimeSpan

FILMS = [Media(name * 64, f"/{name}.mp4", "video", "indexed") for name in "ab"]


class Finds:
    """Finds for each focus the given (media, start, score)."""

    def __init__(self, found: dict[str, list[tuple[Media, float, float]]]) -> None:
        self._found = found

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
    asked = Question("which is first, cat or dog?", "cat", wants="order", other="dog")
    both = locate(asked, finder, FILMS)  # type: ignore[arg-type]
    assert [(item.media.id, item.memory.order) for item in both] == [(two.id, 10), (two.id, 20)]
    assert locate(asked, finder, [one]) == []  # type: ignore[arg-type]

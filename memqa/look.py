"""Answering from the frames themselves, where a model sees and only a picture can tell.

Memory chooses the moments, the model looks at their frames. What it says of them is borne out by no
text, so the state hangs on two things: "grounded" where retrieval is sure of the moment and the
model did not say that nothing is visible, "unanswered" where it did, else "ungrounded".
"""

from __future__ import annotations

import math
import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from docmem.sentences import sentence_spans
from memqa.cite import rambles
from memqa.course import Course
from memqa.cues import asks_to_look
from memqa.findings import ALSO_SHOWN, MOST_EVIDENCE, ended, parts_of
from memqa.frames import show
from memqa.fuse import Found
from memqa.prompts import look_messages
from memqa.question import Question
from memqa.trust import state_of
from memqa.values import Answer, Citation, Step, Token
from models.errors import ChatModelUnavailable, SetupError
from models.ports import LanguageModel
from models.quoting import as_data
from models.values import Picture, TimeSpan, clock

if TYPE_CHECKING:
    from memqa.opened import Opened

MOST_FRAMES = 4
NOTHING = "The frames that were looked at do not show it."
FRAME_PX = 640  # four of them cost what three of a caption's size do
_FRAME_TOKENS = 600  # that one takes at most: 28 px or more a side and token
_MOST_TOKENS = 96
_MARGIN_TOKENS = 64  # what a chat template adds
_BEFORE_END_S = 0.5  # the last frame of what goes on may not be there yet
_LASTS_S = 2.0  # a shorter event looks the same throughout
_WANTS = ("what", "now", "after", "before")
_NOTHING = re.compile(
    r"^\W*(?:(?:this|that|it|the answer)\s+(?:is|are)\s+)?not\s+(?:visible|shown|clear)\b"
    r"|^\W*(?:I\s+)?(?:can\s?not|can['’]t|am unable to|am not able to)\b"
    r"|^[^.;,]*\b(?:cannot|can['’]t|can not) be (?:seen|determined|told)\b[^.;,]*\W*$"
    r"|\bdo(?:es)?(?: not|n['’]t) (?:show|tell) (?:the answer|this|that|it)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class _Frame:
    """A frame that is looked at: the place that it belongs to, its time, its picture."""

    item: Found
    at_s: float
    picture: Picture


def look(
    library: Opened,
    course: Course,
    asked: Question,
    found: Sequence[Found],
) -> Generator[Step | Token, None, Answer | None]:
    """Answer from the frames of the best moments found; None where that is not to be done.

    Where the model fails, a step says so, and the finding is to be told instead.
    """
    if course.tier == "D" or not _is_visual(asked, found):
        return None
    answering = model = None
    try:
        answering = library.engines.language_model()
        model = answering if answering.sees else library.engines.captioner()
        if not model.sees:
            return None
        frames, note = _frames(library, asked, found, _room(model, asked))
        if not frames:
            yield course.step("no frames to look at", note)
            return None
        times = ", ".join(clock(frame.at_s) for frame in frames)
        many = f"{len(frames)} frame{'s' if len(frames) != 1 else ''}"
        detail = f"looked at {many}: {times}, with {model.name}"
        yield course.step("looked", f"{detail}; {note}" if note else detail)
        written = yield from _written(course, model, asked, frames)
    except (ChatModelUnavailable, SetupError) as exc:
        if isinstance(exc, ChatModelUnavailable) and model is answering:
            course.tier = "D"  # the model that answers is not asked a second time
        yield course.lapse(
            "no look at the frames", f"{ended(str(exc))} The finding is quoted as it stands."
        )
        return None
    if not written or rambles(written):
        yield course.lapse("no look at the frames", "The model said nothing. The finding is told.")
        return None
    if asked.sense == "any" and _NOTHING.search(written) and _is_told(found[0]):
        yield course.step("nothing to see", f"{NOTHING} What is told there may answer.")
        return None
    course.models["language"] = model.name
    # A small picture that was kept of an event need not show the very moment asked about.
    is_sure = state_of(replace(asked, sense="seen"), found) == "grounded"
    is_sure = is_sure and not (note and asked.at_s is not None)
    return _answer(written, frames, found, is_sure=is_sure)


def _is_visual(asked: Question, found: Sequence[Found]) -> bool:
    """Tell whether the best place is a moment of a video and what is asked of it is to be seen."""
    if not found or found[0].media.kind != "video" or found[0].memory.level != "event":
        return False
    if asked.wants not in _WANTS or asked.sense == "said":
        return False
    if asks_to_look(asked.text):
        return True
    if asked.sense == "read":
        return False
    return asked.sense == "seen" or asked.wants == "now" or not _is_told(found[0])


def _is_told(item: Found) -> bool:
    """Say whether anything is said or read at a moment."""
    return bool({"said", "read"} & parts_of(item.memory.text).keys())


def _room(model: LanguageModel, asked: Question) -> int:
    """Say how many frames the model's context holds, at least one."""
    words = sum(model.count_tokens(one.content) for one in look_messages(asked.text, []))
    left = model.context_tokens - words - _MOST_TOKENS - _MARGIN_TOKENS
    return max(1, min(MOST_FRAMES, left // _FRAME_TOKENS))


def _frames(
    library: Opened, asked: Question, found: Sequence[Found], most: int
) -> tuple[list[_Frame], str]:
    """Get the frames of the best moments, in the order of their rank; and what they lack."""
    frames: list[_Frame] = []
    notes: dict[str, None] = {}
    for item, times in _moments(asked, found, most):
        row = library.store.read.media_row(item.media.id)
        if row is None:
            continue  # it was forgotten meanwhile
        shown = show(
            library.store.read, row, [(item.memory, at_s) for at_s in times], side_px=FRAME_PX
        )
        frames += [_Frame(item, at_s, picture) for _, at_s, picture in shown.pictures]
        notes |= dict.fromkeys([shown.note] if shown.note else [])
    return frames, "; ".join(notes) or ("" if frames else "no picture of these moments was kept")


def _moments(
    asked: Question, found: Sequence[Found], most: int
) -> list[tuple[Found, tuple[float, ...]]]:
    """Choose the times to look at: the one asked about, else those of the moments found.

    A moment that stands alone is looked at throughout, one of several in its middle.
    """
    best = found[0]
    if asked.wants in ("after", "before"):
        return [(best, _through(best, most))]
    shown = [one for one in found if one.media.kind == "video" and one.memory.level == "event"]
    if asked.wants == "now":
        return [(item, (_now(asked, item),)) for item in shown[:most]]
    good = [item for item in shown[:most] if item.score >= ALSO_SHOWN * best.score]
    share = max(1, most // len(good))
    return [(item, _through(item, share)) for item in good]


def _now(asked: Question, item: Found) -> float:
    """Give the time asked about, held within the event found there."""
    span = _span(item)
    last_s = max(span.start_s, span.end_s - _BEFORE_END_S)
    return min(max(span.start_s, math.inf if asked.at_s is None else asked.at_s), last_s)


def _through(item: Found, many: int) -> tuple[float, ...]:
    span = _span(item)
    many = many if span.duration_s > _LASTS_S else 1
    return tuple(span.start_s + (at + 0.5) * span.duration_s / many for at in range(many))


def _span(item: Found) -> TimeSpan:
    """Give the part of a moment that was found: of a long one, where the words are said."""
    locator = item.evidence().locator
    assert isinstance(locator, TimeSpan)
    return locator


def _written(
    course: Course, model: LanguageModel, asked: Question, frames: Sequence[_Frame]
) -> Generator[Token, None, str]:
    shown = [(f"at {clock(one.at_s)} of {one.item.media.name}", one.picture) for one in frames]
    pieces: list[str] = []
    for piece in model.stream(look_messages(asked.text, shown), max_tokens=_MOST_TOKENS):
        if not pieces:
            course.mark("first_word")
        pieces.append(piece)
        yield Token(piece)
    course.mark("written")
    return as_data("".join(pieces))


def _answer(
    written: str, frames: Sequence[_Frame], found: Sequence[Found], *, is_sure: bool
) -> Answer:
    """Give the model's words, each sentence resting on the moments that it looked at."""
    looked = {one.item.memory.id: one.item.evidence() for one in frames}
    others = [item.evidence() for item in found if item.memory.id not in looked]
    evidence = (*looked.values(), *others)[:MOST_EVIDENCE]
    if _NOTHING.search(written):
        return Answer(NOTHING, "unanswered", evidence)
    ids = tuple(looked)
    cited = tuple(Citation(start, end, ids) for start, end in sentence_spans(written))
    return Answer(written, "grounded" if is_sure else "ungrounded", evidence, cited)

"""The telling: in whose words an answer stands, the model's or the program's, and on what it rests.

The language model phrases a finding, or answers itself where it showed that it can; its words stand
only where the evidence bears them out (tier C of the document memory, document-memory design §6).
Else the finding is quoted.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from memqa.cite import (
    Source,
    citations,
    makes_citations,
    misquotes,
    names,
    numbers,
    proper_names,
    rambles,
    supports,
)
from memqa.compose import NOTHING_SUPPORTS, compose
from memqa.course import Course
from memqa.cues import asks_name, asks_number
from memqa.findings import Finding, ended
from memqa.fuse import Found
from memqa.look import look
from memqa.prompts import answer_messages
from memqa.question import Question
from memqa.values import Answer, AnswerState, Citation, Step, Token
from models.errors import ChatModelUnavailable, SetupError

if TYPE_CHECKING:
    from memqa.asking import Asking

_MOST_TOKENS = 64
_TIME_WORD = re.compile(
    r"\b(?:yesterday|today|tomorrow|tonight|ago|now|monday|tuesday|wednesday|thursday|friday|saturday|"
    r"sunday|january|february|march|april|may|june|july|august|september|october|november|december|"
    r"last|next|this|days?|weeks?|months?|years?|morning|evening|spring|summer|autumn|winter)\b",
    re.I,
)
_NUMBER_WORD = re.compile(
    r"\b(?:no|none|half|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|"
    r"(?:thir|four|fif|six|seven|eigh|nine)teen|dozens?|"
    r"(?:twen|thir|for|fif|six|seven|eigh|nine)ty(?:-\w+)?|hundreds?|thousands?|millions?)\b",
    re.I,
)
_PAGE = re.compile(r"^[Pp]p?\. [\d–]+: ", re.M)


def tell(
    library: Asking,
    course: Course,
    asked: Question,
    found: Sequence[Found],
    told: Finding,
    state: AnswerState,
    *,
    is_of_several: bool,
) -> Generator[Token | Step, None, Answer]:
    """Put an answer into words; ``state`` is that of the finding, told where no model's words do.

    What is asked of each of several media is told by the program alone.
    """
    is_refused = False
    answer = None if is_of_several else (yield from look(library, course, asked, found))
    if answer is None and not is_of_several and _may_compose(library, course, asked):
        answer = yield from _composed(library, course, asked, found)
        is_refused = answer is None and course.tier != "D"
    is_own = answer is not None and answer.state != "unanswered"
    if answer is None and state == "grounded":
        written = yield from _phrase(library, course, asked, told)
        answer = _tie(asked, told, written)
        is_own = bool(written) and answer.text == written
        is_refused = is_refused or bool(written)
    elif answer is None:
        answer = _unsure(told) if state == "ungrounded" else _silent(told)
    yield course.step("told", _whose(course, is_own=is_own, is_refused=is_refused))
    return answer


def tells_the_kind(asked: Question, text: str) -> bool:
    """Tell whether what a page says holds the kind of thing that was asked for at all."""
    said = _PAGE.sub("", text)
    is_counted = bool(numbers(said) - numbers(asked.text) or _NUMBER_WORD.search(said))
    if asks_number(asked.text) and not is_counted:
        return False
    if asked.wants == "when" and not (numbers(said) or _TIME_WORD.search(said)):
        return False
    return not asks_name(asked.text) or bool(proper_names(f"… {said}") - set(asked.words))


def _may_compose(library: Asking, course: Course, asked: Question) -> bool:
    """Tell whether the model is to answer itself: of what is told, and if it can read notes."""
    return course.tier in "AB" and asked.wants == "what" and library.may_answer()[0]


def _composed(
    library: Asking, course: Course, asked: Question, found: Sequence[Found]
) -> Generator[Token | Step, None, Answer | None]:
    """Have the language model answer from several places; None where it fails or goes astray."""
    engines = library.engines
    try:
        model = engines.language_model()
        course.models["language"] = model.name
        pieces = compose(model, engines.text_encoder(), asked, found)
        while True:
            try:
                piece = next(pieces)
            except StopIteration as end:
                answer: Answer | None = end.value
                break
            if "first_word" not in course.timings_s:
                course.mark("first_word")
            yield piece
    except (ChatModelUnavailable, SetupError) as exc:
        course.tier = "D"
        yield course.lapse(
            "no language model", f"{ended(str(exc))} The finding is quoted as it stands."
        )
        return None
    course.mark("written")
    return answer


def _whose(course: Course, *, is_own: bool, is_refused: bool) -> str:
    """Say whose words an answer is in."""
    model = course.models.get("language", "")
    model = PurePath(model).name if model.startswith("/") else model  # some servers say a path
    if is_own:
        return f"in the words of {model}"
    refused = f"; what {model} wrote is not borne out" if is_refused else ""
    return f"by the program{refused}"


def _phrase(
    library: Asking, course: Course, asked: Question, told: Finding
) -> Generator[Token | Step, None, str]:
    """Have the language model phrase a finding; without one, or if it fails, say so and go on."""
    pieces: list[str] = []
    if course.tier == "D" or not told.notes:
        return ""
    try:
        model = library.engines.language_model()
        course.models["language"] = model.name
        messages = answer_messages(asked.text, [note.text for note in told.notes])
        for piece in model.stream(messages, max_tokens=_MOST_TOKENS):
            if not pieces:
                course.mark("first_word")
            pieces.append(piece)
            yield Token(piece)
    except (ChatModelUnavailable, SetupError) as exc:
        course.tier = "D"
        yield course.lapse(
            "no language model", f"{ended(str(exc))} The finding is quoted as it stands."
        )
    course.mark("written")
    return "".join(pieces).strip().removeprefix("- ")


def _tie(asked: Question, told: Finding, written: str) -> Answer:
    """Keep the model's words where all of them are borne out, else take the finding's own."""
    # Only what the model was shown can bear its words out.
    sources = [*told.notes, *(Source(one.evidence_id, told.text) for one in told.notes[:1])]
    found = supports(written, asked.text, sources)
    sound = (
        written and "\n" not in written and not rambles(written) and not misquotes(written, sources)
    )
    sound = sound and not makes_citations(written)
    sound = sound and names(written, told.key)
    sound = sound and _of_the_kind_asked(asked, written, sources)
    if sound and all(item.borne_out for item in found):
        cited = [_whole(citation, told) for citation in citations(found)]
        return Answer(written, "grounded", told.evidence, tuple(cited))
    return replace(_unsure(told), state="grounded")


def _unsure(told: Finding) -> Answer:
    """Give a finding as it stands; what it names is cited, whether or not that answers."""
    whole = Citation(0, len(told.text), told.rests_on)
    return Answer(told.text, "ungrounded", told.evidence, told.cited or (whole,))


def _silent(told: Finding) -> Answer:
    return Answer(NOTHING_SUPPORTS, "unanswered", told.evidence)


def _of_the_kind_asked(asked: Question, written: str, sources: Sequence[Source]) -> bool:
    """Tell whether an answer holds a number where one is asked for, and a name where one is known.

    Without this a model may answer "who was the keeper" with a true sentence about something else.
    """
    if asks_number(asked.text) and not numbers(written):
        return False
    known = {name for source in sources for name in proper_names(source.text)} - set(asked.words)
    return not (asks_name(asked.text) and known) or any(name in written.lower() for name in known)


def _whole(citation: Citation, told: Finding) -> Citation:
    """Let a sentence that rests on the finding's best place rest on all that the finding names."""
    best = citation.evidence == told.rests_on[:1]
    return replace(citation, evidence=told.rests_on) if best else citation

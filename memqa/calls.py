"""What can be asked of a library from outside, and its replies, as values that JSON can carry.

Whether a library in this process replies or one behind the ``door``, the replies are the same.
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from memqa.room import why_unwritten
from memqa.values import Answer, AnswerMode, Evidence, Step, Token
from models.errors import DiskFull

if TYPE_CHECKING:
    from memqa.library import Library

_OF_THE_TABLES = "lance error: "  # how LanceDB begins what it has to say


@dataclass(frozen=True, slots=True)
class Search:
    """What ``memqa search`` asks for."""

    query: str
    media: tuple[str, ...] | None = None
    limit: int = 10


@dataclass(frozen=True, slots=True)
class Ask:
    """What ``memqa ask`` asks for."""

    question: str
    media: tuple[str, ...] | None = None
    at_s: float | None = None
    mode: AnswerMode = "auto"
    options: tuple[str, ...] | None = None
    resume: str | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Something to be said besides what was asked for, a sentence."""

    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """All that a search found, best first."""

    evidence: tuple[Evidence, ...]


Call: TypeAlias = Search | Ask
Reply: TypeAlias = Note | Found | Step | Token | Answer
CALLS: dict[str, type[Search] | type[Ask]] = {"search": Search, "ask": Ask}


def replies(library: Library, call: Call) -> Generator[Reply, None, None]:
    """Let a library do what is called for, and give what it says as it comes, rounded as in JSON.

    Raises:
        MemqaError: what the library raises.
    """
    pieces = _found(library, call) if isinstance(call, Search) else _answered(library, call)
    for piece in pieces:
        # Read back, so that what is shown does not hang on the way that it came.
        yield read(written(piece))


def _found(library: Library, call: Search) -> Iterator[Reply]:
    from memqa.stale import search_notes

    scope = library.scope(call.media)
    yield from map(Note, scope.notes)
    found = library.search(call.query, media=call.media, limit=call.limit)
    # Now that the encoders are loaded, all that is stale is known.
    wanted = scope.media_ids
    media = [one for one in library.media() if wanted is None or one.id in wanted]
    yield from map(Note, search_notes(media))
    yield Found(tuple(found))


def _answered(library: Library, call: Ask) -> Iterator[Reply]:
    yield from map(Note, library.scope(call.media).notes)
    yield from library.stream(
        call.question,
        media=call.media,
        at_s=call.at_s,
        mode=call.mode,
        options=call.options,
        resume=call.resume,
    )


def written(reply: Reply) -> dict[str, Any]:
    """Write a reply as an object with one key, its kind."""
    match reply:
        case Note(text):
            return {"note": text}
        case Token(text):
            return {"token": text}
        case Found(evidence):
            return {"found": [item.as_json() for item in evidence]}
        case Step():
            return {"step": reply.as_json()}
        case Answer():
            return {"answer": reply.as_json()}


def read(data: Mapping[str, Any]) -> Reply:
    """Read a reply from what ``written`` gave.

    Raises:
        KeyError: it is none.
    """
    if "note" in data:
        return Note(data["note"])
    if "token" in data:
        return Token(data["token"])
    if "found" in data:
        return Found(tuple(Evidence.from_json(item) for item in data["found"]))
    if "step" in data:
        return Step.from_json(data["step"])
    return Answer.from_json(data["answer"])


def as_json(call: Call) -> dict[str, Any]:
    """Write a call as an object, its name among the arguments."""
    return {"call": type(call).__name__.lower(), **asdict(call)}


def unforeseen(error: Exception) -> str:
    """Say that an error came which memqa does not know, and what to do about it."""
    if isinstance(said := why_unwritten(_place_of(error), error), DiskFull):
        return str(said)
    if str(error).startswith(_OF_THE_TABLES):
        # Behind the comma stands where in LanceDB's own code it was noticed.
        what = str(error).removeprefix(_OF_THE_TABLES).partition(", /")[0]
        return (
            f"the library cannot be read or written as it should ({what}); see `memqa doctor`, and"
            " let `memqa doctor --repair` mend what is damaged"
        )
    return (
        f"something went wrong that memqa did not foresee: {type(error).__name__}: {error}."
        " Run the same command as `memqa -v …` to see where."
    )


def _place_of(error: Exception) -> Path:
    """Tell where something could not be written: where the error says, or where files pass by."""
    name = getattr(error, "filename", None)
    return Path(name) if isinstance(name, str) else Path(tempfile.gettempdir())

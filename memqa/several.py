"""Several media as the node of a collection: their roots are its leaves, and the best are opened.

The document-memory design, §7: triage over documents works the way it does over branches. What a
media is worth is the best score below it. Knows also what a media's branches are called among
several: ``report.pdf:n2-1``, or by the beginning of its id where two have one name.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memqa.findings import joined
from memqa.fuse import Found
from memqa.places import SCORED, gist, in_words
from memqa.question import Question
from memqa.store.schema import Memory
from memqa.values import Kind, Look, Media, Option, Step
from models.errors import InputError

if TYPE_CHECKING:
    from memqa.retrieve import Finder

LIBRARY = "library"  # what the node of a collection without a name is called
MOST_LED = 2  # media that a language model looks into
_BEAM = 3
_SHOWN = 20
_SHORT_ID = 8
_NODE = re.compile(r"n\d+-\d+")
_KINDS: Mapping[Kind, str] = {"document": "document", "video": "video", "audio": "recording"}


@dataclass(frozen=True, slots=True)
class Several:
    """The media in question, those that hold something best first, and what was found in them.

    ``opened`` are walked; ``handles`` say what each is called before its branches.
    """

    media: Sequence[Media]
    worth: Mapping[str, float]
    shown: Sequence[Media]
    opened: Sequence[Media]
    roots: Mapping[str, Memory]
    found: Sequence[Found]
    handles: Mapping[str, str]
    ms: float

    @classmethod
    def of(
        cls,
        finder: Finder,
        asked: Question,
        found: Sequence[Found],
        media: Sequence[Media],
        *,
        least: int = 0,
    ) -> Several:
        """Weigh the media: by what was found, and beyond it where one fact is asked for.

        The best three are opened, ``least`` where more are told of; ties go by name. A media
        without an outline cannot be opened.
        """
        began = time.perf_counter()
        is_one_fact = asked.wants == "what" and not least
        named = {item.media.id for item in found}
        beyond = finder.find(asked, media, limit=SCORED) if is_one_fact else []
        worth: dict[str, float] = {}
        for item in found:
            worth[item.media.id] = max(float(item.score), worth.get(item.media.id, 0.0))
        for item in beyond:
            worth.setdefault(item.media.id, float(item.score))
        ranked = sorted(
            (item for item in media if item.id in worth),
            key=lambda item: (item.id not in named, -worth[item.id], item.name, item.id),
        )
        roots = finder.reader.roots([item.id for item in ranked[:_SHOWN]])
        shown = [item for item in ranked[:_SHOWN] if item.id in roots]
        return cls(
            media,
            worth,
            shown,
            shown[: max(_BEAM, least)],
            roots,
            [*beyond, *found],
            handles_of(media),
            1000 * (time.perf_counter() - began),
        )

    def told(self, name: str) -> Step:
        """Tell the look at the collection's node."""
        opened = {item.id for item in self.opened}
        options = tuple(self._option(item, item.id in opened) for item in self.shown)
        best = joined([item.name for item in self.opened])
        reason = f"The best places lie in {best}." if best else "None of them holds what fits."
        look = Look(
            node=name,
            path=(name,),
            place=_many(len(self.media), "file"),
            text=joined([_many(many, kind) for kind, many in self._kinds()]),
            options=options,
            chosen=tuple(option.id for option in options if option.chosen),
            reason=reason,
            ms=self.ms,
        )
        scores = {self.roots[item.id].id: self.worth[item.id] for item in self.shown}
        return Step(f"walk {name}", f"{reason} {look.text}", scores, look=look)

    def _option(self, media: Media, is_opened: bool) -> Option:
        root, handle = self.roots[media.id], self.handles[media.id]
        told = gist(root.text) if handle == media.name else f"{media.name}: {gist(root.text)}"
        node = f"{handle}:{root.id.partition('.')[2]}"
        place = in_words(root.locator)
        return Option(node, place, told, self.worth[media.id], is_opened, media.id)

    def _kinds(self) -> list[tuple[str, int]]:
        many = Counter(item.kind for item in self.media)
        return [(word, many[kind]) for kind, word in _KINDS.items() if many[kind]]


def handles_of(media: Sequence[Media]) -> dict[str, str]:
    """Say what each of several media is called before its branches: its name, if it alone has it.

    Else by the beginning of its id.
    """
    many = Counter(item.name for item in media)
    return {item.id: item.name if many[item.name] == 1 else item.id[:_SHORT_ID] for item in media}


def picked(media: Sequence[Media], resume: str) -> tuple[Media, str, str]:
    """Give the media that a branch's name means, the node in it, and the name's part before it.

    Raises:
        InputError: of several media it is not said which, or the one named is not among them.
    """
    handle, colon, node = resume.rpartition(":")
    handles = handles_of(media) if len(media) > 1 else {media[0].id: ""}
    if not colon or not _NODE.fullmatch(node):
        if len(media) == 1:
            return media[0], resume, ""
        raise InputError(
            f"{len(media)} files are asked, and each may have a branch {resume!r}; name it as"
            f" `--walk` prints it, such as {handles[media[0].id]}:{resume}"
        )
    fitting = [
        item
        for item in media
        if handle in (item.name, item.path)
        or (len(handle) >= 4 and item.id.startswith(handle.lower()))
    ]
    if len(fitting) != 1:
        said = "none of the files asked" if not fitting else f"{len(fitting)} of the files asked"
        raise InputError(
            f"{handle!r} in {resume!r} fits {said}; name the branch as `--walk` prints it"
        )
    return fitting[0], node, handles[fitting[0].id]


def _many(number: int, word: str) -> str:
    return f"{number} {word}{'s' if number != 1 else ''}"

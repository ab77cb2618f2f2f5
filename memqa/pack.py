"""Which evidence a language model reads, and in what order: as much as its window takes.

The best places first get in; then they stand as a reader would meet them, by file and by time or
page, each under a label that the program wrote.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from docmem.extracts import excerpt
from memqa.findings import times
from memqa.fuse import Found
from memqa.values import Level, Media
from models.ports import LanguageModel
from models.quoting import as_data
from models.values import TimeSpan

MOST_TOKENS = 6000  # more evidence than this drowns the best of it and takes seconds to read
_MOST_PLACES = 12


@dataclass(frozen=True, slots=True)
class Note:
    """One place as a model reads it: ``label`` says where, ``text`` what stands there."""

    place: Found
    label: str
    text: str

    @property
    def line(self) -> str:
        """The note as it stands in the prompt."""
        return f"{self.label}: {self.text}"


def pack(
    question: str, found: Sequence[Found], model: LanguageModel, *, taken_tokens: int
) -> list[Note]:
    """Choose notes, best place first, until the window is full, and put them in reading order.

    ``taken_tokens`` of the window go to the prompt's other words and to the reply. What does not
    fit whole is cut to the sentences that answer best; a place that no longer fits even so ends it.
    """
    room = min(MOST_TOKENS, model.context_tokens - taken_tokens)
    names = _names([item.media for item in found])
    notes: list[Note] = []
    for item in found[:_MOST_PLACES]:
        label = _label(item, name=names[item.media.id] if len(names) > 1 else "")
        note = Note(item, label, _on_one_line(item.memory.text, item.memory.level))
        needed = model.count_tokens(note.line)
        if needed > room:
            start, end = excerpt(question, item.memory.text)
            note = Note(item, label, _on_one_line(item.memory.text[start:end], item.memory.level))
            needed = model.count_tokens(note.line)
            if needed > room:
                break
        room -= needed
        notes.append(note)
    return sorted(notes, key=lambda note: (names[note.place.media.id], note.place.memory.order))


def _on_one_line(text: str, level: Level) -> str:
    """Put a text on one line; what was seen, read and said in an event stay sentences apart."""
    if level != "event":
        return as_data(text)
    lines = filter(None, map(as_data, text.splitlines()))
    return " ".join(line if line.endswith((".", "!", "?")) else f"{line}." for line in lines)


def _names(media: Sequence[Media]) -> dict[str, str]:
    """Name media by their files, those of one name by their folders too."""
    paths = {one.id: PurePath(one.path) for one in media}
    many = Counter(path.name for path in paths.values())
    return {
        id_: path.name if many[path.name] == 1 else f"{path.parent.name}/{path.name} ({id_[:6]})"
        for id_, path in paths.items()
    }


def _label(item: Found, *, name: str) -> str:
    locator = item.memory.locator
    where = f"at {times([locator])}" if isinstance(locator, TimeSpan) else item.evidence().label
    return f"{as_data(name)}, {where}" if name else where

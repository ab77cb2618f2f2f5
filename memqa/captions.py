"""What a model that sees says of a video's events: a caption each, from the frame in its middle.

A caption is a line of its event's text, so that it is searched and told like what was seen, read
and said. It is the model's word, checked by nothing, and stored as plain text under its name. Each
is kept by a hash of what it hangs on, so that a stopped run goes on and a second one asks nothing.
"""

from __future__ import annotations

import json
import math
import re
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING

from memqa.frames import SIDE_PX, show
from memqa.listening import Listener
from memqa.prompts import CAPTION_VERSION, caption_messages
from memqa.rewriting import Rewriting
from memqa.store.schema import CAPTIONS, MediaRow, Memory
from models.errors import IngestCancelled, InputError
from models.ports import LanguageModel, TextEncoder
from models.quoting import as_data
from models.values import Picture, TimeSpan

if TYPE_CHECKING:
    from memqa.store.store import Store

MOST_CHARS = 300
_MOST_TOKENS = 96
_DECODED_AT_ONCE = 8
_NAME = "Caption: "
_FIRST = "Seen: "
# A line of an event begins with its sense; no caption may look like one.
_SENSE = re.compile(r"\b(Seen|Caption|Read|Said):", re.I)
_MARKS = re.compile(r"[*_`#>|]{2,}|[`*]|^\W*(?=\w)")


@dataclass(frozen=True, slots=True)
class Budget:
    """How many captions a run may write and for how long; None sets no bound."""

    captions: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if (self.captions or 0) < 0 or not (self.seconds or 0.0) >= 0:
            raise InputError("a budget for captions is a number of them, or a time, from 0 on")


@dataclass(frozen=True, slots=True)
class Caption:
    """What a ``model`` said of an event; ``key`` is the hash of all that it hangs on."""

    key: str
    text: str
    model: str


@dataclass(frozen=True, slots=True)
class Captioned:
    """How many events of a video have a caption by the model in use, and how many have none."""

    captions: int
    missing: int
    notes: tuple[str, ...] = ()


def caption(
    store: Store,
    row: MediaRow,
    models: tuple[LanguageModel, TextEncoder],
    *,
    budget: Budget,
    listener: Listener,
) -> Captioned:
    """Write the captions that a video's events lack, as many as the budget allows.

    They are taken in an order that covers the whole video from the first few on. Where the file is
    gone the stored small pictures are shown to the model, and a note says so; a caption that was
    made of the file stays.

    Raises:
        ChatModelUnavailable: the model failed; what it wrote so far stays.
        IngestCancelled: the listener wished it; what was written so far stays.
    """
    model, encoder = models
    events = store.read.memories(row.media.id, levels=["event"])
    events = [event for event in events if event.has_thumbnail]
    stored = load_captions(store.read.state(row.media.id, CAPTIONS))
    known = {event.id: stored[event.id] for event in events if event.id in stored}
    writing = Rewriting(store, row, encoder, lambda: {CAPTIONS: dump_captions(known)})
    lacking = [event for event in events if not _is_true(known.get(event.id), event, model)]
    notes: dict[str, None] = {}
    try:
        wanting = {event.id for event in lacking}
        for event in events:
            if event.id not in wanting:  # a run that died may have left the row behind
                writing.take(event, _with(event, known[event.id]), is_new=False)
        for event, said in _said(store, row, model, (lacking, budget, listener), notes):
            known[event.id] = said
            writing.take(event, _with(event, said), is_new=True)
    finally:
        writing.end()
    made = sum(_is_true(known.get(event.id), event, model) for event in events)
    return Captioned(made, len(events) - made, tuple(notes))


def _said(
    store: Store,
    row: MediaRow,
    model: LanguageModel,
    asked: tuple[Sequence[Memory], Budget, Listener],
    notes: dict[str, None],
) -> Iterator[tuple[Memory, Caption]]:
    """Ask for captions until all are there or the budget is spent; frames come a few at once."""
    lacking, budget, listener = asked
    most = len(lacking) if budget.captions is None else min(budget.captions, len(lacking))
    ends = math.inf if budget.seconds is None else time.monotonic() + budget.seconds
    order, done = iter(spread_evenly(lacking)[:most]), 0
    listener.progress("Describing pictures", 0, most, "captions")
    while batch := list(islice(order, _DECODED_AT_ONCE)):
        moments = [(event, frame_s(event)) for event in batch]
        if time.monotonic() >= ends:
            return
        shown = show(store.read, row, moments)
        if shown.note:
            notes[shown.note] = None
        for event, _, picture in shown.pictures:
            if listener.stops():
                raise IngestCancelled(
                    f"stopped after {done} of {most} captions of {row.media.name}; what is written "
                    "stays, and the next run goes on there"
                )
            if time.monotonic() >= ends:
                return
            yield event, Caption(caption_key(event, model), _asked(model, picture), model.name)
            done += 1
            listener.progress("Describing pictures", done, most, "captions")


def _asked(model: LanguageModel, picture: Picture) -> str:
    return plain("".join(model.stream(caption_messages(picture), max_tokens=_MOST_TOKENS)))


def plain(said: str) -> str:
    """Make a model's words a caption: one line without markup, of at most ``MOST_CHARS``."""
    text = "".join(one if one.isprintable() else " " for one in said)
    text = _SENSE.sub(r"\1", _MARKS.sub("", as_data(text)))
    text = " ".join(text.split()).strip('"“” ')
    if len(text) <= MOST_CHARS:
        return text
    return f"{text[: MOST_CHARS - 1].rsplit(' ', 1)[0].rstrip(',;: ')}…"


def caption_key(event: Memory, model: LanguageModel) -> str:
    """Give the hash under which a caption is kept: the frame's time, the model, the prompt."""
    told = f"{frame_s(event):.3f}\0{model.signature}\0{CAPTION_VERSION}\0{SIDE_PX}"
    return sha256(told.encode()).hexdigest()


def frame_s(event: Memory) -> float:
    """Give the time of the frame that stands for an event: its middle, where no shot is blended."""
    assert isinstance(event.locator, TimeSpan)
    return event.locator.centre_s


def spread_evenly(events: Sequence[Memory]) -> list[Memory]:
    """Order events so that any first few of them lie far apart (van der Corput's sequence)."""
    bits = max(len(events) - 1, 0).bit_length()
    order = sorted(range(len(events)), key=lambda at: f"{at:0{bits or 1}b}"[::-1])
    return [events[at] for at in order]


def without_caption(text: str) -> str:
    """Give an event's text as it was watched."""
    return "\n".join(line for line in text.split("\n") if not line.startswith(_NAME))


def dump_captions(captions: Mapping[str, Caption]) -> bytes:
    """Write captions as a state."""
    return zlib.compress(json.dumps({on: asdict(one) for on, one in captions.items()}).encode())


def load_captions(blob: bytes | None) -> dict[str, Caption]:
    """Read captions by the ids of their events."""
    told = json.loads(zlib.decompress(blob)) if blob else {}
    return {on: Caption(**one) for on, one in told.items()}


def _is_true(known: Caption | None, event: Memory, model: LanguageModel) -> bool:
    return known is not None and known.key == caption_key(event, model)


def _with(event: Memory, said: Caption) -> Memory:
    """Give an event that says its caption, behind what was seen."""
    lines = without_caption(event.text).split("\n")
    if said.text:
        place = sum(line.startswith(_FIRST) for line in lines[:1])
        lines.insert(place, f"{_NAME}{said.text}")
    text = "\n".join(line for line in lines if line)
    return replace(event, text=text, method=said.model if said.text else "")

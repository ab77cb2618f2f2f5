"""What the settings page offers: the numbers and switches, the models by port, and the presets.

Pure functions of settings and of what is known of models: what each choice gives, what it costs,
and what it takes to have it. How that is written as HTML is in ``settings_html``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from memqa.model_choice import ModelRow
from memqa.settings_file import Setting, Value
from memqa.ui import words
from models.errors import InputError
from models.shelf import PRESETS
from models.specs import PORTS

_MIB, _GB = 2**20, 10**9
_FROM_NOW = "Counts for what is added from now on."
_SEES = re.compile(r"^sees\b")


@dataclass(frozen=True, slots=True)
class Field:
    """One setting that is a number, a switch or a word: what it gives, its price, when it counts.

    ``scale`` is how much of the setting is one ``unit`` of what is shown; ``options`` are the words
    that it can be, each with what that means.
    """

    name: str
    label: str
    gives: str
    counts: str = _FROM_NOW
    unit: str = ""
    scale: float = 1.0
    options: tuple[tuple[str, str], ...] = ()

    def shown(self, value: Value) -> str:
        """Write a number as the field shows it."""
        return f"{float(value) / self.scale:.6g}"

    def read(self, given: object, known: Setting) -> Value:
        """Read what a person gave, in the setting's own measure.

        Raises:
            InputError: it is out of bounds, or no such thing.
        """
        if self.options:
            if given not in {value for value, _ in self.options}:
                raise InputError(f"{given} is nothing to choose here.")
            return str(given)
        if isinstance(known.value, bool):
            return bool(given)
        return self._number(str(given), known)

    def _number(self, given: str, known: Setting) -> float | int:
        is_whole = isinstance(known.value, int)
        try:
            value = float(given.strip().replace(",", ".")) * self.scale
            if is_whole and self.scale != 1:
                value = round(value)
        except (ValueError, OverflowError):
            value = float("nan")
        low, high = known.least, known.most
        fits = (low is None or value >= low) and (high is None or value <= high)
        fits = fits and not (known.is_above and value == low)
        if not fits or value != value or (is_whole and value != int(value)):
            raise InputError(self._refusal(known))
        return int(value) if is_whole else value

    def _refusal(self, known: Setting) -> str:
        kind = "whole number" if isinstance(known.value, int) and self.scale == 1 else "number"
        unit = f" {self.unit}" if self.unit else ""
        low = self.shown(known.least or 0)
        least = f"above {low}" if known.is_above else f"from {low}"
        if known.most is None:
            return f"Write a {kind} {least}{unit and ', in'}{unit}."
        return f"Write a {kind} {least} to {self.shown(known.most)}{unit}."


METHODS = (
    ("auto", "MovieChat, which found most in our comparison"),
    ("moviechat", "merges what is alike in time; nothing is dropped"),
    ("malmm", "the same merging at every frame; found about as much"),
    ("xmem", "keeps what is asked for; drops what is read least"),
    ("emllm", "keeps whole events; drops those recalled least"),
    ("infinite", "one signal for any length; detail blurs with age"),
    ("uniform", "every n-th frame; a baseline"),
    ("fifo", "only the newest frames; a baseline"),
    ("random", "a fair sample of frames; a baseline"),
    ("all", "every frame; memory grows without bound"),
)
TIERS = (
    ("auto", "by what the model showed in its test"),
    ("A", "it leads the search and writes"),
    ("B", "it chooses by scores, and phrases"),
    ("C", "it phrases what was found"),
    ("D", "no model is used; passages are quoted"),
)
GROUPS: tuple[tuple[str, tuple[Field, ...]], ...] = (
    (
        "Videos and recordings",
        (
            Field(
                "video.method",
                "How pictures are remembered",
                "Each keeps within the same memory; they differ in what they let go.",
                options=METHODS,
            ),
            Field(
                "video.memory_bytes",
                "Picture memory of a video",
                "The more, the finer are older parts told apart; it is the same for any length.",
                unit="MB",
                scale=_MIB,
            ),
            Field(
                "video.frames_per_s",
                "Frames looked at",
                "Twice as many show shorter events, and take up to twice as long to index.",
                unit="a second",
            ),
            Field(
                "video.regions",
                "Cells of each picture",
                "Finds small things: n rows and columns besides the whole picture; indexing takes "
                "longer and the memory holds fewer frames. 0 for none.",
                unit="rows",
            ),
            Field(
                "video.listen",
                "Write down speech",
                "Makes what is said findable; without it indexing takes less time.",
            ),
            Field(
                "video.read_screen",
                "Read text in the picture",
                "Makes signs, slides and captions findable; indexing takes longer.",
            ),
        ),
    ),
    (
        "Documents",
        (
            Field(
                "document.read_scans",
                "Read scanned pages",
                "Makes pages that are pictures findable; they take longer to read.",
            ),
        ),
    ),
    (
        "Answers and limits",
        (
            Field(
                "tier",
                "What the language model may decide",
                "More needs a stronger model; a weak one that leads finds less.",
                counts="Counts for the next question.",
                options=TIERS,
            ),
            Field(
                "limits.max_upload_bytes",
                "Largest upload",
                "A larger file can be added by its path, and is not copied then.",
                counts="Counts from now on.",
                unit="GB",
                scale=_GB,
            ),
            Field(
                "limits.max_video_hours",
                "Longest video",
                "Longer ones are refused.",
                unit="hours",
            ),
        ),
    ),
)
FIELDS: Mapping[str, Field] = {field.name: field for _, group in GROUPS for field in group}

_TITLES = {
    "image_encoder": ("Sees", "Compares pictures with words, so that moments are found."),
    "text_encoder": ("Compares texts", "Finds passages by what they mean."),
    "transcriber": ("Listens", "Writes down what is said."),
    "text_reader": ("Reads pictures", "Reads signs, slides and scanned pages."),
    "language_model": ("Answers", "Writes answers from what was found."),
    "captioner": ("Describes", "Writes what pictures show, for `memqa enrich`."),
}


@dataclass(frozen=True, slots=True)
class Port:
    """What can stand behind one port; ``fixed_by`` names the variable that has chosen."""

    port: str
    title: str
    gives: str
    rows: tuple[ModelRow, ...]
    fixed_by: str = ""

    @property
    def used(self) -> ModelRow | None:
        """The model in use."""
        return next((row for row in self.rows if row.in_use), None)


@dataclass(frozen=True, slots=True)
class Preset:
    """Several models at once, and what they cost together; ``absent`` are still to be fetched."""

    name: str
    title: str
    gives: str
    cost: str
    absent: tuple[str, ...]
    is_used: bool


_PRESETS = {
    "embedded": ("Embedded", "Comes with memqa. Short, plain answers; nothing to fetch."),
    "laptop": ("Laptop", "Finds and hears better, answers and walks in many languages; slower."),
    "gpu": ("GPU", "Answers from the frames themselves."),
}


def ports(rows: Sequence[ModelRow], fixed: Mapping[str, str]) -> list[Port]:
    """Tell of each port what can stand behind it; ``fixed`` names variables that have chosen."""
    found = []
    for port in PORTS:
        title, gives = _TITLES[port]
        mine = [row for row in rows if row.port == port]
        if port == "captioner":
            mine = _captioners(rows, mine)
        found.append(Port(port, title, gives, tuple(mine), fixed.get(port, "")))
    return found


def _captioners(rows: Sequence[ModelRow], own: Sequence[ModelRow]) -> list[ModelRow]:
    """The model that answers, or one of its kind that sees."""
    used = {row.name for row in own}
    seeing = [
        replace(row, port="captioner", in_use=row.name in used)
        for row in rows
        if row.port == "language_model" and _SEES.search(row.good_for)
    ]
    others = [row for row in own if row.name not in {one.name for one in seeing}]
    same = ModelRow(
        "captioner", "", not own, "here", 0, 0, 0, "", "", "the model that answers, if it sees"
    )
    return [same, *seeing, *others]


def presets(rows: Sequence[ModelRow]) -> list[Preset]:
    """Tell of each preset what it costs, and what of it is not on this machine."""
    known = {(row.port, row.name): row for row in rows}
    used = {row.port: row.name for row in rows if row.in_use}
    found = []
    for name, wanted in PRESETS.items():
        mine = [known[pair] for pair in wanted.items() if pair in known]
        absent = tuple(dict.fromkeys(row.name for row in mine if row.state == "absent"))
        is_used = all(used.get(port, "") == model for port, model in wanted.items())
        found.append(Preset(name, *_PRESETS[name], _cost_of(mine), absent, is_used))
    return found


def _cost_of(rows: Sequence[ModelRow]) -> str:
    disk = sum(row.disk_bytes for row in rows)
    memory, gpu = sum(row.ram_bytes for row in rows), max(row.gpu_bytes for row in rows)
    return _costs(disk, memory, gpu)


def cost(row: ModelRow) -> str:
    """Say what a model takes: ``2.5 GB on disk, 5.0 GB of memory``."""
    return _costs(row.disk_bytes, row.ram_bytes, row.gpu_bytes)


def _costs(disk: int, memory: int, gpu: int) -> str:
    parts = [
        f"{words.size(disk)} on disk" if disk else "",
        f"{words.size(memory)} of memory" if memory else "",
        f"a GPU with {words.size(gpu)}" if gpu else "",
    ]
    return ", ".join(part for part in parts if part)


def counts_from(port: str, stale: int) -> str:
    """Say from when on another model counts, and what is left to do of it."""
    if port == "language_model":
        return "The next question is answered by it; it loads then."
    if port == "captioner":
        return "It describes pictures from the next `memqa enrich` on."
    if stale:
        many = words.counted(stale, "media was", "media were")
        return f"{many} indexed with another one: bring them up to date on the shelf."
    return _FROM_NOW

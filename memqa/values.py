"""The values a person gets back: media, evidence, answers and the steps on the way to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from memqa.addresses import title
from memqa.shown import Shown
from models.values import Box, Locator, PageSpan, TimeSpan, clock

Kind: TypeAlias = Literal["video", "audio", "document"]
Modality: TypeAlias = Literal["seen", "said", "read", "text", "summary"]
Level: TypeAlias = Literal[
    "observation", "event", "short", "long", "prototype", "passage", "fact", "summary"
]
MediaStatus: TypeAlias = Literal["queued", "indexing", "indexed", "partial", "failed", "cancelled"]
OutcomeStatus: TypeAlias = Literal[
    "indexed", "unchanged", "partial", "failed", "skipped", "cancelled"
]
Sense: TypeAlias = Literal["text", "image", "speech", "reading"]
AnswerState: TypeAlias = Literal["grounded", "ungrounded", "unanswered"]
AnswerMode: TypeAlias = Literal["auto", "global", "moment"]


@dataclass(frozen=True, slots=True)
class Media(Shown):
    """One added file, known by the SHA-256 of its bytes; a live source by a random id.

    ``remembered_s`` (or ``remembered_pages``) says how far memory reaches while indexing runs.
    ``stale`` names what of it other models made than those in use, which `memqa reindex` mends;
    ``unsure`` what it is not known of, since the model in use was never loaded here.
    """

    id: str
    path: str
    kind: Kind
    status: MediaStatus
    duration_s: float | None = None
    pages: int | None = None
    remembered_s: float | None = None
    remembered_pages: int | None = None
    memories: int = 0
    bytes: int = 0
    method: str = ""
    added_at: str = ""
    notes: tuple[str, ...] = ()
    error: str | None = None
    stale: tuple[Sense, ...] = ()
    unsure: tuple[Sense, ...] = ()

    @property
    def name(self) -> str:
        """The file's own name, wherever it lies; a stream's address as it is."""
        return title(self.path)


@dataclass(frozen=True, slots=True)
class Collection(Shown):
    """A named set of media that are asked together, in the order they were added.

    ``missing`` counts those of it that are not in the library any more.
    """

    name: str
    media_ids: tuple[str, ...] = ()
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file in ``index``; prints as one JSON line of the command."""

    path: str
    status: OutcomeStatus
    media: Media | None = None
    error: Exception | None = None
    elapsed_s: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Give the object promised for ``memqa index --json``."""
        media = self.media
        is_document = media is not None and media.kind == "document"
        length = (
            {"pages": media.pages if media else None}
            if is_document
            else {"duration_s": media.duration_s if media else None}
        )
        worked = self.status in ("indexed", "partial") and self.elapsed_s > 0
        realtime = (
            round(media.duration_s / self.elapsed_s, 2)
            if media and media.duration_s and worked
            else None
        )
        error = self.error and {"type": type(self.error).__name__, "message": str(self.error)}
        return {
            "path": self.path,
            "media_id": media.id if media else None,
            "kind": media.kind if media else None,
            "status": self.status,
            "error": error or None,
            "notes": list(media.notes) if media else [],
            **length,
            "memories": media.memories if media else 0,
            "bytes": media.bytes if media else 0,
            "elapsed_s": round(self.elapsed_s, 3),
            "realtime_x": realtime,
        }


@dataclass(frozen=True, slots=True)
class Evidence(Shown):
    """A moment or a stretch of pages that an answer rests on, with what was found there.

    ``id`` is the id of the memory it was made from and fits into a URL fragment.
    """

    id: str
    media_id: str
    path: str
    kind: Kind
    modality: Modality
    locator: Locator
    text: str
    score: float
    boxes: tuple[Box, ...] = ()
    thumbnail: bool = False
    node_id: str | None = None

    @property
    def label(self) -> str:
        """A short name for where it is: ``12:04`` or ``p. 37``."""
        if isinstance(self.locator, TimeSpan):
            return clock(self.locator.start_s)
        first, last = self.locator.page, self.locator.page_end
        return f"p. {first}" if first == last else f"pp. {first}–{last}"

    def as_json(self) -> dict[str, Any]:
        """Give the object promised for ``--json``."""
        where: dict[str, Any]
        if isinstance(self.locator, TimeSpan):
            where = {
                "start_s": round(self.locator.start_s, 3),
                "end_s": round(self.locator.end_s, 3),
            }
        else:
            assert isinstance(self.locator, PageSpan)
            where = asdict(self.locator) | {"boxes": [asdict(box) for box in self.boxes]}
        return {
            "id": self.id,
            "media_id": self.media_id,
            "path": self.path,
            "kind": self.kind,
            "modality": self.modality,
            **where,
            "text": self.text,
            "score": round(self.score, 4),
            "thumbnail": self.thumbnail,
            "node_id": self.node_id,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Evidence:
        """Read it from what ``as_json`` gave."""
        same = ("id", "media_id", "path", "kind", "modality", "text", "score", "thumbnail")
        locator: Locator
        if "start_s" in data:
            locator = TimeSpan(data["start_s"], data["end_s"])
        else:
            names = ("page", "page_end", "char_start", "char_end")
            locator = PageSpan(*(data[name] for name in names))
        return cls(
            locator=locator,
            boxes=tuple(Box(**box) for box in data.get("boxes", ())),
            node_id=data["node_id"],
            **{name: data[name] for name in same},
        )


@dataclass(frozen=True, slots=True)
class Attention:
    """How much a question attends to ``[start_s, end_s)`` of a video, a second."""

    start_s: float
    end_s: float
    density: float


@dataclass(frozen=True, slots=True)
class Citation:
    """Characters ``[char_start, char_end)`` of an answer rest on these evidence ids."""

    char_start: int
    char_end: int
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Option:
    """A branch or a passage that a step of a walk saw: where it is, what it is worth, what it says.

    ``place`` is in words (``p. 4``, ``0:15–0:26``), ``text`` its beginning, ``media`` the id of the
    media that it belongs to.
    """

    id: str
    place: str
    text: str
    score: float
    chosen: bool = False
    media: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """One look of a walk at a node of the tree, or at a passage (then without options).

    ``path`` leads from the root to the node, the node included. ``tokens`` is what was read for it.
    ``media`` is the id of the media whose tree it is. In a walk over several media the root is the
    node of their collection, which belongs to none, and all other names say the media before the
    node: ``report.pdf:n2-1``.
    """

    node: str
    path: tuple[str, ...]
    place: str
    text: str
    options: tuple[Option, ...]
    chosen: tuple[str, ...]
    reason: str
    tokens: int = 0
    ms: float = 0.0
    media: str = ""

    def as_json(self) -> dict[str, Any]:
        """Give what a step of a walk has beyond other steps."""
        options = [asdict(one) | {"score": round(one.score, 4)} for one in self.options]
        return asdict(self) | {"options": options, "ms": round(self.ms, 1)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Look:
        """Read it from what ``as_json`` gave, among other keys."""
        return cls(
            node=data["node"],
            path=tuple(data["path"]),
            place=data["place"],
            text=data["text"],
            options=tuple(Option(**one) for one in data["options"]),
            chosen=tuple(data["chosen"]),
            reason=data["reason"],
            tokens=data["tokens"],
            ms=data["ms"],
            media=data.get("media", ""),  # turns of chats from before have none
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One step on the way to an answer: what was done, what it showed, what it cost.

    ``look`` is there where the step went down a tree. A ``fallback`` says in its ``detail`` what
    could not be done as it should.
    """

    name: str
    detail: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    elapsed_s: float = 0.0
    look: Look | None = None
    fallback: bool = False

    def as_json(self) -> dict[str, Any]:
        """Give the object that stands in ``walk`` of an answer."""
        return {
            "name": self.name,
            "detail": self.detail,
            "scores": {key: round(value, 4) for key, value in self.scores.items()},
            "elapsed_s": round(self.elapsed_s, 4),
            **({"fallback": True} if self.fallback else {}),
            **(self.look.as_json() if self.look else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Step:
        """Read it from what ``as_json`` gave."""
        look = Look.from_json(data) if "node" in data else None
        return cls(
            data["name"],
            data["detail"],
            data["scores"],
            data["elapsed_s"],
            look,
            data.get("fallback", False),  # turns of chats from before have none
        )


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the answer as the language model writes it."""

    text: str


SET_BY_HAND = "Set by hand."


@dataclass(frozen=True, slots=True)
class Answer(Shown):
    """What was asked for: text, its state, and the evidence that each part of it rests on."""

    text: str
    state: AnswerState
    evidence: tuple[Evidence, ...] = ()
    citations: tuple[Citation, ...] = ()
    option: int | None = None
    walk: tuple[Step, ...] = ()
    tier: str = ""
    models: Mapping[str, str] = field(default_factory=dict)
    timings_s: Mapping[str, float] = field(default_factory=dict)

    @property
    def told_by(self) -> str:
        """In whose words it stands: "in the words of MODEL", "quoted …", "by the program"."""
        return next((step.detail for step in reversed(self.walk) if step.name == "told"), "")

    @property
    def fallbacks(self) -> list[str]:
        """What could not be done as it should, in sentences: a model that failed, stale media."""
        return list(dict.fromkeys(one.detail for one in self.walk if one.fallback))

    def as_json(self) -> dict[str, Any]:
        """Give the object promised for ``memqa ask --json``."""
        return {
            "answer": self.text,
            "state": self.state,
            "option": self.option,
            "evidence": [item.as_json() for item in self.evidence],
            "citations": [asdict(citation) for citation in self.citations],
            "walk": [step.as_json() for step in self.walk],
            "tier": self.tier,
            "models": dict(self.models),
            "timings_s": {key: round(value, 3) for key, value in self.timings_s.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Answer:
        """Read it from what ``as_json`` gave."""
        return cls(
            text=data["answer"],
            state=data["state"],
            evidence=tuple(Evidence.from_json(item) for item in data["evidence"]),
            citations=tuple(
                Citation(item["char_start"], item["char_end"], tuple(item["evidence"]))
                for item in data["citations"]
            ),
            option=data["option"],
            walk=tuple(Step.from_json(step) for step in data["walk"]),
            tier=data["tier"],
            models=data["models"],
            timings_s=data["timings_s"],
        )

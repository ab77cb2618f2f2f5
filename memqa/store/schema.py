"""The tables of a library, as declarations; opens nothing.

A memory's id is ``MEDIA[:16].LOCAL`` (``e42`` event, ``p7`` passage, ``n2-0`` summary node, ``u13``
utterance, ``r5`` text read, ``m3-17`` element 17 of the memory as of segment 3), so that the same
file always gives the same ids and writing a segment twice changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa  # type: ignore[import-untyped]

from memqa.values import Level, Media, Modality
from models.ports import Metric
from models.values import Box, Features, Locator

SCHEMA_VERSION = 2
VERSION_KEY = b"memqa.schema_version"
SIGNATURE_KEY = b"memqa.signature"
METRIC_KEY = b"memqa.metric"
NOTHING_COMMITTED = -1
# The names of the states that stay.
MEMORY, TIMELINE = "memory", "timeline"
OUTLINE, PAGES, SCANS = "outline", "pages", "scans"
ENRICHED, CAPTIONS = "enriched", "captions"
FILE_ABSENT = "Its file did not come with it"  # begins a note that goes once the file is found
# A note that goes once its file is known to lie here.
NO_COPY = "It was fetched, and no copy is kept: it can be asked here, and opened at its address."
WATCH, COUNTS = "watch", "ingest"
RESUMING = (WATCH, COUNTS, OUTLINE)  # of a video, and gone once it is finished
RENEWING = "renewing"  # begins the names of states of a `memqa reindex` that is under way


@dataclass(frozen=True, slots=True)
class Memory:
    """One row of ``memories`` without its thumbnail.

    ``segment`` is the segment that wrote it (documents: 0, 1, … by batches of pages); rows beyond
    the media's ``committed_segment`` are never read. ``order`` ascends with time or pages within a
    level. ``count`` is the number of frames merged into the element, 1 elsewhere. ``heading`` is
    the path of headings ``A › B`` that a passage stands under; it is searched with the text.
    ``method`` is the memory method that made a video's element, the language model whose words a
    summary or an event's caption is, empty elsewhere. ``moves`` tells how lively an event's picture
    is (`vidmem.motion`), None where there is none.
    """

    id: str
    media_id: str
    segment: int
    level: Level
    modality: Modality
    locator: Locator
    text: str
    order: int
    parent_id: str | None = None
    method: str = ""
    count: int = 1
    heading: str = ""
    boxes: tuple[Box, ...] = ()
    has_thumbnail: bool = False
    moves: float | None = None


def memory_id(media_id: str, local: str) -> str:
    """Give the id of a memory of this media."""
    return f"{media_id[:16]}.{local}"


@dataclass(frozen=True, slots=True)
class Hit:
    """A memory that a search found; a higher ``score`` is better, scores of two searches differ."""

    memory: Memory
    score: float


@dataclass(frozen=True, slots=True)
class Near:
    """Which memory a search by vector found, in which media; scores are as those of a `Hit`."""

    id: str
    media_id: str
    score: float


@dataclass(frozen=True, slots=True)
class MediaRow:
    """One row of ``media``: what a person sees of it, and what the store must know besides.

    ``settled`` is True once nothing of this media waits to be deleted or committed, so that readers
    need not look at each of its rows. ``forgetting`` hides a media whose rows are being deleted.
    ``long_segment`` is the segment whose ``long`` rows count, ``replaceable_bytes`` the part of
    ``media.bytes`` that the next commit replaces.
    """

    media: Media
    committed_segment: int = NOTHING_COMMITTED
    long_segment: int = NOTHING_COMMITTED
    settled: bool = False
    forgetting: bool = False
    aliases: tuple[str, ...] = ()
    size_bytes: int = 0
    mtime_ns: int = 0
    signatures: Mapping[str, str] = field(default_factory=dict)
    replaceable_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a media takes in the store, in bytes, by what it is."""

    texts: int = 0
    thumbnails: int = 0
    vectors: int = 0
    states: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.texts + self.thumbnails + self.vectors + self.states


@dataclass(frozen=True, slots=True)
class VectorBatch:
    """The vectors [N, D] of N memories in the space of one encoder."""

    signature: str
    metric: Metric
    ids: tuple[str, ...]
    vectors: Features

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or len(self.vectors) != len(self.ids):
            raise ValueError(f"{len(self.ids)} ids for vectors of shape {self.vectors.shape}")


@dataclass(frozen=True, slots=True)
class Commit:
    """Everything one segment adds, written so that it is seen whole or not at all.

    ``parents`` maps ids of older memories to the id of a parent that came to be now. ``states``
    replaces the media's states of the same names.
    """

    segment: int
    media: Media
    memories: Sequence[Memory] = ()
    thumbnails: Mapping[str, bytes] = field(default_factory=dict)
    vectors: Sequence[VectorBatch] = ()
    parents: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Switch:
    """What other models made of a media, to be put in the place of what it holds.

    ``memories`` are whole rows: summaries, and elements of the picture memory as of the next
    segment, which replace all earlier ones. ``texts`` are the new texts of rows that stay else as
    they are, by id, and ``parents`` their new parents. ``owners`` are the rows of ``vectors`` that
    are not among ``memories``. ``gone`` are ids of summaries, ``ended`` names of states that are
    needed no more.
    """

    media: Media
    signatures: Mapping[str, str]
    memories: Sequence[Memory] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    parents: Mapping[str, str] = field(default_factory=dict)
    owners: Sequence[Memory] = ()
    vectors: Sequence[VectorBatch] = ()
    gone: Sequence[str] = ()
    states: Mapping[str, bytes] = field(default_factory=dict)
    ended: Sequence[str] = ()


def vectors_table(signature: str) -> str:
    """Name the table that keeps the vectors of one encoder signature."""
    return "vectors_" + hashlib.sha256(signature.encode()).hexdigest()[:12]


_VERSION = {VERSION_KEY: str(SCHEMA_VERSION).encode()}
_ID = pa.field("id", pa.string(), nullable=False)
_BOX = pa.struct(
    [("page", pa.int32())] + [(side, pa.float32()) for side in ("x0", "y0", "x1", "y1")]
)

MEDIA = pa.schema(
    [
        _ID,
        ("path", pa.string()),
        ("kind", pa.string()),
        ("status", pa.string()),
        ("duration_s", pa.float64()),
        ("pages", pa.int32()),
        ("remembered_s", pa.float64()),
        ("remembered_pages", pa.int32()),
        ("memories", pa.int64()),
        ("bytes", pa.int64()),
        ("method", pa.string()),
        ("added_at", pa.string()),
        ("notes", pa.list_(pa.string())),
        ("error", pa.string()),
        ("committed_segment", pa.int32()),
        ("long_segment", pa.int32()),
        ("settled", pa.bool_()),
        ("forgetting", pa.bool_()),
        ("aliases", pa.list_(pa.string())),
        ("size_bytes", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("signatures", pa.string()),
        ("replaceable_bytes", pa.int64()),
    ],
    metadata=_VERSION,
)

MEMORIES = pa.schema(
    [
        _ID,
        ("media_id", pa.string()),
        ("segment", pa.int32()),
        ("level", pa.string()),
        ("modality", pa.string()),
        ("method", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("page", pa.int32()),
        ("page_end", pa.int32()),
        ("char_start", pa.int64()),
        ("char_end", pa.int64()),
        ("parent_id", pa.string()),
        ("order", pa.int32()),
        ("count", pa.int64()),
        ("moves", pa.float32()),
        ("text", pa.string()),
        ("heading", pa.string()),
        # What the text index covers: a text search looks at one column, so the heading joins here.
        ("words", pa.string()),
        ("boxes", pa.list_(_BOX)),
        ("has_thumbnail", pa.bool_()),
        # large_binary: a plain binary column overflows near 2 GB per fragment.
        ("thumbnail", pa.large_binary()),
    ],
    metadata=_VERSION,
)
MEMORY_COLUMNS = [name for name in MEMORIES.names if name not in ("thumbnail", "words")]

STATES = pa.schema(
    [
        _ID,
        ("media_id", pa.string()),
        ("name", pa.string()),
        ("segment", pa.int32()),
        ("blob", pa.large_binary()),
    ],
    metadata=_VERSION,
)

CHATS = pa.schema(
    [
        _ID,
        ("chat", pa.string()),
        ("at", pa.string()),
        ("question", pa.string()),
        ("answer", pa.string()),
        ("media_ids", pa.list_(pa.string())),
    ],
    metadata=_VERSION,
)

# Opening an older library adds this table, empty; the others are as they were, so is the version.
COLLECTIONS = pa.schema(
    [_ID, ("name", pa.string()), ("media_ids", pa.list_(pa.string()))],
    metadata=_VERSION,
)

PARENTS = pa.schema([_ID, ("parent_id", pa.string())])
PICTURES = pa.schema([_ID, ("thumbnail", pa.large_binary())])
TEXTS = pa.schema([_ID, ("text", pa.string()), ("words", pa.string())])


def vectors_schema(signature: str, metric: Metric, dim: int) -> pa.Schema:
    """Declare the vectors table of one encoder; what filters a search stands beside the vector."""
    return pa.schema(
        [
            _ID,
            ("media_id", pa.string()),
            ("segment", pa.int32()),
            ("level", pa.string()),
            ("modality", pa.string()),
            # Half precision: scores move by less than 1e-3, and a library is half as large.
            ("vector", pa.list_(pa.float16(), dim)),
        ],
        metadata={**_VERSION, SIGNATURE_KEY: signature.encode(), METRIC_KEY: metric.encode()},
    )

"""A video or recording, segment by segment, into memories: what was said, read and seen.

Every utterance and text on screen becomes an observation, every event a passage with a time for a
place, and what the memory method keeps of the pictures becomes ``long`` rows. A segment's rows, the
watcher's state and the method's state are committed together, so the next run goes on after it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from memqa.embedding import text_batch
from memqa.engines import Engines
from memqa.held import Memories
from memqa.kept import Kept, load_gists
from memqa.listening import Listener
from memqa.outline import OutlineTools, outline_commits
from memqa.settings import VideoSettings
from memqa.store.schema import OUTLINE, Commit, Memory, VectorBatch, memory_id
from memqa.task import Task
from memqa.values import Media, MediaStatus
from models.errors import (
    BackendError,
    EmptyMedia,
    IngestCancelled,
    InputError,
    SetupError,
    UnreadableMedia,
)
from models.ports import ImageEncoder
from models.values import Label, OnProgress, Progress, TimeSpan, Utterance
from vidmem.values import Event, MediaInfo, Segment, Senses

if TYPE_CHECKING:
    from memqa.store.store import Store
    from vidmem.live import Live
    from vidmem.memory.contract import VideoMemory
    from vidmem.watch import WatchParams

_WATCH, _COUNTS = "watch", "ingest"
# Labels less probable than this name what is not there more often than what is.
_LEAST_PROBABILITY = 0.08
# A second label that is so probable beside the first is the right one in three cases of ten.
_AS_PROBABLE = 0.3
# Ends of notes after which nothing is missing: a change of decoder, a source without sound.
_HARMLESS = ("PyAV took over.", "is watched without sound.")
# A live source's segments are short, so that memory is never far behind.
_LIVE_SEGMENT_S, _LIVE_BATCH = 10.0, 2


@dataclass(frozen=True, slots=True)
class Counts:
    """How many utterances and texts were numbered so far, and whether all was watched."""

    said: int = 0
    read: int = 0
    watched: bool = False
    is_whole: bool = True

    def dump(self) -> bytes:
        """Write it as a state."""
        return json.dumps([self.said, self.read, self.watched, self.is_whole]).encode()

    @classmethod
    def load(cls, blob: bytes | None) -> Counts:
        """Read it from a state."""
        return cls(*json.loads(blob)) if blob else cls()


def manner(settings: VideoSettings, method: str) -> str:
    """Say all that the states of an unfinished video depend on, besides the models."""
    from vidmem.watch import STATE_VERSION

    return f"{STATE_VERSION} {settings.model_dump_json()} {_watch_params(settings)} {method}"


def open_live(address: str, settings: VideoSettings, *, for_s: float, listener: Listener) -> Live:
    """Open a live source as it will be watched; raises as ``Live``, and where it is led astray."""
    from vidmem.live import Live

    params = _live_params(settings)
    return Live(
        address,
        segment_s=params.segment_s,
        sample=params.sample,
        for_s=for_s,
        should_end=listener.should_stop,
        is_heard=settings.listen,
        on_picture=listener.on_picture,
        leads_to=_end_of_redirects(address),
    )


def _end_of_redirects(address: str) -> str:
    """Follow the redirects of a stream, and refuse those that lead into a private network."""
    from memqa.reach import Reach
    from vidmem.source import understand

    source = understand(address)
    if source.kind != "stream" or not source.address.startswith("http"):
        return ""
    try:
        return Reach(source.address, name=source.name).leads_to()
    except UnreadableMedia:
        raise
    except (InputError, BackendError):
        return ""  # whoever opens it finds the same, and says so as of any stream


class VideoIngest:
    """Takes videos and recordings into one library."""

    def __init__(self, store: Store, engines: Engines, settings: VideoSettings) -> None:
        self._store = store
        self._engines = engines
        self._settings = settings

    def run(self, task: Task) -> Media:
        """Watch from where the last commit stopped, outline the whole, and settle it.

        Raises:
            EmptyMedia: nothing was seen or heard.
            MediaChanged, MediaGone: the file was changed or removed meanwhile.
            IngestCancelled: the listener wished it.
        """
        assert isinstance(task.found, MediaInfo)
        counts = Counts.load(task.states.get(_COUNTS))
        media, committed = task.row.media, task.row.committed_segment
        if not counts.watched:
            media, counts, committed = self._watch(task, counts)
        events = self._store.read.memories(media.id, levels=["event"])
        if not events:
            raise EmptyMedia(f"{media.name} holds nothing that could be seen or heard")
        self._outline(media, events, committed + 1, task.listener)
        task.check_file()
        status: MediaStatus = "indexed" if counts.is_whole else "partial"
        row = self._store.write.settle(
            replace(media, status=status), done_states=(_WATCH, _COUNTS, OUTLINE)
        )
        return row.media

    def _outline(
        self, media: Media, events: Sequence[Memory], segment: int, listener: Listener
    ) -> None:
        done = {node.id for node in self._store.read.memories(media.id, levels=["summary"])}
        gists = load_gists(self._store.read.state(media.id, OUTLINE))
        tools = OutlineTools(self._engines.text_encoder(), listener, Kept(gists=gists))
        for commit in outline_commits(media, events, first_segment=segment, done=done, tools=tools):
            self._store.write.commit(commit)

    def _watch(self, task: Task, counts: Counts) -> tuple[Media, Counts, int]:
        from vidmem.watch import watch

        assert isinstance(task.found, MediaInfo)
        memories = self._memories(task.row.media.method, task.states)
        writing = _Writing(self._engines, self._open_utterances(task.row.media.id), task.listener)
        media, committed = task.row.media, task.row.committed_segment
        segments = watch(
            task.found,
            self._senses(),
            params=(_live_params if task.live else _watch_params)(self._settings),
            resume=task.states.get(_WATCH),
            live=task.live,
            on_progress=_as_it_comes(task.live, task.listener.on_progress),
            should_stop=task.listener.should_stop,
        )
        for segment in segments:
            for seen in segment.observations:
                memories.observe(seen.tokens, seen.pts_s)
            media = _after(media, segment)
            counts = replace(
                counts,
                watched=bool(segment.last),
                is_whole=counts.is_whole and _is_whole(segment),
            )
            commit, counts = writing.commit(media, segment, memories, counts)
            task.check_file()
            media = self._store.write.commit(commit).media
            committed = segment.index
            self._store.upkeep.after_commit()
        if not counts.watched:
            raise IngestCancelled(f"stopped while watching {media.name}")
        return media, counts, committed

    def watch_again(
        self, film: MediaInfo, method: str, begun: Mapping[str, bytes], listener: Listener
    ) -> tuple[Memories, Iterator[Segment]]:
        """Watch the pictures of a video alone, from where the states ``begun`` left off.

        Gives the memories, which have taken a segment's frames when it comes, and the segments:
        their events are those of the first time, but for what is seen in them.

        Raises:
            BackendError: the decoder died; the iterator does.
            IngestCancelled: the listener wished it; the iterator does.
        """
        from vidmem.watch import watch

        memories = self._memories(method, begun)
        segments = watch(
            replace(film, has_audio=False, subtitle_tracks=0),
            Senses(image=self._engines.image_encoder(), reader=None, ears=None),
            params=_watch_params(self._settings),
            resume=begun.get(_WATCH),
            on_progress=listener.on_progress,
            should_stop=listener.should_stop,
        )

        def taken() -> Iterator[Segment]:
            for segment in segments:
                for seen in segment.observations:
                    memories.observe(seen.tokens, seen.pts_s)
                yield segment

        return memories, taken()

    def _memories(self, method: str, states: Mapping[str, bytes]) -> Memories:
        shape = (1 + self._settings.regions**2, self._engines.image_encoder().dim)
        try:
            return Memories(method, self._settings.memory_bytes, shape, states)
        except ValueError as exc:
            raise SetupError(
                f"The picture memory {method!r} cannot be made ({exc}): give it more with "
                "MEMQA_VIDEO__MEMORY_BYTES, or fewer MEMQA_VIDEO__REGIONS."
            ) from exc

    def _senses(self) -> Senses:
        return Senses(
            image=self._engines.image_encoder(),
            reader=self._engines.text_reader() if self._settings.read_screen else None,
            ears=self._engines.transcriber() if self._settings.listen else None,
        )

    def _open_utterances(self, media_id: str) -> dict[Utterance, str]:
        """Give the ids of what was said so far and has no event yet."""
        found = self._store.read.memories(media_id, levels=["observation"])
        return {_utterance(m): m.id for m in found if m.modality == "said" and m.parent_id is None}


class _Writing:
    """Turns segments into commits, one after another."""

    def __init__(self, engines: Engines, waiting: dict[Utterance, str], listener: Listener) -> None:
        self._engines = engines
        self._waiting = waiting
        self._listener = listener

    def commit(
        self, media: Media, segment: Segment, memories: Memories, counts: Counts
    ) -> tuple[Commit, Counts]:
        said = [
            _said(media.id, segment.index, counts.said + i, utterance)
            for i, utterance in enumerate(segment.utterances)
        ]
        self._waiting.update({_utterance(memory): memory.id for memory in said})
        parents = self._parents(media.id, segment.events)
        said = [replace(one, parent_id=parents.pop(one.id, None)) for one in said]
        read = _read(media.id, segment, first=counts.read)
        events = (*segment.events, *segment.unfinished)
        seen = [_event(media, segment.index, event) for event in events]
        counts = replace(counts, said=counts.said + len(said), read=counts.read + len(read))
        long, pictures = picture_rows(
            media, segment.index, memories.chosen, self._engines.image_encoder()
        )
        texts = [*said, *read, *seen]
        commit = Commit(
            segment=segment.index,
            media=media,
            memories=[*texts, *long],
            thumbnails={
                memory_id(media.id, f"e{event.index}"): event.thumbnail
                for event in events
                if event.thumbnail is not None
            },
            vectors=[text_batch(self._engines.text_encoder(), texts, self._listener), pictures],
            parents=parents,
            states={
                _WATCH: segment.state,
                _COUNTS: counts.dump(),
                **memories.dump(),
            },
        )
        return commit, counts

    def _parents(self, media_id: str, events: Sequence[Event]) -> dict[str, str]:
        """Find for each utterance of these events its row, whichever segment wrote that."""
        parents = {}
        for event in events:
            for utterance in event.said:
                if (row := self._waiting.pop(_key(utterance), None)) is not None:
                    parents[row] = memory_id(media_id, f"e{event.index}")
        return parents


def picture_rows(
    media: Media, segment: int, memory: VideoMemory, eyes: ImageEncoder
) -> tuple[list[Memory], VectorBatch]:
    """Give what the method keeps now as rows; those of earlier segments are replaced by them."""
    elements = memory.elements()
    rows = [
        Memory(
            id=memory_id(media.id, f"m{segment}-{order}"),
            media_id=media.id,
            segment=segment,
            level="long",
            modality="seen",
            locator=element.span,
            text="",
            order=order,
            method=media.method,
            count=element.count,
        )
        for order, element in enumerate(elements)
    ]
    features = [element.feature.mean(axis=0) for element in elements]
    vectors = np.stack(features) if features else np.zeros((0, eyes.dim), np.float32)
    ids = tuple(row.id for row in rows)
    return rows, VectorBatch(eyes.signature, eyes.metric, ids, vectors.astype(np.float32))


def _watch_params(settings: VideoSettings) -> WatchParams:
    from vidmem.sample import SampleParams
    from vidmem.watch import WatchParams

    return WatchParams(
        regions=settings.regions, sample=SampleParams(every_s=1 / settings.frames_per_s)
    )


def _as_it_comes(live: Live | None, told: OnProgress | None) -> OnProgress | None:
    """Let progress of a live source say how long it was watched and how many frames were lost.

    It is heard meanwhile, which is nothing to wait for.
    """
    if live is None or told is None:
        return told
    seen_s = 0.0

    def tell(progress: Progress) -> None:
        nonlocal seen_s
        seen_s = max(seen_s, progress.done)
        stage = f"Watching, {live.dropped} frames dropped" if live.dropped else "Watching"
        told(replace(progress, stage=stage, done=seen_s))

    return tell


def _live_params(settings: VideoSettings) -> WatchParams:
    return replace(_watch_params(settings), segment_s=_LIVE_SEGMENT_S, batch=_LIVE_BATCH)


def event_text(event: Event) -> str:
    """Write an event as a passage: what was seen, read and said, a line each, whatever it holds."""
    lines = {
        "Read": " / ".join(dict.fromkeys(one.text for one in event.read)),
        "Said": " ".join(one.text.strip() for one in event.said),
    }
    told = {sense: " ".join(words.split()) for sense, words in lines.items()}
    lasting = [f"{sense}: {words}" for sense, words in told.items() if words]
    return "\n".join(filter(None, [seen_line(event.labels), *lasting]))


def seen_line(labels: Sequence[Label]) -> str:
    """Write what was seen in an event as the first line of its text; empty where nothing was."""
    names = " ".join(", ".join(_named(labels)).split())
    return f"Seen: {names}" if names else ""


def _named(labels: Sequence[Label]) -> list[str]:
    """Name what is seen, the most probable first; where the second is hardly less so, either."""
    sure = [label for label in labels if label.probability >= _LEAST_PROBABILITY]
    names = [label.name for label in sure]
    if len(sure) > 1 and sure[1].probability >= _AS_PROBABLE * sure[0].probability:
        return [f"{names[0]} or {names[1]}", *names[2:]]
    return names


def _said(media_id: str, segment: int, number: int, utterance: Utterance) -> Memory:
    return Memory(
        id=memory_id(media_id, f"u{number}"),
        media_id=media_id,
        segment=segment,
        level="observation",
        modality="said",
        locator=TimeSpan(utterance.start_s, utterance.end_s),
        text=utterance.text.strip(),
        order=number,
    )


def _read(media_id: str, segment: Segment, *, first: int) -> list[Memory]:
    texts = [(event, one) for event in segment.events for one in event.read]
    return [
        Memory(
            id=memory_id(media_id, f"r{number}"),
            media_id=media_id,
            segment=segment.index,
            level="observation",
            modality="read",
            locator=one.span,
            text=one.text,
            order=number,
            parent_id=memory_id(media_id, f"e{event.index}"),
        )
        for number, (event, one) in enumerate(texts, first)
    ]


def _event(media: Media, segment: int, event: Event) -> Memory:
    return Memory(
        id=memory_id(media.id, f"e{event.index}"),
        media_id=media.id,
        segment=segment,
        level="event",
        modality="said" if media.kind == "audio" else "seen",
        locator=event.span,
        text=event_text(event),
        order=event.index,
        moves=event.moves,
    )


def _utterance(memory: Memory) -> Utterance:
    """Give what tells one utterance from another, as an event's list and a row both know it."""
    assert isinstance(memory.locator, TimeSpan)
    return Utterance(memory.locator.start_s, memory.locator.end_s, memory.text)


def _key(utterance: Utterance) -> Utterance:
    return Utterance(utterance.start_s, utterance.end_s, utterance.text.strip())


def _after(media: Media, segment: Segment) -> Media:
    """Say how far memory reaches now; notes are kept once each."""
    notes = tuple(dict.fromkeys((*media.notes, *segment.notes)))
    end_s = max(media.remembered_s or 0.0, float(segment.span.end_s))
    if not segment.last:
        return replace(media, remembered_s=end_s, notes=notes)
    # A file may not tell how long it is, or less than it shows; or end in silence.
    duration_s = max(media.duration_s or 0.0, end_s)
    return replace(
        media,
        remembered_s=duration_s if _is_whole(segment) else end_s,
        duration_s=duration_s,
        notes=notes,
    )


def _is_whole(segment: Segment) -> bool:
    """Say whether all of the segment could be perceived; what it notes is damage but for one."""
    return all(note.rstrip().endswith(_HARMLESS) for note in segment.notes)

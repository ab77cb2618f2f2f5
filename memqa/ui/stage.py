"""The stage: what the last asked-for place looks like, and the way of the media around it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from memqa.held import sticky_of, timeline_of
from memqa.ui import pictures, reading, words
from memqa.ui.backdrop import backdrop
from memqa.ui.density import attention_html, attention_words, spread
from memqa.ui.excerpt import quotes
from memqa.ui.leaves import boxes_from, leaf_html, quoted_html
from memqa.ui.live import is_watched, without_player
from memqa.ui.markup import el
from memqa.ui.memory import memory_html
from memqa.ui.outlines import outline_html
from memqa.ui.parts import part
from memqa.ui.places import Places
from memqa.ui.reading import Walked
from memqa.ui.stock import Counts, counts_view, memory_view
from memqa.ui.subtitles import as_webvtt, cues, file_name
from memqa.ui.timeline import timeline, timeline_html
from memqa.ui.visitors import chat_of
from memqa.values import Answer, Media
from models.errors import InputError, StoreMismatch
from models.values import TimeSpan

if TYPE_CHECKING:
    from memqa.library import Library

MOST_FOUND = 50
NEAREST = 5  # places shown where the words themselves do not stand


class Stage:
    """What the stage asks for; every public method is one call of the browser."""

    def __init__(self, library: Library, places: Places) -> None:
        self._library = library
        self._places = places

    def open_media(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Tell all that is needed to show a media: its address, subtitles and time line."""
        media = self._shown(data)
        facts = " · ".join(
            part for part in (words.kind(media.kind, media.name), words.length(media)) if part
        )
        shown = {"media": media.id, "kind": media.kind, "name": media.name, "facts": facts}
        if media.kind == "document":
            return {**shown, "timeline": "", "cues": [], "url": None}
        memories = self._library.store.read.memories(media.id, levels=("event", "observation"))
        watched = is_watched(self._library, media)
        return {
            **shown,
            "url": None if watched else self._places.open(media),
            "unplayable": without_player(media, watched=watched) or _unplayable(media),
            "cues": cues(memories),
            "timeline": timeline_html(timeline(media, memories, sticky=self._sticky(media))),
        }

    def subtitles(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Give what is said in a media as a WebVTT file."""
        media = self._shown(data)
        memories = self._library.store.read.memories(media.id, levels=("observation",))
        return {"name": file_name(media), "text": as_webvtt(cues(memories))}

    def density(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Give where a question's attention lies along a video."""
        media, question = self._shown(data), " ".join(str(data.get("question", "")).split())
        try:
            attention = self._library.density(question, media=media.id)
        except (InputError, StoreMismatch) as exc:
            return {"html": el("span", str(exc), class_="nothing"), "words": ""}
        end_s = max((one.end_s for one in attention), default=0.0)
        found = spread(attention, max(media.duration_s or 0.0, end_s))
        short = question if len(question) <= 60 else f"{question[:59].rstrip()}…"
        return {"html": attention_html(found, short), "words": attention_words(found, short)}

    def leaf(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Give one page, with the passage asked for and the other places found on it marked."""
        media = self._shown(data)
        shown = reading.leaf(
            media,
            _page(data.get("page"), media),
            marks=_characters(data.get("chars")),
            quoted=_texts(data.get("quotes")),
            boxes=boxes_from(data.get("boxes")),
            others=boxes_from(data.get("others")),
        )
        return {"html": leaf_html(shown)}

    def quoted(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Mark the sentences on a page that the answer quotes."""
        media = self._shown(data)
        page, wanted = _page(data.get("page"), media), _texts(data.get("quotes"))
        return {"html": quoted_html(reading.quoted_boxes(media, page, wanted)) if wanted else ""}

    def hits(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Give the places in a document that the answer of a chat's turn rests on."""
        media, answer = self._shown(data), self._answer(data)
        if answer is None:
            return {"hits": [], "quotes": []}
        found = reading.hits(answer.evidence, media)
        return {"hits": [one.as_json() for one in found], "quotes": quotes(answer)}

    def find(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Find words in a document: where they stand, else the places nearest to their meaning.

        ``best`` is the place that fits them best.
        """
        media, wanted = self._shown(data), " ".join(str(data.get("words", "")).split())
        evidence = self._library.search(wanted, media=media.id, limit=MOST_FOUND) if wanted else []
        written = reading.literal(evidence, wanted)
        found = [one.as_json() for one in reading.hits(written or evidence[:NEAREST], media)]
        first = (written or evidence)[0].id if evidence else ""
        best = next((at for at, one in enumerate(found) if one["evidence"] == first), 0)
        phrase = any(wanted.casefold() in one.text.casefold() for one in written)
        quotes = [wanted] if phrase else wanted.split() if written else []
        return {"hits": found, "best": best, "quotes": quotes, "nearest": not written}

    def outline(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Give a media's outline, with the way to the answer of a chat's turn."""
        media, answer = self._shown(data), self._answer(data)
        walk = reading.walked(answer, media) if answer is not None else Walked()
        return {"html": outline_html(self._library.outline(media.id), media, walk)}

    def memory(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Give what a media's memory holds now."""
        media = self._shown(data)
        if media.kind == "video":
            view = memory_view(self._library.memory(media.id), media)
        else:
            view = counts_view(media, self._counts(media))
        return {"html": memory_html(view)}

    def frame(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Give one frame of a video, in full where the browser cannot play it, or ``small``."""
        media = self._shown(data)
        if media.kind != "video":
            return {"url": None}
        at_s = max(0.0, float(data.get("at") or 0.0))
        if without_player(media, watched=is_watched(self._library, media)):
            return {"url": pictures.remembered(self._library, media, at_s)}
        width_px = pictures.POSTER_PX if data.get("small") else pictures.STILL_PX
        return {"url": pictures.still(media, at_s, width_px=width_px)}

    def thumb(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Give the thumbnail of a memory."""
        picture = self._library.thumbnail(str(data.get("id", "")))
        return {"url": pictures.as_url(picture, "image/jpeg") if picture else None}

    def _sticky(self, media: Media) -> tuple[TimeSpan, ...]:
        line = timeline_of(self._library.store.read, media.id) if media.kind == "video" else None
        return sticky_of(line) if line is not None else ()

    def _shown(self, data: Mapping[str, Any]) -> Media:
        return self._library.show(str(data.get("media", "")))

    def _answer(self, data: Mapping[str, Any]) -> Answer | None:
        """Give the answer of a chat's turn, if it is kept."""
        wanted = str(data.get("turn", ""))
        turns = self._library.turns(chat_of(data)) if wanted else []
        return next((one.answer for one in turns if one.id == wanted), None)

    def _counts(self, media: Media) -> Counts:
        pieces = self._library.store.read.memories(media.id, levels=("passage", "event"))
        summaries = self._library.store.read.memories(media.id, levels=("summary",))
        levels = {one.id.rpartition(".n")[2].partition("-")[0] for one in summaries}
        return Counts(
            pieces=len(pieces),
            summaries=len(summaries),
            depth=len(levels),
            bytes=media.bytes,
            rewritten=sum(1 for one in summaries if one.method),
        )


def _page(wanted: Any, media: Media) -> int:
    page = int(wanted) if isinstance(wanted, int | float) and wanted == wanted else 1
    return max(1, min(page, media.pages or page))


def _characters(wanted: Any) -> tuple[tuple[int, int], ...]:
    first, _, last = str(wanted or "").partition("-")
    return ((int(first), int(last)),) if first.isdecimal() and last.isdecimal() else ()


def _texts(wanted: Any) -> list[str]:
    return [str(one) for one in wanted[:20]] if isinstance(wanted, list) else []


def _unplayable(media: Media) -> str:
    if not Path(media.path).is_file():
        return f"The file is no longer at {media.path}; what is remembered can still be asked."
    if media.kind == "audio":
        return "This browser cannot play this recording; what was said stands in the time line."
    return "This browser cannot play this kind of video, so it is shown picture by picture."


def stage_part(stage: Stage) -> gr.HTML:
    """Make the stage."""
    names = (
        *("open_media", "subtitles", "density", "frame", "thumb"),
        *("leaf", "quoted", "hits", "find", "outline", "memory"),
    )
    calls = {name: getattr(stage, name) for name in names}
    return part("stage", backdrop(), calls, more=("line", "reading", "memory"))

"""Which media were indexed with other models than those in use, told by signatures alone.

Knows no model, and loads one only when told to. Vectors of two models never meet: what is stale is
found by its words, until `memqa reindex` has brought it up to date.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from memqa.values import Media, Sense

if TYPE_CHECKING:
    from memqa.engines import Engines
    from memqa.store.read import Reader
    from memqa.store.schema import MediaRow

FINISHED = ("indexed", "partial")
LIVE = "live"  # the signature of a media that came from a live source
_SENSES: dict[Sense, str] = {
    "text": "text",
    "image": "image",
    "speech": "speech",
    "reading": "reader",
}
_MODELS: dict[Sense, str] = {
    "text": "text encoder",
    "image": "picture encoder",
    "speech": "transcriber",
    "reading": "text reader",
}
_MOST_NAMES = 3


def stale_of(row: MediaRow, in_use: Mapping[str, str]) -> tuple[Sense, ...]:
    """Name what of a finished media other models made than those ``in_use``, by their signatures.

    What is not known of either side is not told. A recording has no pictures.
    """
    return tuple(one for one, made, used in _made(row, in_use) if used and made != used)


def unsure_of(row: MediaRow, in_use: Mapping[str, str]) -> tuple[Sense, ...]:
    """Name what of a finished media may be stale, since the signature in use is not known yet."""
    return tuple(one for one, _, used in _made(row, in_use) if not used)


def _made(row: MediaRow, in_use: Mapping[str, str]) -> Iterator[tuple[Sense, str, str]]:
    """Give each sense of a finished media, who made it, and who would now."""
    if row.media.status not in FINISHED:
        return
    for sense, name in _SENSES.items():
        made = row.signatures.get(name)
        if made and (row.media.kind != "audio" or sense in ("text", "speech")):
            yield sense, made, in_use.get(name, "")


def media_of(reader: Reader, engines: Engines) -> list[Media]:
    """Give every media, the newest first, each with what of it is stale."""
    in_use = engines.signatures()
    rows = [row for row in reader.media_rows() if not row.forgetting]
    found = [compared(row.media, row, in_use) for row in rows]
    return sorted(found, key=lambda media: media.added_at, reverse=True)


def compared(media: Media, row: MediaRow, in_use: Mapping[str, str]) -> Media:
    """Give a media with what of it is stale, by the signatures in its row."""
    stale, unsure = stale_of(row, in_use), unsure_of(row, in_use)
    is_told = (stale, unsure) == (media.stale, media.unsure)  # as of nearly all of ten thousand
    return media if is_told else replace(media, stale=stale, unsure=unsure)


def load(engines: Engines, senses: Collection[Sense]) -> None:
    """Load the models behind these senses, whose signatures are then known; raises SetupError."""
    models = {
        "text": engines.text_encoder,
        "image": engines.image_encoder,
        "speech": engines.transcriber,
        "reading": engines.text_reader,
    }
    for sense in senses:
        models[sense]()


def models_of(stale: Sequence[Sense]) -> str:
    """Name the models of what is stale: ``text encoder and picture encoder``."""
    return " and ".join(_MODELS[one] for one in stale)


def indexed_with_others(media: Media) -> str:
    """Say of one media that it is, or may be, stale and what to do; empty where it is not."""
    if media.stale:
        return (
            f"It was indexed with another {models_of(media.stale)} than now in use; bring it up to "
            f"date: memqa reindex {media.id[:8]}"
        )
    if media.unsure:
        return (
            f"Whether it was indexed with the {models_of(media.unsure)} now in use shows once that "
            f"is loaded; see, and bring it up to date: memqa reindex {media.id[:8]}"
        )
    return ""


def search_notes(media: Sequence[Media]) -> list[str]:
    """Say of the media that are searched what vectors cannot find in them, a sentence each."""
    texts = [one for one in media if "text" in one.stale]
    pictures = [one for one in media if "image" in one.stale]
    notes = []
    if texts:
        notes.append(
            f"{_named(texts)} indexed with another text encoder and searched by words only until "
            "`memqa reindex`"
        )
    if pictures:
        notes.append(
            f"{_named(pictures)} indexed with another picture encoder, and the pictures are not "
            "searched until `memqa reindex`"
        )
    return notes


def _named(media: Sequence[Media]) -> str:
    names = [one.name for one in media[:_MOST_NAMES]]
    if len(media) > _MOST_NAMES:
        names.append(f"{len(media) - _MOST_NAMES} more")
    told = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{told} {'was' if len(media) == 1 else 'were'}"

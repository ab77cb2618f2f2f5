"""Knows how to fill a library with very many memories that are like real ones, in minutes.

Texts are windows of real documents, vectors those that our encoders make of such windows and of
real pictures, each with a little noise: uniform vectors would flatter or ruin an index.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from numpy.typing import NDArray
from PIL import Image

from memqa.store import schema
from memqa.store.rows import media_table
from memqa.store.store import Store
from memqa.store.tables import Tables
from memqa.values import Kind, Media
from models import catalog

WINDOW_WORDS = 24
ROWS = 100  # text memories of one media
EVENTS, ELEMENTS = 40, 60  # of a video: so many of its ROWS are events, elements come on top
VIDEO_EVERY = 4  # one media in so many is a video
_NOISE = 0.3  # length of the noise on a vector of length one: a cosine of 0.96
_PICTURE_NOISE = 0.5  # of the logarithm of a class's probability
_MEDIA_AT_ONCE = 200
_SEGMENT_ROWS, _LAST_SEGMENT = 25, 3  # committed so many at a time, as perception does


@dataclass(frozen=True, slots=True)
class Real:
    """What the crowd is made of: words of documents, vectors [N, D] of texts and of pictures."""

    words: tuple[str, ...]
    texts: NDArray[np.float32]
    pictures: NDArray[np.float32]
    text_signature: str
    image_signature: str
    stills: tuple[bytes, ...]


def real_parts(data: Path, cache: Path) -> Real:
    """Encode windows of DATA's documents and its photos, once; the vectors stay in ``cache``."""
    cache.mkdir(parents=True, exist_ok=True)
    files = sorted((data / "docs").rglob("*.txt"))
    words = " ".join(file.read_text(encoding="utf-8", errors="replace") for file in files).split()
    text, image = catalog.text_encoder(), catalog.image_encoder()
    texts, pictures = cache / "texts.npy", cache / "pictures.npy"
    photos = [Image.open(file) for file in sorted((data / "video" / "photos").glob("*.jpg"))]
    if not texts.exists():
        windows = [words[i : i + WINDOW_WORDS] for i in range(0, len(words), WINDOW_WORDS)]
        print(f"encoding {len(windows)} texts …", file=sys.stderr, flush=True)
        np.save(texts, text.encode([" ".join(window) for window in windows]))
    if not pictures.exists():
        print(f"encoding {len(photos)} pictures …", file=sys.stderr, flush=True)
        shown = [np.asarray(photo.convert("RGB")) for photo in photos]
        np.save(pictures, image.encode(shown))
    return Real(
        tuple(words),
        np.load(texts),
        np.load(pictures),
        text.signature,
        image.signature,
        tuple(map(_still, photos)),
    )


def _still(photo: Image.Image) -> bytes:
    """Make a thumbnail far smaller than memqa's own, so that a million of memories fit the disk."""
    small, kept = photo.convert("RGB").resize((16, 12)), io.BytesIO()
    small.save(kept, "JPEG", quality=40)
    return kept.getvalue()


def question_texts(data: Path, many: int) -> list[str]:
    """Give real questions about the documents, spread over all of them."""
    lines = (data / "docs" / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    asked = [str(json.loads(line)["question"]) for line in lines]
    return asked[:: max(1, len(asked) // many)][:many]


def questions(data: Path, many: int) -> NDArray[np.float32]:
    """Encode real questions about the documents [Q, D]."""
    encoder = catalog.text_encoder()
    return np.stack([encoder.encode_query(one) for one in question_texts(data, many)])


def things(data: Path, many: int) -> NDArray[np.float32]:
    """Encode the names of photographed things [Q, D] as questions about pictures."""
    names = [file.stem.replace("_", " ") for file in sorted((data / "video/photos").glob("*.jpg"))]
    encoder, step = catalog.image_encoder(), max(1, len(names) // many)
    return np.stack([encoder.encode_query(one) for one in names[::step][:many]])


def fill(home: Path, real: Real, memories: int) -> Store:
    """Make a library of about so many text memories, and elements of videos on top."""
    tables, random = Tables(home), np.random.default_rng(7)
    many = memories // ROWS
    text = tables.make_vectors(real.text_signature, "cosine", real.texts.shape[1])
    image = tables.make_vectors(real.image_signature, "dot", real.pictures.shape[1])
    for first in range(0, many, _MEDIA_AT_ONCE):
        numbers = range(first, min(first + _MEDIA_AT_ONCE, many))
        picked = random.integers(0, len(real.texts), len(numbers) * ROWS)
        tables.memories.add(_memories(numbers, picked, real, random))
        text.add(_vectors(numbers, noisy_texts(real.texts[picked], random), ROWS))
        videos = [number for number in numbers if _is_video(number)]
        shown = _noisy_pictures(real.pictures, len(videos) * ELEMENTS, random)
        image.add(_vectors(videos, shown, ELEMENTS, elements=True))
        tables.media.add(pa.concat_tables([media_table(_media(n)) for n in numbers]))
        print(f"filled {numbers.stop * ROWS} of {memories}", file=sys.stderr, flush=True)
    return Store(home)


def media_id(number: int) -> str:
    """Name a media of the crowd as the SHA-256 of its bytes would."""
    return f"{(number * 0x9E3779B97F4A7C15) % 2**64:016x}" + f"{number:048x}"


def _is_video(number: int) -> bool:
    return number % VIDEO_EVERY == 0


def _media(number: int) -> schema.MediaRow:
    kind: Kind = "video" if _is_video(number) else "document"
    rows = ROWS + ELEMENTS if _is_video(number) else ROWS
    media = Media(
        media_id(number),
        f"/crowd/{number:06d}.{'mp4' if kind == 'video' else 'txt'}",
        kind,
        "indexed",
        duration_s=float(EVENTS) * 10 if kind == "video" else None,
        pages=None if kind == "video" else 20,
        memories=rows,
        added_at=f"2026-01-01T00:00:00.{number:06d}",
        method="adaptive" if kind == "video" else "",
    )
    last = _LAST_SEGMENT
    return schema.MediaRow(media, committed_segment=last, long_segment=last, settled=True)


def _locals(number: int) -> Iterator[tuple[str, str, str, int, str | None]]:
    """Give the local id, level, modality, order and parent of the text rows of a media."""
    if not _is_video(number):
        yield from ((f"p{i}", "passage", "text", i, None) for i in range(ROWS))
        return
    yield from ((f"e{i}", "event", "seen", i, None) for i in range(EVENTS))
    for i in range(ROWS - EVENTS):
        yield f"u{i}", "observation", "said", i, f"e{i * EVENTS // (ROWS - EVENTS)}"


def _memories(
    numbers: range, picked: NDArray[np.int64], real: Real, random: np.random.Generator
) -> pa.Table:
    starts = picked * WINDOW_WORDS + random.integers(0, WINDOW_WORDS // 3, len(picked))
    texts = iter([" ".join(real.words[at : at + WINDOW_WORDS]) for at in starts])
    rows: list[dict[str, object]] = []
    for number in numbers:
        id_ = media_id(number)
        for local, level, modality, order, parent in _locals(number):
            text = next(texts)
            where = _place(level, order)
            rows.append(_row(id_, local, level, modality) | where)
            rows[-1] |= {"order": order, "text": text, "words": text}
            rows[-1]["segment"] = min(order // _SEGMENT_ROWS, _LAST_SEGMENT)
            if level == "event":
                still = real.stills[random.integers(len(real.stills))]
                rows[-1] |= {"has_thumbnail": True, "thumbnail": still}
            rows[-1]["parent_id"] = schema.memory_id(id_, parent) if parent else None
        if _is_video(number):
            for i in range(ELEMENTS):
                where = _place("long", i)
                rows.append(_row(id_, f"m0-{i}", "long", "seen") | where)
                rows[-1] |= {"order": i, "text": "", "words": "", "method": "adaptive"}
                rows[-1] |= {"segment": _LAST_SEGMENT, "count": int(random.geometric(0.5))}
    return pa.Table.from_pylist(rows, schema=schema.MEMORIES)


def _row(media: str, local: str, level: str, modality: str) -> dict[str, object]:
    names = {"media_id": media, "level": level, "modality": modality, "segment": 0}
    plain = {"method": "", "count": 1, "heading": "", "boxes": [], "has_thumbnail": False}
    return {"id": schema.memory_id(media, local), **names, **plain}


def _place(level: str, order: int) -> dict[str, object]:
    if level == "passage":
        start = order * 150
        page = order // 5 + 1
        return {"page": page, "page_end": page, "char_start": start, "char_end": start + 150}
    length = {"event": 10.0, "observation": 6.0, "long": 6.5}[level]
    return {"start_s": order * length, "end_s": (order + 1) * length}


def _vectors(
    numbers: range | list[int],
    vectors: NDArray[np.float32],
    each: int,
    *,
    elements: bool = False,
) -> pa.Table:
    owners: list[tuple[str, str, str, str]] = []
    for number in numbers:
        id_ = media_id(number)
        if elements:
            named = [(f"m0-{i}", "long", "seen") for i in range(each)]
        else:
            named = [(local, level, how) for local, level, how, *_ in _locals(number)]
        owners += [(schema.memory_id(id_, one), id_, level, how) for one, level, how in named]
    ids, media, levels, modalities = zip(*owners, strict=True) if owners else ([], [], [], [])
    flat = pa.array(vectors.astype(np.float16).reshape(-1))
    columns = [
        pa.array(ids, pa.string()),
        pa.array(media, pa.string()),
        pa.array(np.zeros(len(owners), np.int32)),
        pa.array(levels, pa.string()),
        pa.array(modalities, pa.string()),
        pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
    ]
    declared = schema.vectors_schema("", "dot", vectors.shape[1]).remove_metadata()
    return pa.Table.from_arrays(columns, schema=declared)


def noisy_texts(vectors: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """Move vectors [N, D] a little, each in a direction of its own."""
    noise = random.standard_normal(vectors.shape, np.float32)
    noise *= _NOISE / np.sqrt(vectors.shape[1], dtype=np.float32)
    moved = vectors + noise
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True), np.float32)


def _noisy_pictures(
    pictures: NDArray[np.float32], many: int, random: np.random.Generator
) -> NDArray[np.float32]:
    """Mix two pictures, as a memory that merges frames does, and shake every class a little."""
    one, other = (pictures[random.integers(0, len(pictures), many)] for _ in range(2))
    share = random.beta(0.3, 0.3, (many, 1)).astype(np.float32)
    mixed = share * one + (1 - share) * other
    mixed = mixed * np.exp(_PICTURE_NOISE * random.standard_normal(mixed.shape, np.float32))
    return np.asarray(mixed / np.maximum(mixed.sum(axis=1, keepdims=True), 1e-12), np.float32)

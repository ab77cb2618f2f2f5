"""What was made of a file before it was edited and still fits, and how that is kept as states.

An edited file is a new media beside the earlier one, which stays whole until the new one is done.
Nothing here is copied unseen: each part is known by a hash of what it was made from.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from memqa.store.rows import searched_text
from memqa.store.schema import OUTLINE, MediaRow
from models.values import Features

if TYPE_CHECKING:
    from docmem.tree import Gist
    from memqa.store.read import Reader


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What a summary says in the words of ``model``, and the extract that stood there before.

    ``key`` is the hash of all that the words hang on (`docmem.rewrite.rewrite_key`); ``dropped``
    counts the model's sentences that nothing supports. Without a ``model`` the extract stands.
    """

    key: str
    extract: str
    text: str
    model: str
    dropped: int


@dataclass(frozen=True, slots=True)
class Kept:
    """Vectors [D] by the hash of their text, gists and rewrites by inputs, the states as stored."""

    vectors: Mapping[bytes, Features] = field(default_factory=dict)
    gists: Mapping[str, Gist] = field(default_factory=dict)
    rewrites: Mapping[str, Rewritten] = field(default_factory=dict)
    states: Mapping[str, bytes] = field(default_factory=dict)

    def vector(self, text: str) -> Features | None:
        """Give the vector that the text encoder made of this text."""
        return self.vectors.get(text_key(text)) if self.vectors else None


NOTHING_KEPT = Kept()


def keep(reader: Reader, row: MediaRow | None, encoder_signature: str) -> Kept:
    """Read what a media can lend to its successor; nothing where another encoder made it."""
    if row is None or row.signatures.get("text") != encoder_signature:
        return NOTHING_KEPT
    states = reader.states(row.media.id)
    made = reader.media_vectors(encoder_signature, row.media.id)
    memories = reader.memories(row.media.id, levels=["passage", "summary"])
    vectors = {
        text_key(searched_text(memory)): made[memory.id] for memory in memories if memory.id in made
    }
    return Kept(vectors, load_gists(states.get(OUTLINE)), states=states)


def text_key(text: str) -> bytes:
    """Give the hash that a text's vector is known by."""
    return sha256(text.encode()).digest()


def dump_gists(gists: Iterable[Gist]) -> bytes:
    """Write gists as a state; a sentence that stands in several is written once."""
    places: dict[str, int] = {}
    rows: list[Features] = []
    nodes = []
    for gist in gists:
        for sentence, feature in zip(gist.sentences, gist.features, strict=True):
            if places.setdefault(sentence, len(rows)) == len(rows):
                rows.append(feature)
        quotes = [places[sentence] for sentence in gist.sentences]
        nodes.append({"inputs": gist.inputs, "text": gist.text, "sentences": quotes})
    told = json.dumps({"sentences": list(places), "nodes": nodes}).encode()
    out = io.BytesIO()
    features = np.stack(rows).astype(np.float16) if rows else np.zeros((0, 1), np.float16)
    np.savez_compressed(out, told=np.frombuffer(told, np.uint8), features=features)
    return out.getvalue()


def load_gists(blob: bytes | None) -> dict[str, Gist]:
    """Read gists by their inputs."""
    from docmem.tree import Gist

    if not blob:
        return {}
    with np.load(io.BytesIO(blob), allow_pickle=False) as stored:
        told, features = json.loads(stored["told"].tobytes()), stored["features"]
    sentences = told["sentences"]
    return {
        node["inputs"]: Gist(
            node["inputs"],
            node["text"],
            tuple(sentences[at] for at in node["sentences"]),
            features[node["sentences"]] if node["sentences"] else features[:0],
        )
        for node in told["nodes"]
    }


def gist_inputs(blob: bytes | None) -> list[str]:
    """Read the inputs of the gists alone, in the order of their nodes."""
    if not blob:
        return []
    with np.load(io.BytesIO(blob), allow_pickle=False) as stored:
        return [node["inputs"] for node in json.loads(stored["told"].tobytes())["nodes"]]


def dump_rewrites(rewrites: Mapping[str, Rewritten]) -> bytes:
    """Write rewrites as a state."""
    return zlib.compress(json.dumps({on: asdict(one) for on, one in rewrites.items()}).encode())


def load_rewrites(blob: bytes | None) -> dict[str, Rewritten]:
    """Read rewrites by what they are of: the inputs of a gist, or a node's id."""
    told = json.loads(zlib.decompress(blob)) if blob else {}
    return {on: Rewritten(**one) for on, one in told.items()}

"""What the models in use can add to a finished media: captions of events, then shorter summaries.

A model that sees describes a video's events (`memqa.captions`). A language model that passed its
test writes the summaries in its words, node by node from the events or passages up, each sentence
checked. All is kept by a hash of what it hangs on, so that a stopped run goes on where it was and a
second run asks nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memqa import capabilities
from memqa.alone import leased
from memqa.captions import Budget, Captioned, caption
from memqa.kept import Rewritten, dump_rewrites, gist_inputs, load_rewrites
from memqa.listening import Listener
from memqa.outline import LEAVES, load_outline
from memqa.rewriting import Rewriting
from memqa.store.schema import ENRICHED, OUTLINE, MediaRow, Memory
from memqa.values import Media
from models.errors import (
    ChatModelUnavailable,
    IngestCancelled,
    InputError,
    SetupError,
    StoreMismatch,
)
from models.ports import LanguageModel, TextEncoder
from models.values import OnProgress, ShouldStop

if TYPE_CHECKING:
    from memqa.opened import Opened
    from memqa.store.store import Store

NO_BUDGET = Budget()


@dataclass(frozen=True, slots=True)
class Enriched:
    """How many summaries of a media are in the model's words, and how many stayed extracts.

    ``dropped_sentences`` are those that the model wrote and nothing in their sources supports.
    ``captions`` is how many events have one by the model that sees, ``without_caption`` how many
    have none yet; ``notes`` say what the pictures lacked.
    """

    rewritten: int = 0
    kept: int = 0
    dropped_sentences: int = 0
    captions: int = 0
    without_caption: int = 0
    notes: tuple[str, ...] = ()


def enrich(
    library: Opened,
    media: Media,
    *,
    budget: Budget = NO_BUDGET,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> Enriched:
    """Let the models in use describe a video's events and shorten a media's summaries.

    Whatever they can do is done: captions need a model that sees and a video, summaries one of tier
    A or B. Captions come first, as many as the budget allows, since summaries are made from them
    too: level by level, each from the current texts of its children (`docmem.rewrite.shorten`),
    under the headings that stood over the extract. Readers see the older or the newer text
    throughout.

    Raises:
        InputError: the media is not indexed to its end.
        SetupError: the models can do neither, or are missing.
        StoreMismatch: the media was indexed with another text encoder.
        ChatModelUnavailable: the model failed; what it wrote so far stays.
        StoreConflict: another process works on the media.
        IngestCancelled: ``should_stop`` wished it; what was written so far stays.
    """
    tier, why = capabilities.tier_of(library)
    writer = library.engines.language_model() if tier in ("A", "B") else None
    eyes, blind = _eyes(library) if media.kind == "video" else (None, "")
    if writer is None and eyes is None:
        if blind or (tier == "D" and library.settings.tier != "D"):
            raise SetupError(f"no model in use can enrich {media.name}: {blind or why}")
        unseen = ", and no model in use sees" if media.kind == "video" else ""
        raise SetupError(
            f"the language model works in tier {tier} here, and only one of tier A or B may write "
            f"summaries, since a weaker one says what the file does not{unseen}; choose another "
            "with MEMQA_MODELS__LANGUAGE_MODEL and see what it can do with `memqa tier --test`"
        )
    encoder, listener = library.engines.text_encoder(), Listener(on_progress, should_stop)
    with leased(library.home, media.id):
        row, captioned = _finished(library.store, media, encoder), Captioned(0, 0)
        if eyes is not None:
            models = eyes, encoder
            captioned = caption(library.store, row, models, budget=budget, listener=listener)
            row = _finished(library.store, media, encoder)
        made = Enriched(kept=len(library.store.read.memories(media.id, levels=["summary"])))
        if writer is not None:
            made = _all(_Summaries(library.store, row, encoder), writer, listener)
    return replace(
        made,
        captions=captioned.captions,
        without_caption=captioned.missing,
        notes=(*captioned.notes, *filter(None, [blind])),
    )


def _eyes(library: Opened) -> tuple[LanguageModel | None, str]:
    """Give the model that describes pictures, or none and why it is missing."""
    try:
        eyes = library.engines.captioner()
    except (SetupError, ChatModelUnavailable) as exc:
        return None, str(exc)
    return (eyes, "") if eyes.sees else (None, "")


def _finished(store: Store, media: Media, encoder: TextEncoder) -> MediaRow:
    row = store.read.media_row(media.id)
    if row is None or row.media.status not in ("indexed", "partial"):
        raise InputError(f"{media.name} is not indexed to its end; `memqa index` it first")
    if row.signatures.get("text") != encoder.signature:
        raise StoreMismatch(
            f"{media.name} was indexed with another text encoder than the one in use; bring it up "
            "to date with `memqa reindex`"
        )
    return row


def _all(writing: _Summaries, model: LanguageModel, listener: Listener) -> Enriched:
    from docmem.rewrite import rewrite_key

    store, media = writing.store, writing.media
    leaves = store.read.memories(media.id, levels=LEAVES)
    texts = {f"p{place}": leaf.text for place, leaf in enumerate(leaves)}
    nodes = load_outline(store.read, media).nodes
    # Both stand level by level from the passages up.
    summaries = store.read.memories(media.id, levels=["summary"])
    names = writing.names([node.id for node in nodes])
    listener.progress("Shortening summaries", 0, len(nodes), "summaries")
    try:
        for place, (node, summary) in enumerate(zip(nodes, summaries, strict=True)):
            if listener.stops():
                raise IngestCancelled(
                    f"stopped after {place} of the {len(nodes)} summaries of {media.name}; what is "
                    "written stays, and the next run goes on there"
                )
            before = writing.rewrites.get(names[place])
            extract = before.extract if before else summary.text
            sources = [texts[child] for child in node.children]
            key = rewrite_key(sources, model)
            said = before
            if said is None or said.key != key:
                said = _shortened(extract, sources, key, model)
            texts[node.id] = said.text
            writing.take(names[place], said, summary)
            listener.progress("Shortening summaries", place + 1, len(nodes), "summaries")
    finally:
        writing.end()
    made = [writing.rewrites[name] for name in names]
    rewritten = sum(bool(one.model) for one in made)
    return Enriched(rewritten, len(made) - rewritten, sum(one.dropped for one in made))


def _shortened(extract: str, sources: Sequence[str], key: str, model: LanguageModel) -> Rewritten:
    from docmem.rewrite import shorten

    if not any(source.strip() for source in sources):
        return Rewritten(key, extract, extract, "", 0)
    made = shorten(extract, sources, model)
    if made.how == "extract":
        return Rewritten(key, extract, extract, "", len(made.dropped))
    headings, line, _ = extract.partition("\n")
    text = f"{headings}\n{made.text}" if line else made.text
    return Rewritten(key, extract, text, made.model, len(made.dropped))


class _Summaries:
    """The summaries of one media as they shall be, and what to know them by."""

    def __init__(self, store: Store, row: MediaRow, encoder: TextEncoder) -> None:
        self.store = store
        self.media = row.media
        self.rewrites: dict[str, Rewritten] = {}
        self._states = store.read.states(row.media.id)
        self._rows = Rewriting(store, row, encoder, self._known)

    def names(self, nodes: Sequence[str]) -> list[str]:
        """Name nodes by what their gists were made from, so that an edited file knows them again.

        A video's gists are not kept; its nodes go by their ids. What was rewritten under another
        name is let go.
        """
        inputs = gist_inputs(self._states.get(OUTLINE))
        names = inputs if len(inputs) == len(nodes) else list(nodes)
        stored = load_rewrites(self._states.get(ENRICHED))
        self.rewrites = {name: stored[name] for name in names if name in stored}
        return names

    def take(self, name: str, said: Rewritten, summary: Memory) -> None:
        """Put a summary in its place, unless it stands there already."""
        is_new = said != self.rewrites.get(name)
        self.rewrites[name] = said
        wanted = replace(summary, text=said.text, method=said.model)
        self._rows.take(summary, wanted, is_new=is_new)

    def end(self) -> None:
        """Write what is left."""
        self._rows.end()

    def _known(self) -> dict[str, bytes]:
        return {ENRICHED: dump_rewrites(self.rewrites)}

"""Summaries in a language model's words, node by node from the passages up, each sentence checked.

Only a model that passed its test may write them. What it wrote is kept by a hash of all that it
hangs on, so that a stopped run goes on at the next node and a second run asks nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memqa import capabilities
from memqa.embedding import text_batch
from memqa.ingest import leased
from memqa.kept import Rewritten, dump_rewrites, gist_inputs, load_rewrites
from memqa.listening import Listener
from memqa.outline import LEAVES, load_outline
from memqa.store.schema import ENRICHED, OUTLINE, Commit, MediaRow, Memory
from memqa.values import Media
from models.errors import IngestCancelled, InputError, SetupError, StoreMismatch
from models.ports import LanguageModel, TextEncoder
from models.values import OnProgress, ShouldStop

if TYPE_CHECKING:
    from memqa.library import Library
    from memqa.store.store import Store

_AT_ONCE = 8  # nodes a commit: so many replies a killed process loses at most


@dataclass(frozen=True, slots=True)
class Enriched:
    """How many summaries of a media are in the model's words, and how many stayed extracts.

    ``dropped_sentences`` are those that the model wrote and nothing in their sources supports.
    """

    rewritten: int
    kept: int
    dropped_sentences: int


def enrich(
    library: Library,
    media: Media,
    *,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> Enriched:
    """Let the language model shorten a media's summaries, level by level from the passages up.

    Each is made from the current texts of its children (`docmem.rewrite.shorten`), under the
    headings that stood over the extract. Readers see the older text or the newer one throughout.

    Raises:
        InputError: the media is not indexed to its end.
        SetupError: the model is in tier C or D, or missing.
        StoreMismatch: the media was indexed with another text encoder.
        ChatModelUnavailable: the model failed; what it wrote so far stays.
        StoreConflict: another process works on the media.
        IngestCancelled: ``should_stop`` wished it; what was written so far stays.
    """
    tier, _ = capabilities.tier_of(library)
    if tier not in ("A", "B"):
        raise SetupError(
            f"the language model works in tier {tier} here, and only one of tier A or B may write "
            "summaries, since a weaker one says what the file does not; choose another with "
            "MEMQA_MODELS__LANGUAGE_MODEL and see what it can do with `memqa tier --test`"
        )
    model, encoder = library.engines.language_model(), library.engines.text_encoder()
    with leased(library.home, media.id):
        row = _finished(library.store, media, encoder)
        writing = _Writing(library.store, row, encoder)
        return _all(writing, model, Listener(on_progress, should_stop))


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


def _all(writing: _Writing, model: LanguageModel, listener: Listener) -> Enriched:
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


class _Writing:
    """Writes the summaries of one media anew, a few at once, and what to know them by."""

    def __init__(self, store: Store, row: MediaRow, encoder: TextEncoder) -> None:
        self.store = store
        self.media = row.media
        self.rewrites: dict[str, Rewritten] = {}
        self._encoder = encoder
        self._segment = row.committed_segment
        self._states = store.read.states(row.media.id)
        self._changed: list[tuple[Memory, Memory]] = []
        self._new = 0
        self._is_written = False

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
        self._new += said != self.rewrites.get(name)
        self.rewrites[name] = said
        wanted = replace(summary, text=said.text, method=said.model)
        if wanted != summary:
            self._changed.append((summary, wanted))
        if max(self._new, len(self._changed)) >= _AT_ONCE:
            self._write()

    def end(self) -> None:
        """Write what is left, and count the media's bytes again."""
        self._write()
        if self._is_written:
            self.store.write.settle(self.media)
            self.store.upkeep.compact()

    def _write(self) -> None:
        """Commit what is known and the vectors first, then the rows.

        Where a run dies in between, the next one sees rows that differ from what is known, and
        writes them. A row keeps its segment: it was committed long ago and is never half there.
        """
        changed, new = self._changed, self._new
        self._changed, self._new = [], 0
        if not changed and not new:
            return
        rows = [wanted for _, wanted in changed]
        self._commit(
            Commit(
                self._segment + 1,
                self.media,
                memories=[older for older, _ in changed],
                vectors=[text_batch(self._encoder, rows, Listener())],
                states={ENRICHED: dump_rewrites(self.rewrites)},
            )
        )
        if rows:
            self._commit(Commit(self._segment + 1, self.media, memories=rows))
        self.store.upkeep.after_commit()

    def _commit(self, commit: Commit) -> None:
        self._is_written = True
        row = self.store.write.commit(commit)
        self.media, self._segment = row.media, row.committed_segment

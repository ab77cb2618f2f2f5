"""How far a search has to look: which rows it must pass over, and how many cells of an index.

To name every media of a large library costs more than the search, to look at each row for the sake
of one media that is being written does too, and an index of which a filter leaves little finds
little: all that is told here, from the media alone.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lancedb.expr import Expr, col, lit

from memqa.store.indexes import IndexPolicy
from memqa.store.schema import NOTHING_COMMITTED, MediaRow
from memqa.values import Level, Modality

_MOST_REFINED = 1000  # of more, the last ones' exact order is not worth reading all their vectors
_ELEMENTS: tuple[Level, ...] = ("long",)  # documents have none


@dataclass(frozen=True, slots=True)
class Reach:
    """What a search looks through: ``media_ids`` to filter by, None where no filter is needed.

    ``share`` is the part of all memories that the filter leaves, ``rows`` how many that are.
    """

    media_ids: frozenset[str] | None = None
    share: float = 1.0
    rows: int = 0

    def within(self, query: Any, limit: int, policy: IndexPolicy) -> Any:
        """Let a vector query look as far as it must; where little is left, at all of that."""
        if self.media_ids is not None and self.rows < policy.from_rows:
            return query.bypass_vector_index()
        # Each cell gives fewer rows the less the filter leaves, and more rows take more cells.
        wanted = policy.probes / self.share + 8 * limit / policy.cell_rows
        query = query.nprobes(math.ceil(wanted))
        return query.refine_factor(policy.refine) if limit <= _MOST_REFINED else query


def reach_of(
    rows: Sequence[MediaRow], media_ids: Sequence[str] | None, levels: Sequence[Level] | None
) -> Reach:
    """Tell how far a search over these media looks, among all media of the library."""
    if media_ids is None:
        return Reach()
    named = frozenset(media_ids)
    elements = levels is not None and tuple(levels) == _ELEMENTS
    able = [row.media for row in rows if not (elements and row.media.kind == "document")]
    every, held = sum(media.memories for media in able), 0
    missing = False
    for media in able:
        if media.id in named:
            held += media.memories
        else:
            missing = True
    if not missing:
        return Reach()
    return Reach(named, max(held, 1) / max(every, 1), held)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a search is for: rows of these media, levels and modalities; None means all."""

    media_ids: Sequence[str] | None = None
    levels: Sequence[Level] | None = None
    modalities: Sequence[Modality] | None = None

    @property
    def is_nothing(self) -> bool:
        """Say whether nothing at all is asked for."""
        parts = (self.media_ids, self.levels, self.modalities)
        return any(one is not None and not one for one in parts)


@dataclass(frozen=True, slots=True)
class Look:
    """One query of a search: how far it looks, and which rows it passes over."""

    reach: Reach
    where: Expr | None


def looks(rows: Sequence[MediaRow], wanted: Wanted, policy: IndexPolicy) -> list[Look]:
    """Tell the queries of which a search consists: one, or in a large library two.

    While media are being written, each of their rows has to be looked at. Where that are few of
    many, they are searched by themselves, so that all others are found through the indexes.
    """
    known = [row for row in rows if not row.forgetting]
    reach = reach_of(known, wanted.media_ids, wanted.levels)
    open_ids = frozenset(row.media.id for row in known if not row.settled)
    if not open_ids or sum(row.media.memories for row in known) < policy.from_rows:
        return [Look(reach, _where(hidden(rows), reach.media_ids, wanted))]
    unseen = [row.media.id for row in rows if row.forgetting or not row.settled]
    plain = Look(reach, _where([~col("media_id").isin(unseen)], reach.media_ids, wanted))
    own = open_ids if wanted.media_ids is None else open_ids & set(wanted.media_ids)
    if not own:
        return [plain]
    return [plain, Look(Reach(own), _where(hidden(rows), own, wanted))]


def hidden(rows: Iterable[MediaRow]) -> list[Expr]:
    """Say what must not be seen, for the few media that are being written or deleted."""
    parts: list[Expr] = []
    for row in rows:
        if row.settled and not row.forgetting:
            continue
        mine = col("media_id") == lit(row.media.id)
        if row.forgetting or row.committed_segment == NOTHING_COMMITTED:
            parts.append(~mine)
            continue
        beyond = col("segment") > lit(row.committed_segment)
        replaced = (col("level") == lit("long")) & (col("segment") < lit(row.long_segment))
        parts.append(~(mine & (beyond | replaced)))
    return parts


def all_of(first: Expr, *others: Expr) -> Expr:
    """Join conditions that must all hold."""
    return functools.reduce(lambda left, right: left & right, others, first)


def _where(parts: Sequence[Expr], media_ids: Iterable[str] | None, wanted: Wanted) -> Expr | None:
    names = {"media_id": media_ids, "level": wanted.levels, "modality": wanted.modalities}
    asked = [col(name).isin(sorted(one)) for name, one in names.items() if one is not None]
    every = [*parts, *asked]
    return all_of(*every) if every else None

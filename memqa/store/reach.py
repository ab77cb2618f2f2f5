"""How far a search has to look: which media it must tell apart, and how many cells of an index.

To name every media of a large library costs more than the search, and an index of which a filter
leaves little finds little: both are told here, from the media alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from memqa.store.indexes import IndexPolicy
from memqa.store.schema import MediaRow
from memqa.values import Level

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
        return query.nprobes(math.ceil(wanted))


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

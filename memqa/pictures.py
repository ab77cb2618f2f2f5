"""The small pictures of a video's events, made again from its file where they are missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from memqa.frames import show
from models.values import TimeSpan

if TYPE_CHECKING:
    from memqa.store.store import Store

_AT_ONCE = 64  # frames in memory


def made_again(store: Store, media_id: str, ids: Sequence[str]) -> int:
    """Make the small pictures of these memories from the video's file; say how many could be."""
    from vidmem.frame import jpeg

    row = store.read.media_row(media_id)
    memories = store.read.memories_by_id(ids).values()
    spans = [(one, one.locator) for one in memories if isinstance(one.locator, TimeSpan)]
    # The middle of an event shows it, as the frame did that is lost.
    moments = [(one, (span.start_s + span.end_s) / 2) for one, span in spans]
    if row is None or row.media.kind != "video" or not moments:
        return 0
    made = 0
    for at in range(0, len(moments), _AT_ONCE):
        shown = show(store.read, row, moments[at : at + _AT_ONCE])
        pictures = {memory.id: jpeg(picture) for memory, _, picture in shown.pictures}
        if pictures:
            store.damage.put_pictures(pictures)
        made += len(pictures)
    return made

"""How work on a media ended that did not come to its end: what is kept, and what is said of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from memqa.alone import leased
from memqa.stale import LIVE
from memqa.store.schema import NOTHING_COMMITTED, MediaRow
from memqa.values import Outcome
from models.errors import IngestCancelled, InputError, MemqaError, StoreConflict

if TYPE_CHECKING:
    from memqa.store.store import Store

log = logging.getLogger(__name__)


def outcome_of(path: str, work: Callable[[], Outcome]) -> Outcome:
    """Give the outcome of the work on one file, whatever happens in it."""
    started = time.monotonic()
    try:
        return work()
    except IngestCancelled as exc:
        return Outcome(path, "cancelled", error=exc, elapsed_s=time.monotonic() - started)
    except MemqaError as exc:
        return Outcome(path, "failed", error=exc, elapsed_s=time.monotonic() - started)
    except Exception as exc:  # one file must never stop the batch
        log.exception("unexpected while indexing")
        return Outcome(path, "failed", error=exc, elapsed_s=time.monotonic() - started)


def settle_unfinished(store: Store, media_id: str, error: BaseException) -> None:
    """Keep what was committed for the next run; of a file that is at fault, keep nothing."""
    row = store.read.media_row(media_id)
    if row is None or row.forgetting:
        return
    if isinstance(error, InputError) or row.committed_segment == NOTHING_COMMITTED:
        store.upkeep.forget(media_id)
    elif isinstance(error, Exception) and not isinstance(error, IngestCancelled):
        text = str(error) or type(error).__name__
        store.write.settle(replace(row.media, status="failed", error=text))
    else:
        store.write.settle(replace(row.media, status="cancelled"))


def settle_abandoned(store: Store, waiting: Collection[str] = ()) -> None:
    """Settle media whose process died while it took them in, so that they can be gone on with.

    Those with an id or a path in ``waiting`` are left to the worker, which takes them up itself. A
    live source cannot be taken up again: what was seen of it is kept as it is.
    """
    for row in store.read.media_rows():
        if _is_left(row) and not {row.media.id, row.media.path} & set(waiting):
            with suppress(StoreConflict), leased(store.home, row.media.id):
                # It may have come to its end between our look and our lease.
                last = store.read.media_row(row.media.id)
                if last is not None and _is_left(last):
                    _settle(store, last)


def _is_left(row: MediaRow) -> bool:
    return row.media.status == "indexing" and not row.forgetting


def _settle(store: Store, row: MediaRow) -> None:
    if LIVE not in row.signatures:
        store.write.settle(replace(row.media, status="cancelled"))
    elif row.committed_segment == NOTHING_COMMITTED:
        store.upkeep.forget(row.media.id)
    else:
        notes = (*row.media.notes, "Watching was cut short.")
        store.write.settle(replace(row.media, status="partial", notes=notes))

"""Which exit code each branch of the error tree leaves with, and the sentence that is printed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from models.errors import IngestCancelled, InputError, SetupError

if TYPE_CHECKING:
    from memqa.reindex import Reindexed
    from memqa.values import Outcome

DONE = 0
FAILED = 1
INPUT_AT_FAULT = 2
SETUP_AT_FAULT = 3
STOPPED = 130  # what a shell reports for a program that Ctrl-C ended

_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (InputError, INPUT_AT_FAULT),
    (SetupError, SETUP_AT_FAULT),
    (IngestCancelled, STOPPED),
    (KeyboardInterrupt, STOPPED),
)


def code_of(error: BaseException) -> int:
    """Give the exit code that an error leads to."""
    return next((code for branch, code in _CODES if isinstance(error, branch)), FAILED)


def code_of_batch(outcomes: Sequence[Outcome | Reindexed]) -> int:
    """Give the exit code of a run over files: 0, a single file's own fault, or 1 if some failed."""
    if any(outcome.status == "cancelled" for outcome in outcomes):
        return STOPPED
    # What is left of a file that was partly brought up to date comes with an error.
    failed = [one for one in outcomes if one.status in ("failed", "partial") and one.error]
    if not failed:
        return DONE
    codes = {code_of(outcome.error) if outcome.error else FAILED for outcome in failed}
    # Broken set-up fails every file alike; that is worth telling apart from a bad file in a batch.
    if len(outcomes) == 1 or (codes == {SETUP_AT_FAULT} and len(failed) == len(outcomes)):
        return codes.pop()
    return FAILED


def complain(message: str) -> None:
    """Write one line for the person to stderr; a file's name in it cannot begin another."""
    from memqa.cli.words import printable

    print(f"memqa: {printable(message)}", file=sys.stderr)

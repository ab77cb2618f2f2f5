"""Watches the source of a job with fake engines: ``python -m tests.memqa.watched HOME JOB``.

The address is read from stdin.
"""

from __future__ import annotations

import sys
from pathlib import Path

from memqa import settings, watching
from tests.memqa.parts import FakeEngines


def main(home: str, job: str) -> None:
    chosen = settings.load(home=Path(home))
    watching.run(chosen, job, sys.stdin.read(), engines=FakeEngines())


if __name__ == "__main__":
    main(*sys.argv[1:])

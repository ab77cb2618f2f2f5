"""Works through a library's queue with fake engines: ``python -m tests.memqa.working HOME [DIE]``.

With a step's name as DIE it kills itself in the second segment, as often as it is started.
"""

from __future__ import annotations

import sys
from pathlib import Path

from memqa import settings
from memqa.settings import JobSettings
from memqa.worker import Worker
from tests.memqa.killed import die_after
from tests.memqa.parts import FakeEngines


def main(home: str, die: str = "") -> None:
    if die:
        die_after(die, 1)
    chosen = settings.load(home=Path(home)).model_copy(
        update={"jobs": JobSettings(idle_exit_s=0.5, max_attempts=2)}
    )
    Worker(chosen, engines=FakeEngines()).run()


if __name__ == "__main__":
    main(*sys.argv[1:])

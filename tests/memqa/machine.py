"""Another machine with a library on object storage: takes files in once it is told to go.

``XDG_DATA_HOME=… python -m tests.memqa.machine ADDRESS GO FILE…`` opens the library, writes
``ready`` on stdout, waits until the file GO is there, and prints a line of JSON for each file.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from memqa.library import Library
from tests.memqa.parts import FakeEngines


def main(address: str, go: str, *files: str) -> None:
    with Library(address, engines=FakeEngines()) as library:
        library.media()
        print("ready", flush=True)
        while not Path(go).exists():
            time.sleep(0.01)
        for outcome in library.index(files):
            error = type(outcome.error).__name__ if outcome.error else None
            print(json.dumps([Path(outcome.path).name, outcome.status, error, str(outcome.error)]))


if __name__ == "__main__":
    main(*sys.argv[1:])

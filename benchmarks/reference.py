"""Knows how to hold our methods against the outputs of the authors' own code, file by file.

``python -m benchmarks.reference --data DIR``: every ``SYSTEM_CASE.npz`` in DIR goes through the
method it belongs to in ``released`` mode. Files with ``quirk`` in their name document defects:
there the sensible behaviour is asked for, or nothing. The last thing on stdout is one JSON object;
the exit code is 1 when a file fails.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.released import emllm, infinite, malmm, moviechat, xmem
from benchmarks.released.verdict import Arrays, Verdict

SYSTEMS: dict[str, Callable[[str, Arrays], Verdict]] = {
    "moviechat": moviechat.check,
    "xmem": xmem.check,
    "inftyvideo": infinite.check,
    "malmm": malmm.check,
    "emllm": emllm.check,
}


def main() -> None:
    """Judge every file of a folder and print what came out."""
    parser = argparse.ArgumentParser(prog="benchmarks.reference", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder of .npz files")
    files = sorted(parser.parse_args().data.glob("*.npz"))
    if not files:
        sys.exit("no .npz files there")
    verdicts = {file.stem: judged(file) for file in files}
    required = [verdict for verdict in verdicts.values() if verdict.passed is not None]
    report = {
        "files": {name: _row(verdict) for name, verdict in verdicts.items()},
        "passed": sum(bool(verdict.passed) for verdict in required),
        "total": len(required),
    }
    print(json.dumps(report, indent=1))
    sys.exit(report["passed"] != report["total"])


def judged(file: Path) -> Verdict:
    """Judge one file; what cannot be run fails, with the reason."""
    system, _, case = file.stem.partition("_")
    quirk = "quirk" in case
    if system not in SYSTEMS:
        return Verdict(None, 0.0, quirk, f"memqa has no method called {system}")
    try:
        with np.load(file, allow_pickle=False) as loaded:
            return SYSTEMS[system](case, dict(loaded))
    except Exception as exc:  # whatever breaks in one file must not hide the others
        return Verdict(False, float("inf"), quirk, f"{type(exc).__name__}: {exc}")


def _row(verdict: Verdict) -> dict[str, Any]:
    error = verdict.max_error if np.isfinite(verdict.max_error) else None
    return {
        "pass": verdict.passed,
        "max_error": error,
        "quirk": verdict.quirk,
        "note": verdict.note,
    }


if __name__ == "__main__":
    main()

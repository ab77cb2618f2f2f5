"""The command line: what a person types and reads; every answer comes from the library.

Results go to stdout and everything else to stderr, so that ``memqa … --json | jq`` just works.
"""

from __future__ import annotations


def main() -> None:
    """Run the command that ``sys.argv`` names and leave with its exit code."""
    from memqa.cli.app import run

    run()

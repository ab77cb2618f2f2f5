"""The ``memqa`` command as a whole: which commands there are, and how a run of it ends."""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Annotated

import typer

from memqa.cli import exits
from memqa.cli.commands import CommandsOnCall, announce
from memqa.cli.options import Home
from memqa.logged import log_to_stderr
from models.errors import MemqaError

app = typer.Typer(
    name="memqa",
    cls=CommandsOnCall,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Ask hours of video and hundreds of pages on your own machine, and see the moment or the"
        " page that each answer rests on.\n\n"
        "\b\nExamples:\n"
        "  memqa demo                                the whole way in a minute\n"
        "  memqa index talk.mp4 report.pdf           remember two files\n"
        '  memqa ask "When does she open the box?"   ask everything remembered\n'
        "  memqa serve                               the same in a web page\n\n"
        "Results go to stdout, everything else to stderr: where a command fails, --json prints"
        " nothing but what was done. Exit codes: 0 done, 2 the input is at"
        " fault, 3 the set-up is at fault, 1 anything else, 130 stopped by Ctrl-C.\n\n"
        "Settings come from flags, MEMQA_* variables and a file: see memqa settings."
    ),
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"memqa {version('memqa')}")
        raise typer.Exit


@app.callback()
def memqa(
    context: typer.Context,
    home: Home = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say more on stderr.", show_default=False)
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Keep what all commands share: the library's folder and how much is said on the way."""
    context.obj = home
    log_to_stderr(logging.INFO if verbose else logging.ERROR, "memqa: %(levelname)s: %(message)s")
    # That something is sent to another machine is always said.
    logging.getLogger("models.llm.server").setLevel(logging.WARNING)
    # So is who fails to log in to the page.
    logging.getLogger("memqa.ui").setLevel(logging.DEBUG if verbose else logging.WARNING)
    if verbose:
        logging.getLogger("memqa").setLevel(logging.DEBUG)


announce(app)


def run(arguments: list[str] | None = None) -> None:
    """Run the command line and leave: every error becomes one sentence and one exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a narrow terminal encoding must not end a run
            stream.reconfigure(errors="replace")
    try:
        app(args=arguments, prog_name="memqa")
    except MemqaError as error:
        exits.complain(str(error))
        sys.exit(exits.code_of(error))
    except Exception as error:
        if {"-v", "--verbose"} & set(arguments):
            traceback.print_exc()
        from memqa.calls import unforeseen

        exits.complain(unforeseen(error))
        sys.exit(exits.FAILED)
    except SystemExit as leaving:
        if leaving.code == exits.STOPPED:
            exits.complain("stopped.")
        raise

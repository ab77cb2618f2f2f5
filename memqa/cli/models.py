"""The commands ``models``, ``models pull`` and ``models use``: which models there are and run."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from memqa.cli import exits, words
from memqa.cli.options import AsJson
from models.errors import InputError

if TYPE_CHECKING:
    from models.fetch import Pulled

models = typer.Typer(
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_Preset = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Several models at once: embedded, laptop or gpu.",
        show_default=False,
    ),
]


@models.callback()
def list_models(context: typer.Context, as_json: AsJson = False) -> None:
    """List the models that can be used, which are in use (*), and what each one needs.

    \b
    Examples:
      memqa models
      memqa models pull qwen3-4b
      memqa models use language-model qwen3-4b
      memqa models use captioner http://localhost:8080/v1
      memqa models use --preset embedded
    """
    if context.invoked_subcommand is not None:
        return
    from memqa import model_choice, settings

    found = model_choice.rows(settings.load().models)
    if as_json:
        words.print_json([asdict(row) for row in found])
        return
    words.print_table(
        ("port", "name", "", "disk", "memory", "GPU", "licence", "good for, from"),
        [
            (
                row.port,
                f"{'*' if row.in_use else ' '} {row.name}",
                row.state,
                _size(row.disk_bytes),
                _size(row.ram_bytes),
                _size(row.gpu_bytes),
                row.licence,
                ", ".join(filter(None, (row.good_for, row.source))),
            )
            for row in found
        ],
    )
    for row in found:
        if row.in_use and row.problem:
            exits.complain(f"{row.port} {row.name}: {row.problem}")


@models.command()
def pull(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME...", help="Known names, hf:OWNER/REPO or the like."),
    ] = None,
    preset: _Preset = None,
    as_json: AsJson = False,
) -> None:
    """Fetch models from the Hugging Face hub; the only command of memqa that needs the internet.

    An interrupted fetch goes on where it stopped. Every file is checked against its sum.

    \b
    Examples:
      memqa models pull qwen3-4b
      memqa models pull hf:Qwen/Qwen3-4B-GGUF/Qwen3-4B-Q8_0.gguf
      memqa models pull --preset laptop
    """
    from memqa import model_choice
    from memqa.cli.progress import display

    if bool(names) == bool(preset):
        raise InputError("name the models to fetch, or give --preset")
    wanted = names or model_choice.to_pull(preset or "")
    pulled = []
    with display() as shown:
        for name in wanted:
            shown.begin(name)
            pulled.append((name, model_choice.pull(name, shown.update)))
            shown.begin("")
            if not as_json:
                print(words.plain(_told(*pulled[-1])), flush=True)
    if as_json:
        words.print_json(
            [
                {"name": name, "path": str(one.path), "fetched_bytes": one.fetched_bytes}
                for name, one in pulled
            ]
        )
    elif not wanted:
        print("everything of it is on this machine already")


@models.command()
def use(
    port: Annotated[
        str | None,
        typer.Argument(
            metavar="PORT",
            help="image-encoder, text-encoder, transcriber, text-reader, language-model, captioner",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="A known name, a file, a folder, hf:OWNER/REPO or a server's address;"
            ' "" for no captioner of its own.',
            show_default=False,
        ),
    ] = None,
    preset: _Preset = None,
    as_json: AsJson = False,
) -> None:
    """Put a model in use, in the settings file; it must be on this machine or be a server's.

    \b
    Examples:
      memqa models use language-model qwen3-4b
      memqa models use language-model ~/models/llama.gguf
      memqa models use language-model http://localhost:11434/v1#qwen3:4b
      memqa models use --preset laptop
    """
    from memqa import model_choice
    from models import shelf
    from models.errors import ModelNotFound

    if (port is None) == (preset is None) or (name is None) == (preset is None):
        raise InputError("name a port and a model, or give --preset")
    if preset is not None:
        absent = model_choice.to_pull(preset)
        if absent:
            raise ModelNotFound(
                f"not on this machine yet: {', '.join(absent)}. "
                f"Get them: memqa models pull --preset {preset}"
            )
        chosen = model_choice.use(shelf.preset(preset))
    else:
        chosen = model_choice.use({port or "": name or ""})
    if as_json:
        words.print_json({"models": chosen.models, "path": str(chosen.path), "notes": chosen.notes})
        return
    for one, model in chosen.models.items():
        print(f"{one}: {model or 'the language model'}")
    print(f"written to {chosen.path}")
    for note in chosen.notes:
        typer.echo(f"memqa: note: {note}", err=True)


def _told(name: str, pulled: Pulled) -> str:
    if not pulled.fetched_bytes:
        return f"{name} is on this machine already: {pulled.path}"
    return f"{name}: {words.size(pulled.fetched_bytes)} fetched and checked: {pulled.path}"


def _size(count: int) -> str:
    return words.size(count) if count else ""

"""Which models are in use, which could be, and how another is put in use; loads none of them."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from memqa import settings
from memqa.whereabouts import config_path
from models import catalog, fetch, shelf
from models.embedded import EMBEDDED_MODELS
from models.errors import SetupError
from models.specs import EMBEDDED, PORTS, Hub, Server, port_called, settled
from models.values import OnProgress

State: TypeAlias = Literal["here", "absent", "server"]

_ENCODERS = ("image_encoder", "text_encoder")


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model that can stand behind a port; sizes are 0 where nothing is known of them.

    ``name`` is what the settings take, ``problem`` says what is wrong with a model that is absent.
    """

    port: str
    name: str
    in_use: bool
    state: State
    disk_bytes: int
    ram_bytes: int
    gpu_bytes: int
    licence: str
    source: str
    good_for: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was put in use, by port; where it was written; and what the person should know."""

    models: Mapping[str, str]
    path: Path
    notes: tuple[str, ...]


def in_use(names: settings.ModelNames) -> dict[str, str]:
    """Give the name in use for each port; no captioner is named where the one that answers does."""
    chosen = {port: str(getattr(names, port)) for port in PORTS}
    return {port: name for port, name in chosen.items() if name}


def rows(names: settings.ModelNames) -> list[ModelRow]:
    """List every known model by port, and those of the person's own that are in use."""
    chosen = in_use(names)
    listed = []
    for port in PORTS:
        known = shelf.names(port) if port != "captioner" else []
        own = [chosen[port]] if port in chosen and chosen[port] not in known else []
        listed += [_row(port, name, name == chosen.get(port)) for name in (*known, *own)]
    return listed


def _row(port: str, name: str, is_in_use: bool) -> ModelRow:
    try:
        source, known = catalog.source_of(port, name)
        problem = catalog.absence(port, name) or ""
    except SetupError as error:
        return ModelRow(port, name, is_in_use, "absent", 0, 0, 0, "", name, "", str(error))
    state: State = "absent" if problem else "server" if isinstance(source, Server) else "here"
    if known is not None:
        return ModelRow(
            port,
            name,
            is_in_use,
            state,
            known.disk_bytes,
            known.ram_bytes,
            known.gpu_bytes,
            known.licence,
            known.source,
            known.good_for,
            problem,
        )
    if name == EMBEDDED:
        entry = EMBEDDED_MODELS["language_model" if port == "captioner" else port]
        disk = sum(path.stat().st_size for path in _files_of(entry))
        package = f"package {entry.weights[0].package}"
        return ModelRow(
            port, name, is_in_use, state, disk, 0, 0, entry.licence, package, entry.model, problem
        )
    return ModelRow(port, name, is_in_use, state, 0, 0, 0, "", name, "", problem)


def _files_of(entry: Any) -> list[Path]:
    try:
        return [path for one in entry.weights if (path := one.folder() / one.file).is_file()]
    except SetupError:
        return []


def pull(name: str, on_progress: OnProgress | None = None) -> fetch.Pulled:
    """Fetch a known model or a spec of the hub; what is there already is not fetched again.

    Raises:
        SetupError: the name stands for nothing that can be fetched, or see `models.fetch.pull`.
        BackendError: the hub cannot be reached or failed.
    """
    return fetch.pull(_need_of(name), on_progress)


def _need_of(name: str) -> fetch.Need:
    """What of the hub a name needs, whichever port it is for."""
    if name.startswith("hf:"):
        source, _ = catalog.source_of("language_model", name)
        if isinstance(source, Hub) and not source.file:
            return fetch.Need(source.repo, None)
    for port in ("language_model", "image_encoder", "text_encoder", "transcriber", "text_reader"):
        try:
            need = catalog.need_of(port, name)
        except SetupError:
            continue
        if need is not None:
            return need
    raise SetupError(
        f"{name!r} is nothing that can be fetched. Give a known name (memqa models), "
        "hf:OWNER/REPO, hf:OWNER/REPO/FILE.gguf or open_clip:hf-hub:OWNER/REPO."
    )


def to_pull(preset: str) -> list[str]:
    """Give the models of a preset that are not on this machine yet; raises SetupError."""
    return [
        name
        for port, name in shelf.preset(preset).items()
        if name and catalog.need_of(port, name) and catalog.absence(port, name)
    ]


def use(models: Mapping[str, str]) -> Chosen:
    """Put models in use, by port, in the settings file; what else stands there is kept.

    A path is written in full, for the next command may be given in another folder.

    Raises:
        SetupError: a port or a name is wrong, a model is not on this machine, or the file cannot be
            read or written.
    """
    wanted = {port_called(port): name.strip() for port, name in models.items()}
    for port, name in wanted.items():
        if not name and port != "captioner":
            raise SetupError(f"Name a model for {port}. The known ones: memqa models")
        problem = catalog.absence(port, name) if name else None
        if problem:
            raise SetupError(f"{port} {name!r} cannot be used: {problem}")
    wanted = {port: settled(port, name) if name else "" for port, name in wanted.items()}
    before = in_use(settings.load().models)
    path = _write(wanted)
    after = in_use(settings.load().models)
    return Chosen(wanted, path, tuple(_notes(wanted, before, after)))


def _notes(
    wanted: Mapping[str, str], before: Mapping[str, str], after: Mapping[str, str]
) -> list[str]:
    notes = []
    for port, name in wanted.items():
        if after.get(port, "") != name:
            notes.append(
                f"the environment names another {port} ({after.get(port, '')!r}), which wins: "
                f"unset MEMQA_MODELS__{port.upper()}"
            )
        if name.startswith("http") and not _is_here(port, name):
            notes.append(
                f"{name} is another machine: what is asked, found and shown is sent there, and with"
                " `memqa tier --test` and `memqa enrich` the texts and pictures of media"
            )
    changed = [port for port in _ENCODERS if before.get(port) != after.get(port)]
    if changed:
        notes.append(
            f"another {' and '.join(changed)} compares in another space: what was indexed before"
            " is found by it after `memqa reindex`"
        )
    return notes


def _is_here(port: str, name: str) -> bool:
    source, _ = catalog.source_of(port, name)
    return isinstance(source, Server) and source.is_here


def _write(models: Mapping[str, str]) -> Path:
    """Set names in the table ``[models]`` of the settings file; all else stays as it is."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    path = config_path()
    try:
        place = path.resolve()  # it may be a link, which stays one
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        file = tomlkit.parse(text)
        table = file.setdefault("models", tomlkit.table())
        for port, name in models.items():
            table[port] = name
        place.parent.mkdir(parents=True, exist_ok=True)
        _replace(place, tomlkit.dumps(file))
    except (OSError, ValueError, TypeError, TOMLKitError) as exc:
        raise SetupError(f"the settings file {path} cannot be changed: {exc}") from exc
    return path


def _replace(place: Path, text: str) -> None:
    """Put a file in its place at once; only its owner ever gets to read its draft.

    It may hold a key. What stood there before hands on its mode.
    """
    mode = stat.S_IMODE(place.stat().st_mode) if place.exists() else 0o600
    draft = place.with_name(f"{place.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    try:
        with open(draft, "x", encoding="utf-8", opener=_privately) as file:
            file.write(text)
        draft.chmod(mode)
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)


def _privately(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)

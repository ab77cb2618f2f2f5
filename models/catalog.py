"""The doors to the models: a name in, the model behind that port out, loaded once.

Importing this module is cheap; a model loads on first use, behind a lock. Nothing is fetched, not
even by the libraries that would: what is absent is named, with the command that gets it. Only the
server behind an address is asked over a network, when its model is built. What a name can be is in
``models/specs.py``, the known ones in ``models/shelf.py``.
"""

from __future__ import annotations

import importlib.metadata
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models import fetch, shelf
from models.embedded import EMBEDDED_MODELS, OCR, Embedded
from models.errors import MissingExtra, ModelNotFound, SetupError
from models.options import PLAIN, LanguageOptions
from models.ports import ImageEncoder, LanguageModel, TextEncoder, TextReader, Transcriber
from models.specs import (
    EMBEDDED,
    PORTS,
    Folder,
    GgufFile,
    Hub,
    Known,
    OpenClipFolder,
    OpenClipHub,
    OpenClipWeights,
    RapidOcr,
    Server,
    Source,
    forms,
    parse,
)
from models.weights import print_of, recalled, remember


@dataclass(frozen=True, slots=True)
class PortReport:
    """What stands behind one port; ``problem`` is None where all is well, else ``remedy`` helps.

    ``server`` is the address's host where the model runs on a server on another machine.
    """

    port: str
    name: str
    model: str
    signature: str
    where: str
    licence: str
    package: str
    problem: str | None
    remedy: str = ""
    server: str = ""


def image_encoder(name: str = EMBEDDED) -> ImageEncoder:
    """Give the picture encoder of that name, loaded on first use.

    Raises:
        SetupError: no such name, a package is missing, or weights are absent or not as expected.
    """
    encoder: ImageEncoder = _get("image_encoder", name)
    return encoder


def text_encoder(name: str = EMBEDDED) -> TextEncoder:
    """Give the text encoder of that name, loaded on first use; raises SetupError."""
    encoder: TextEncoder = _get("text_encoder", name)
    return encoder


def transcriber(name: str = EMBEDDED) -> Transcriber:
    """Give the transcriber of that name, loaded on first use; raises SetupError."""
    ears: Transcriber = _get("transcriber", name)
    return ears


def text_reader(name: str = EMBEDDED) -> TextReader:
    """Give the text reader (OCR) of that name, loaded on first use; raises SetupError."""
    reader: TextReader = _get("text_reader", name)
    return reader


def language_model(name: str = EMBEDDED, options: LanguageOptions = PLAIN) -> LanguageModel:
    """Give the language model of that name, run as the options say; raises SetupError."""
    model: LanguageModel = _get("language_model", name, options)
    return model


def signature(port: str, name: str) -> str | None:
    """Give a model's signature where it can be told without loading, else None.

    Most are told by their files. That of a picture encoder is a sample of its tensors, which is
    remembered once these files were loaded. A language model's own signature goes on with a mark
    of its weights, so none is told here.
    """
    # Not behind the port's lock, which is held for as long as a model loads.
    loaded = [model for key, model in _loaded.copy().items() if key[:2] == (port, name)]
    if loaded:
        return str(loaded[0].signature)
    if _shelved(port) == "language_model":
        return None
    if name == EMBEDDED:
        return EMBEDDED_MODELS[port].signature
    try:
        return _told_by_files(port, name)
    except (SetupError, ImportError, OSError):  # whoever loads it says what is wrong
        return None


def _told_by_files(port: str, name: str) -> str | None:
    if port == "image_encoder":
        key = _remembered_as(name)
        return recalled("signatures", key) if key else None
    source, _ = source_of(port, name)
    if isinstance(source, RapidOcr):
        from models.ocr import signature_of as reader_signature

        return reader_signature(_ocr_folder(), source.language)
    folder = _place_of(port, name)
    if folder is None:
        return None
    if port == "text_encoder":
        from models.text import signature_of as text_signature

        return text_signature(folder)
    from models.speech import signature_of as speech_signature

    return speech_signature(folder)


def _remembered_as(name: str) -> str | None:
    """Name all that a picture encoder's signature hangs on; None where its files are not here."""
    place = _place_of("image_encoder", name)
    if place is None:
        return None
    files = sorted(place.iterdir()) if place.is_dir() else [place]
    package = importlib.metadata.version("open_clip_torch")
    return "\n".join([name, str(place.resolve()), print_of(*files), package])


def _place_of(port: str, name: str) -> Path | None:
    """Give the folder or the file that a model is loaded from; None where it is not here."""
    if absence(port, name) is not None:
        return None
    need = need_of(port, name)
    if need is not None:
        return fetch.find(need)
    match source_of(port, name)[0]:
        case Folder(path) | OpenClipFolder(path):
            return path
        case OpenClipWeights(_, weights):
            return Path(weights)
    return None


def source_of(port: str, name: str) -> tuple[Source, shelf.KnownModel | None]:
    """Say what a name stands for, and which known model it is, if one.

    Raises:
        SetupError: the name has none of the forms that the port takes, or is not known.
    """
    source = parse(port, name)
    if isinstance(source, OpenClipWeights) and not source.is_file:
        return OpenClipHub(_repo_of(source)), None
    if not isinstance(source, Known) or source.name == EMBEDDED:
        return source, None
    known = shelf.known(port, source.name)
    if known is None:
        raise SetupError(
            f"No {port} is called {name!r}. Known: {', '.join(shelf.names(port))}. {forms(port)}"
        )
    return parse(port, known.source), known


def need_of(port: str, name: str) -> fetch.Need | None:
    """Say what of the hub a name needs; None where nothing of it lies there.

    Raises:
        SetupError: the name has none of the forms that the port takes, or is not known.
    """
    source, known = source_of(port, name)
    sums = known.sums if known else {}
    match source:
        case Hub(repo, file) if file:
            return fetch.gguf(repo, file, known.projector if known else "", sums)
        case Hub(repo):
            return fetch.Need(repo, _KINDS[_shelved(port)], sums=sums)
        case OpenClipHub(repo):
            return fetch.Need(repo, fetch.OPEN_CLIP, sums=sums)
    return None


def absence(port: str, name: str) -> str | None:
    """Say in a sentence why a model cannot be built here, None where its files are there.

    Loads nothing; a server is not asked.

    Raises:
        SetupError: the name has none of the forms that the port takes, or is not known.
    """
    source, _ = source_of(port, name)
    need = need_of(port, name)
    if need is not None:
        return None if fetch.find(need) else f"absent: memqa models pull {name}"
    match source:
        case Known():
            return _problem_of(EMBEDDED_MODELS[_shelved(port)])
        case GgufFile(path):
            return _problem_of_gguf(path)
        case Folder(path):
            gone = [one for one in _LOADED[_shelved(port)] if not (path / one).is_file()]
            return f"there is no {gone[0]} in {path}" if gone else None
        case OpenClipFolder(path) if not (path / "open_clip_config.json").is_file():
            return f"there is no open_clip_config.json in {path}"
        case OpenClipWeights(_, weights) if not Path(weights).is_file():
            return f"there is no file {weights}"
        case RapidOcr(language):
            return _unread(language)
    return None


def _unread(language: str) -> str | None:
    """Why no text can be read in a language."""
    try:
        from models.ocr import check

        check(OCR[0].path().parent, language)
    except (ModelNotFound, ImportError) as exc:
        return str(exc)
    return None


def report(names: Mapping[str, str] | None = None) -> list[PortReport]:
    """Tell of every port what stands behind it and whether its files are there and right.

    ``names`` are those in use, by port; a port without one has the embedded model.
    """
    in_use = names or {}
    ports = [port for port in PORTS if port in EMBEDDED_MODELS or in_use.get(port)]
    return [_report_on(port, in_use.get(port) or EMBEDDED) for port in ports]


def _report_on(port: str, name: str) -> PortReport:
    if name == EMBEDDED:
        return _report_on_embedded(port, EMBEDDED_MODELS[_shelved(port)])
    try:
        source, known = source_of(port, name)
        problem = absence(port, name)
        need = need_of(port, name)
    except SetupError as exc:
        return PortReport(port, name, name, "", "", "", "", str(exc), "memqa models")
    away = isinstance(source, Server) and not source.is_here
    return PortReport(
        port,
        name,
        model=known.good_for if known else "",
        signature=signature(port, name) or "",
        where=f"from {need.repo}" if need else "",
        licence=known.licence if known else "",
        package="",
        problem=problem,
        remedy=f"memqa models pull {name}" if need and problem else "",
        server=source.host if isinstance(source, Server) and away else "",
    )


def _report_on_embedded(port: str, entry: Embedded) -> PortReport:
    first = entry.weights[0]
    try:
        where = str(first.folder())
    except ModelNotFound:
        where = ""
    return PortReport(
        port,
        EMBEDDED,
        entry.model,
        entry.signature,
        where,
        entry.licence,
        f"{first.package} {first.version()}".strip(),
        _problem_of(entry),
    )


def _problem_of_gguf(path: Path) -> str | None:
    from models.llm.gguf import check_model

    try:
        check_model(path)
    except ModelNotFound as exc:
        return str(exc)
    return None


def _problem_of(entry: Embedded) -> str | None:
    try:
        for weights in entry.weights:
            weights.path()
    except ModelNotFound as exc:
        return str(exc)
    return None


def _get(port: str, name: str, options: LanguageOptions = PLAIN) -> Any:
    """The loaded model; Any, for each public door above states its own port."""
    source, known = source_of(port, name)
    key = (port, name, options)
    with _locks[port]:
        if key not in _loaded:
            try:
                with fetch.without_network():
                    model = _build(port, name, source, known, options)
            except ImportError as exc:
                raise MissingExtra(
                    f"The {port} {name!r} needs a package that is missing: {exc}. "
                    "Install memqa anew: pip install --force-reinstall memqa"
                ) from exc
            _loaded[key] = model
            if port == "image_encoder" and (kept := _remembered_as(name)):
                remember("signatures", kept, model.signature)
        return _loaded[key]


def _build(
    port: str,
    name: str,
    source: Source,
    known: shelf.KnownModel | None,
    options: LanguageOptions,
) -> Any:
    """Build what a source names; its files are looked for on this machine only."""
    need = need_of(port, name)
    here = fetch.checked(need, name) if need is not None else None
    called = known.name if known else ""
    match source:
        case Known():
            return EMBEDDED_MODELS[port].build(options)
        case Server(base_url, model):
            from models.llm.server import ServerModel

            return ServerModel(base_url, model, options)
        case GgufFile(path):
            return _llama(path, called or path.stem, options)
        case Hub(_, file) if file and here is not None:
            if known and known.projector and options.projector is None:
                options = replace(options, projector=here.with_name(known.projector))
            return _llama(here, called or Path(file).stem, options)
        case Folder(path):
            return _from_folder(port, path, called or path.name, options)
        case Hub(repo) if here is not None:
            return _from_folder(port, here, called or repo, options)
        case OpenClipHub() if here is not None:
            return _open_clip(f"local-dir:{here}", None)
        case OpenClipFolder(path):
            return _open_clip(f"local-dir:{path}", None)
        case OpenClipWeights(architecture, weights):
            return _open_clip(architecture, weights)
        case RapidOcr(language):
            from models.ocr import PaddleReader

            return PaddleReader(_ocr_folder(), language=language)
    raise SetupError(f"{name!r} names no {port}. {forms(port)}")


def _ocr_folder() -> Path:
    return OCR[0].path().parent


def _repo_of(named: OpenClipWeights) -> str:
    """Give the repository on the hub that open_clip's own list has for an architecture's tag.

    It is remembered, for asking open_clip imports torch.
    """
    version = importlib.metadata.version("open_clip_torch")
    key = "\n".join([named.architecture, named.weights, version])
    if kept := recalled("repositories", key):
        return kept
    import open_clip  # type: ignore[import-untyped]

    listed = open_clip.get_pretrained_cfg(named.architecture, named.weights) or {}
    repo, _, file = str(listed.get("hf_hub", "")).rpartition("/")
    if not repo or file:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(named.architecture)) or "none"
        raise SetupError(
            f"open_clip has no weights {named.weights!r} for {named.architecture!r} on the hub; "
            f"its tags: {tags}."
        )
    remember("repositories", key, repo)
    return repo


def _llama(path: Path, name: str, options: LanguageOptions) -> LanguageModel:
    from models.llm.llama import Llama

    return Llama(path, name=name, options=options)


def _open_clip(architecture: str, weights: str | None) -> ImageEncoder:
    from models.vision.openclip import OpenClip

    return OpenClip(architecture, weights)


def _from_folder(port: str, folder: Path, name: str, options: LanguageOptions) -> Any:
    if port == "text_encoder":
        from models.text import SentenceEncoder

        return SentenceEncoder(folder)
    if port == "transcriber":
        from models.speech import Whisper

        return Whisper(folder)
    from models.llm.transformers import TransformersModel

    return TransformersModel(folder, name=name, options=options)


def _shelved(port: str) -> str:
    return "language_model" if port == "captioner" else port


_KINDS = {
    "text_encoder": fetch.SENTENCES,
    "transcriber": fetch.WHISPER,
    "language_model": fetch.TRANSFORMERS,
}
# What every folder of a kind holds, whatever else it does.
_LOADED = {
    "text_encoder": ("modules.json",),
    "transcriber": ("model.bin", "tokenizer.json"),
    "language_model": ("config.json",),
}
_locks = {port: threading.RLock() for port in EMBEDDED_MODELS}
_loaded: dict[tuple[str, str, LanguageOptions], Any] = {}

"""Fetches models from the Hugging Face hub, and finds in its cache those that were fetched.

The only place in memqa that downloads anything, and only in `pull`; chat servers that a person
names are spoken to by ``models/llm/wire.py``. What is fetched lies in the hub's own cache, where
other programs find it too; every file is checked against the sum that the hub names for it before
it counts as there.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import re
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import BackendError, MemqaError, ModelNotFound, SetupError
from models.values import OnProgress, Progress
from models.weights import keep_sum, sum_of

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling

_REVISION = "main"
_TIMEOUT_S = 20.0
_SPARE_BYTES = 200_000_000  # left free on the disk, whatever is fetched
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHARD = re.compile(r"(.+)-00001-of-(\d{5})\.gguf")


@dataclass(frozen=True, slots=True)
class Kind:
    """Which files of a repository make a model: never code, and no pickles."""

    config: str
    wanted: re.Pattern[str]
    weights: re.Pattern[str]


_SAFETENSORS = re.compile(r"(?!consolidated)[^/]*\.safetensors")
_AROUND = r"[^/]+\.(?:json|txt|model|jinja)"
TRANSFORMERS = Kind("config.json", re.compile(rf"{_AROUND}|{_SAFETENSORS.pattern}"), _SAFETENSORS)
SENTENCES = Kind(
    "config.json",
    re.compile(rf"{TRANSFORMERS.wanted.pattern}|\d+_[A-Za-z]+/[^/]+\.(?:json|safetensors)"),
    _SAFETENSORS,
)
OPEN_CLIP = Kind(
    "open_clip_config.json",
    re.compile(rf"{_AROUND}|open_clip_model[^/]*\.safetensors"),
    re.compile(r"open_clip_model[^/]*\.safetensors"),
)
WHISPER = Kind(
    "config.json",
    re.compile(r"(?:preprocessor_)?config\.json|tokenizer\.json|vocabulary\.\w+|model\.bin"),
    re.compile(r"model\.bin"),
)


@dataclass(frozen=True, slots=True)
class Need:
    """What of a repository a model needs: named files, or all that make a model of its kind.

    Without a kind its files tell which it is. ``sums`` are the SHA-256 that its files must have, by
    file; the hub's own hold for the others.
    """

    repo: str
    kind: Kind | None
    files: tuple[str, ...] = ()
    sums: Mapping[str, str] = field(default_factory=dict)

    def of(self, there: Sequence[str]) -> list[str]:
        """Choose from the files of the repository; the configuration comes last.

        Raises:
            ModelNotFound: what is needed is not among them.
        """
        if self.files:
            gone = [file for file in self.files if file not in there]
            if gone:
                raise ModelNotFound(f"{self.repo} has no file {gone[0]}. Look at its page.")
            return list(self.files)
        kind = self.kind or _kind_of(there)
        chosen = [file for file in there if kind.wanted.fullmatch(file)]
        weights = [file for file in chosen if kind.weights.fullmatch(file)]
        if not weights or kind.config not in chosen:
            raise ModelNotFound(
                f"{self.repo} holds no model of this kind: it lacks {kind.config} or weights in "
                "the form that memqa loads (safetensors; CTranslate2 for speech; no pickles)."
            )
        return sorted(chosen, key=lambda file: file == kind.config)


@dataclass(frozen=True, slots=True)
class Pulled:
    """A model that is there now, and how many bytes were fetched for it: 0 if it was before."""

    path: Path
    fetched_bytes: int


def gguf(repo: str, file: str, projector: str = "", sums: Mapping[str, str] | None = None) -> Need:
    """Say what a GGUF model needs: its file, all parts of one that is split, its projector."""
    split = _SHARD.fullmatch(file)
    files = [file]
    if split:
        last = int(split[2])
        files = [f"{split[1]}-{n:05d}-of-{last:05d}.gguf" for n in range(1, last + 1)]
    return Need(repo, TRANSFORMERS, (*files, *filter(None, [projector])), sums or {})


def _kind_of(there: Sequence[str]) -> Kind:
    if "open_clip_config.json" in there:
        return OPEN_CLIP
    if "modules.json" in there:
        return SENTENCES
    safe = any(file.endswith(".safetensors") for file in there)
    return WHISPER if "model.bin" in there and not safe else TRANSFORMERS


def find(need: Need) -> Path | None:
    """Give the model's first file or its folder out of the cache, None where it is not whole."""
    if need.files:
        found = [_cached(need.repo, file) for file in need.files]
        return found[0] if all(found) else None
    kind = need.kind or TRANSFORMERS
    config = _cached(need.repo, kind.config)
    if config is None:
        return None
    folder = config.parent
    weights = [one for one in folder.iterdir() if kind.weights.fullmatch(one.name)]
    listed = {
        shard for index in folder.glob("*.safetensors.index.json") for shard in _shards(index)
    }
    return folder if weights and listed <= {one.name for one in weights} else None


def checked(need: Need, name: str) -> Path:
    """Give the model's first file or its folder, once its weights have the sums they should.

    Raises:
        ModelNotFound: it was not fetched yet, or the weights have changed.
    """
    found = find(need)
    if found is None:
        raise ModelNotFound(
            f"The model {name} is not on this machine. Get it: memqa models pull {name}"
        )
    folder = found if not need.files else _root_of(found, need.files[0])
    kind = need.kind or TRANSFORMERS
    weights = [folder / file for file in need.files] or [
        one for one in found.iterdir() if kind.weights.fullmatch(one.name)
    ]
    for path in weights:
        # The cache calls a file by the sum that the hub named for it.
        blob = path.resolve().name
        expected = need.sums.get(path.relative_to(folder).as_posix(), blob)
        if _SHA256.fullmatch(expected) and sum_of(path.resolve()) != expected:
            raise ModelNotFound(
                f"{path} is not the file that was published (another SHA-256). "
                f"Delete it and get it again: memqa models pull {name}"
            )
    return found


def pull(need: Need, on_progress: OnProgress | None = None) -> Pulled:
    """Fetch what of a model is not there yet; an interrupted fetch goes on where it stopped.

    Raises:
        SetupError: no such repository or file, it is gated, the disk is too full, or the hub is
            switched off by ``HF_HUB_OFFLINE``.
        ModelNotFound: what came has another sum than it should; it was deleted.
        BackendError: the hub cannot be reached or failed.
    """
    from huggingface_hub import HfApi, constants, hf_hub_download

    constants.HF_HUB_DISABLE_TELEMETRY = True  # the client would tell the hub what runs around it
    tell = on_progress or (lambda progress: None)
    with _errors_of(need.repo):
        info = HfApi().model_info(
            need.repo, revision=_REVISION, files_metadata=True, timeout=_TIMEOUT_S
        )
        there = {one.rfilename: one for one in info.siblings or ()}
        wanted = [there[file] for file in need.of(list(there))]
        missing = [one for one in wanted if not _is_whole(need.repo, one, info.sha)]
        _make_sure_of_room(sum(one.size or 0 for one in missing))
        for one in missing:
            _refuse_other_sum(need, one)
            if one.lfs is not None:
                _fetch_large(need.repo, one, tell)
            path = Path(hf_hub_download(need.repo, one.rfilename, revision=_REVISION))
            _check_small(need.repo, path, one)
        first = Path(hf_hub_download(need.repo, wanted[0].rfilename, revision=_REVISION))
    path = first if need.files else first.parent
    return Pulled(path, sum(one.size or 0 for one in missing))


_offline = threading.Lock()
_depth = 0
_before = False


@contextmanager
def without_network() -> Iterator[None]:
    """Keep every library that asks the hub for files to its cache while a model is built."""
    global _depth, _before
    from huggingface_hub import constants

    with _offline:
        if _depth == 0:
            _before = constants.HF_HUB_OFFLINE
            constants.HF_HUB_OFFLINE = True
        _depth += 1
    try:
        yield
    finally:
        with _offline:
            _depth -= 1
            if _depth == 0:
                constants.HF_HUB_OFFLINE = _before


def _cached(repo: str, file: str, revision: str = _REVISION) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repo, file, revision=revision)
    return Path(found) if isinstance(found, str) else None


def _shards(index: Path) -> set[str]:
    try:
        return set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, AttributeError):
        return {index.name}  # unreadable: never counts as whole


def _root_of(path: Path, file: str) -> Path:
    return path.parents[file.count("/")]


def _is_whole(repo: str, one: RepoSibling, commit: str | None) -> bool:
    path = _cached(repo, one.rfilename, commit or _REVISION)
    return path is not None and one.size in (None, path.stat().st_size)


def _make_sure_of_room(needed_bytes: int) -> None:
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE)
    existing = next(folder for folder in (cache, *cache.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if needed_bytes and needed_bytes + _SPARE_BYTES > free:
        raise SetupError(
            f"The model takes {needed_bytes / 1e9:.1f} GB, {cache} has {free / 1e9:.1f} GB free. "
            "Free some room, or set HF_HOME to a folder on another disk."
        )


def _refuse_other_sum(need: Need, one: RepoSibling) -> None:
    expected = need.sums.get(one.rfilename)
    if expected and (one.lfs is None or one.lfs.sha256 != expected):
        raise ModelNotFound(
            f"{one.rfilename} in {need.repo} is no longer the file that memqa knows "
            "(another SHA-256); nothing was fetched."
        )


def _fetch_large(repo: str, one: RepoSibling, tell: OnProgress) -> None:
    """Fetch a file of weights into the cache's own place for it, part by part.

    The hub's client starts anew after an interruption, so the part is kept here and handed to it.
    """
    from huggingface_hub import constants, hf_hub_url
    from huggingface_hub.file_download import http_get, repo_folder_name
    from huggingface_hub.utils import (  # type: ignore[attr-defined]  # it exports them lazily
        WeakFileLock,
        build_hf_headers,
    )

    assert one.lfs is not None
    folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo, repo_type="model")
    blob = folder / "blobs" / one.lfs.sha256
    part = blob.with_suffix(".part")
    blob.parent.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(part.with_suffix(".lock")):
        if blob.exists():
            return
        with _Counted(part, one.rfilename, one.lfs.size, tell) as file:
            http_get(
                hf_hub_url(repo, one.rfilename, revision=_REVISION),
                file,
                resume_size=file.tell(),
                headers=build_hf_headers(),
                expected_size=one.lfs.size,
                tqdm_class=_silent(),
            )
        tell(Progress(f"checking {one.rfilename}", 0, None))
        with part.open("rb") as written:
            found = hashlib.file_digest(written, "sha256").hexdigest()
        if found != one.lfs.sha256:
            part.unlink()
            raise _other_sum(repo, one.rfilename)
        part.replace(blob)
        keep_sum(blob, found)
    part.with_suffix(".lock").unlink(missing_ok=True)


def _check_small(repo: str, path: Path, one: RepoSibling) -> None:
    """Compare a file that Git itself keeps with its name there, the SHA-1 of its length and it."""
    if one.lfs is not None or one.blob_id is None:
        return
    content = path.read_bytes()
    found = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    if found.hexdigest() != one.blob_id:
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise _other_sum(repo, one.rfilename)


def _other_sum(repo: str, file: str) -> ModelNotFound:
    return ModelNotFound(
        f"{file} from {repo} came with another sum than the hub names for it; it was deleted. "
        "Pull the model again."
    )


class _Counted(io.FileIO):
    """A file that grows at its end and tells how far it has come."""

    def __init__(self, path: Path, name: str, total: int, tell: OnProgress) -> None:
        super().__init__(path, "a+")
        self._name, self._total, self._tell = name, total, tell
        if self.seek(0, io.SEEK_END) > total:
            self.truncate(0)
            self.seek(0)

    def write(self, data: Any, /) -> int:
        written = super().write(data)
        self._tell(Progress(f"fetching {self._name}", self.tell(), self._total, "B"))
        return written


def _silent() -> Any:
    """The hub's progress bar, never shown: memqa has its own."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    class Silent(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            super().__init__(*args, **{**kwargs, "disable": True})

    return Silent


@contextmanager
def _errors_of(repo: str) -> Iterator[None]:
    """Turn what goes wrong at the hub into one sentence each."""
    import httpx2
    from huggingface_hub import errors

    try:
        yield
    except MemqaError:
        raise
    except errors.OfflineModeIsEnabled as exc:
        raise SetupError(
            "HF_HUB_OFFLINE is set, so nothing is fetched. Unset it for this command."
        ) from exc
    except errors.GatedRepoError as exc:
        raise SetupError(
            f"The publisher of {repo} asks you to accept its terms: do so at "
            f"https://huggingface.co/{repo}, then run `hf auth login`."
        ) from exc
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as exc:
        raise SetupError(
            f"The hub knows no model {repo}, or it is private. Look at how it is spelt."
        ) from exc
    except (httpx2.HTTPError, errors.LocalEntryNotFoundError, errors.FileMetadataError) as exc:
        raise BackendError(
            f"The hub cannot be reached ({_first_line(exc)}). "
            "What was fetched is kept: the same command goes on there."
        ) from exc
    except OSError as exc:
        if exc.errno == errno.ENOSPC:
            raise SetupError("The disk is full; free some room. What was fetched is kept.") from exc
        raise BackendError(f"{repo} could not be fetched: {_first_line(exc)}. Try again.") from exc


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")

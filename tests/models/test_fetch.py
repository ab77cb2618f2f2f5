"""Pulling from a hub: whole, resumed, checked, refused; and nothing asked where nothing is due."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from models import fetch, weights
from models.errors import BackendError, ModelNotFound, SetupError
from models.values import Progress
from tests.hub import COMMIT, Hub, serving, sha256

WEIGHTS = os.urandom(300_000)
GGUF = fetch.gguf("own/small-GGUF", "small.gguf")
REPOS = {
    "own/small-GGUF": {"README.md": b"# small", "small.gguf": WEIGHTS, "large.gguf": b"x" * 9},
    "own/whole": {
        "config.json": b"{}",
        "model.safetensors": WEIGHTS,
        "pytorch_model.bin": b"pickle",
        "modeling.py": b"import os",
        "onnx/model.onnx": b"onnx",
        "tokenizer.json": b"{ }",
    },
    "own/texts": {
        "config.json": b"{}",
        "modules.json": b"[]",
        "1_Pooling/config.json": b"{  }",
        "model.safetensors": b"texts",
    },
    "own/ears": {"config.json": b"{}", "model.bin": b"ears", "vocabulary.txt": b"a"},
    "own/pickles": {"config.json": b"{}", "pytorch_model.bin": b"pickle"},
    "own/split": {
        "q-00001-of-00002.gguf": b"one",
        "q-00002-of-00002.gguf": b"two",
        "mmproj.gguf": b"eyes",
    },
}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that the client takes for the real one, and a cache of its own."""
    from huggingface_hub import constants

    monkeypatch.setattr(weights, "cache_folder", lambda: tmp_path / "stamps")
    with serving(Hub({name: dict(files) for name, files in REPOS.items()})) as served:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", served.address)
        monkeypatch.setattr(
            constants,
            "HUGGINGFACE_CO_URL_TEMPLATE",
            served.address + "/{repo_id}/resolve/{revision}/{filename}",
        )
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", False)
        monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 50_000)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda s: None)
        yield served


def _parts(tmp_path: Path) -> list[Path]:
    return [*tmp_path.rglob("*.part"), *tmp_path.rglob("*.incomplete")]


def test_a_file_is_pulled_found_and_checked(hub: Hub, tmp_path: Path) -> None:
    assert fetch.find(GGUF) is None
    told: list[Progress] = []
    pulled = fetch.pull(GGUF, told.append)
    assert pulled.path.read_bytes() == WEIGHTS
    assert pulled.fetched_bytes == len(WEIGHTS)
    assert fetch.find(GGUF) == pulled.path
    assert fetch.checked(GGUF, "small") == pulled.path
    assert {path.partition("own/small-GGUF")[2] for _, path, _ in hub.asked} == {
        "/revision/main",
        "/resolve/main/small.gguf",
    }
    assert hub.gets("small.gguf") == [""]
    done = [one.done for one in told if one.stage == "fetching small.gguf"]
    assert done == sorted(done)
    assert done[-1] == len(WEIGHTS)
    assert not _parts(tmp_path)


def test_a_second_pull_fetches_nothing(hub: Hub) -> None:
    fetch.pull(GGUF)
    hub.asked.clear()
    assert fetch.pull(GGUF).fetched_bytes == 0
    assert not hub.gets(".gguf")


def test_only_what_makes_a_model_of_its_kind_is_fetched(hub: Hub) -> None:
    folder = fetch.pull(fetch.Need("own/whole", fetch.TRANSFORMERS)).path
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {"config.json", "model.safetensors", "tokenizer.json"}
    folder = fetch.pull(fetch.Need("own/texts", None)).path
    assert (folder / "1_Pooling" / "config.json").is_file()
    assert fetch.find(fetch.Need("own/texts", fetch.SENTENCES)) == folder
    folder = fetch.pull(fetch.Need("own/ears", None)).path
    assert (folder / "vocabulary.txt").is_file()
    assert fetch.find(fetch.Need("own/ears", fetch.WHISPER)) == folder


def test_a_split_file_comes_with_all_its_parts_and_its_projector(hub: Hub) -> None:
    need = fetch.gguf("own/split", "q-00001-of-00002.gguf", "mmproj.gguf")
    first = fetch.pull(need).path
    assert first.name == "q-00001-of-00002.gguf"
    assert first.with_name("q-00002-of-00002.gguf").read_bytes() == b"two"
    assert first.with_name("mmproj.gguf").read_bytes() == b"eyes"


def test_a_cut_connection_goes_on_where_it_was_cut(hub: Hub) -> None:
    hub.cuts, hub.cut_after = 1, 100_000
    assert fetch.pull(GGUF).path.read_bytes() == WEIGHTS
    assert hub.gets("small.gguf") == ["", "bytes=100000-"]


def test_an_interrupted_pull_goes_on_in_the_next_one(hub: Hub, tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch.pull(GGUF, stop)
    (part,) = _parts(tmp_path)
    kept = part.stat().st_size
    assert kept > 0
    assert fetch.find(GGUF) is None
    part.write_bytes(WEIGHTS[:50_000])
    hub.asked.clear()
    assert fetch.pull(GGUF).path.read_bytes() == WEIGHTS
    assert hub.gets("small.gguf") == ["bytes=50000-"]


def test_a_pull_that_the_line_never_lets_end_keeps_what_came(hub: Hub, tmp_path: Path) -> None:
    hub.cuts, hub.cut_after = 1000, 0
    with pytest.raises(BackendError, match="the same command goes on there"):
        fetch.pull(GGUF)
    hub.cuts = 0
    assert fetch.pull(GGUF).path.read_bytes() == WEIGHTS


def test_a_file_with_another_sum_is_refused_and_removed(hub: Hub, tmp_path: Path) -> None:
    hub.other_sums = {"small.gguf"}
    with pytest.raises(ModelNotFound, match=r"small\.gguf from own/small-GGUF.*deleted") as error:
        fetch.pull(GGUF)
    assert "\n" not in str(error.value)
    assert fetch.find(GGUF) is None
    assert not _parts(tmp_path)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.name == sha256(WEIGHTS)]


def test_a_small_file_with_another_sum_is_refused_and_removed(hub: Hub, tmp_path: Path) -> None:
    hub.other_sums = {"tokenizer.json"}
    need = fetch.Need("own/whole", fetch.TRANSFORMERS)
    with pytest.raises(ModelNotFound, match=r"tokenizer\.json from own/whole"):
        fetch.pull(need)
    assert fetch.find(need) is None
    assert not list((tmp_path / "cache").rglob("tokenizer.json"))
    hub.other_sums = set()
    fetch.pull(need)
    assert fetch.find(need)


def test_a_file_that_is_not_the_known_one_is_not_even_fetched(hub: Hub) -> None:
    need = fetch.gguf("own/small-GGUF", "small.gguf", sums={"small.gguf": "0" * 64})
    with pytest.raises(ModelNotFound, match="no longer the file that memqa knows"):
        fetch.pull(need)
    assert not hub.gets(".gguf")


def test_weights_that_changed_on_the_disk_are_refused(hub: Hub) -> None:
    path = fetch.pull(GGUF).path
    path.resolve().write_bytes(b"changed")
    with pytest.raises(ModelNotFound, match="not the file that was published"):
        fetch.checked(GGUF, "small")


@pytest.mark.parametrize(
    ("need", "says"),
    [
        (fetch.gguf("own/nothing", "a.gguf"), "knows no model own/nothing"),
        (fetch.gguf("own/closed", "a.gguf"), r"accept its terms.*huggingface\.co/own/closed"),
        (fetch.gguf("own/small-GGUF", "gone.gguf"), r"has no file gone\.gguf"),
        (fetch.Need("own/pickles", None), "no pickles"),
    ],
)
def test_what_cannot_be_had_is_said_in_one_sentence(hub: Hub, need: fetch.Need, says: str) -> None:
    hub.gated = {"own/closed"}
    with pytest.raises(SetupError, match=says) as error:
        fetch.pull(need)
    assert "\n" not in str(error.value)


def test_a_hub_out_of_reach_is_told(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(BackendError, match="hub cannot be reached") as error:
        fetch.pull(GGUF)
    assert "\n" not in str(error.value)


def test_a_hub_switched_off_is_not_asked(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(SetupError, match="HF_HUB_OFFLINE"):
        fetch.pull(GGUF)
    assert not hub.asked


def test_a_disk_too_small_is_told_before_anything_is_fetched(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=1_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(SetupError, match="Free some room"):
        fetch.pull(GGUF)
    assert not hub.gets(".gguf")


def test_a_model_of_several_files_counts_only_when_whole(hub: Hub) -> None:
    hub.repos["own/shards"] = {
        "config.json": b"{}",
        "model.safetensors.index.json": b'{"weight_map": {"a": "m-1.safetensors",'
        b'"b": "m-2.safetensors"}}',
        "m-1.safetensors": b"one",
        "m-2.safetensors": b"two",
    }
    need = fetch.Need("own/shards", fetch.TRANSFORMERS)
    folder = fetch.pull(need).path
    assert folder.name == COMMIT
    assert fetch.find(need) == folder
    (folder / "m-2.safetensors").unlink()
    assert fetch.find(need) is None


def test_a_model_that_was_not_pulled_says_how() -> None:
    with pytest.raises(ModelNotFound, match="memqa models pull tiny"):
        fetch.checked(fetch.gguf("own/never-pulled", "a.gguf"), "tiny")

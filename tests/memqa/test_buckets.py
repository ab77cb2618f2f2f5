"""Media in object storage, on moto's own s3 endpoint on this machine."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from memqa import buckets, remote
from memqa.library import Library
from memqa.listening import Listener
from memqa.settings import LimitSettings
from models.errors import BackendError, InputError, UnreadableMedia, UnsupportedMedia
from tests.memqa.parts import FakeEngines, bytes_under, write_document

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server_ = pytest.importorskip("moto.server")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = server_.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Give the storage with an empty bucket named ``talks``, and the keys to it."""
    from pyarrow.fs import S3FileSystem

    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "hiddenname",
        "AWS_SECRET_ACCESS_KEY": "hiddenkey",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    storage = S3FileSystem(
        endpoint_override=endpoint.partition("://")[2],
        scheme="http",
        access_key="hiddenname",
        secret_key="hiddenkey",
        region="us-east-1",
        allow_bucket_creation=True,
        allow_bucket_deletion=True,
    )
    storage.create_dir("talks")
    yield storage
    storage.delete_dir("talks")


def put(storage: object, name: str, data: bytes) -> None:
    with storage.open_output_stream(f"talks/{name}") as stream:  # type: ignore[attr-defined]
        stream.write(data)


def test_an_object_is_looked_at_and_fetched(bucket: object, tmp_path: Path) -> None:
    put(bucket, "a b/talk?.mp4", b"moving")
    address = "s3://talks/a b/talk?.mp4"
    size_bytes, mark = remote.facts(address)
    assert size_bytes == 6
    assert mark > 0
    with remote.fetched(address, tmp_path, limits=LimitSettings(), listener=Listener()) as file:
        assert (file.name, file.read_bytes()) == ("talk.mp4", b"moving")
    few = LimitSettings(max_upload_bytes=5)
    with (
        pytest.raises(InputError, match="more than the"),
        remote.fetched(address, tmp_path, limits=few, listener=Listener()),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_lies_below_a_prefix(bucket: object, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("l/b.mp4", "l/a.md", "l/.hidden", "l/deep/c.mp4", "other.mp4"):
        put(bucket, name, b"x")
    assert remote.files_of("s3://talks/l/") == ["s3://talks/l/a.md", "s3://talks/l/b.mp4"]
    assert remote.files_of("s3://talks/l/", recursive=True) == [
        *("s3://talks/l/a.md", "s3://talks/l/b.mp4", "s3://talks/l/deep/c.mp4"),
    ]
    assert remote.files_of("s3://talks/l/a.md") == ["s3://talks/l/a.md"]
    with pytest.raises(InputError, match="no files below"):
        remote.files_of("s3://talks/none/")
    monkeypatch.setattr(buckets, "_MOST_FILES", 1)
    with pytest.raises(InputError, match="2 files lie below"):
        remote.files_of("s3://talks/l/")


def test_what_cannot_be_read_is_told(bucket: object, monkeypatch: pytest.MonkeyPatch) -> None:
    put(bucket, "l/a.md", b"x")
    with pytest.raises(UnreadableMedia, match="there is no file"):
        remote.facts("s3://talks/none.mp4")
    with pytest.raises(InputError, match="with / at its end"):
        remote.facts("s3://talks/l")
    with pytest.raises(InputError, match="no single file"):
        remote.facts("s3://talks")
    with pytest.raises(InputError, match="s3://bucket/name"):
        remote.facts("s3://key:secret@talks/x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(buckets, "_TRIES", 1)
    with pytest.raises(BackendError, match="cannot be reached") as told:
        remote.facts("s3://talks/x")
    assert "hidden" not in str(told.value)


def test_a_prefix_is_taken_in_as_a_folder_is(bucket: object, tmp_path: Path) -> None:
    text = write_document(tmp_path / "report.md", chapters=1).read_bytes()
    put(bucket, "lectures/report.md", text)
    put(bucket, "lectures/data.bin", b"x")
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        first = list(library.index(["s3://talks/lectures/"]))
        assert [(one.path, one.status) for one in first] == [
            ("s3://talks/lectures/data.bin", "skipped"),
            ("s3://talks/lectures/report.md", "indexed"),
        ]
        assert isinstance(first[0].error, UnsupportedMedia)
        (again,) = library.index(["s3://talks/lectures/report.md"])
        assert again.status == "unchanged"
        assert library.media()[0].path == "s3://talks/lectures/report.md"
        assert bytes_under(library.home, "hidden") == []

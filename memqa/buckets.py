"""Object storage by s3 addresses: what lies there, and its bytes; by pyarrow's own client.

Keys come from the environment alone (``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``,
``AWS_SESSION_TOKEN``); without them buckets are read as anyone may. No profile and no service of
the machine it runs on is asked for any. ``AWS_ENDPOINT_URL`` names another storage than Amazon's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from memqa.addresses import bucket_and_key
from models.errors import BackendError, InputError, MemqaError, SetupError, UnreadableMedia

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, S3FileSystem  # type: ignore[import-untyped]

_MOST_FILES = 10_000
_BLOCK_BYTES = 4 * 2**20
_CONNECT_S, _REQUEST_S = 15.0, 60.0
_TRIES = 3
_CODE = re.compile(r"AWS Error (\w+)")
_REFUSED = ("ACCESS_DENIED", "INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH", "EXPIRED_TOKEN")


def facts(address: str) -> tuple[int, int]:
    """Give the size of an object in bytes, and when it was written, in nanoseconds.

    Raises:
        UnreadableMedia: there is none, or it may not be looked at.
        BackendError: the storage cannot be reached.
    """
    info = _info(address)
    return int(info.size or 0), int(info.mtime_ns or 0)


def blocks(address: str) -> Generator[bytes, None, None]:
    """Yield the bytes of an object; raises as ``facts``."""
    bucket, key = bucket_and_key(address)
    with _errors(address), _storage(bucket).open_input_stream(f"{bucket}/{key}") as stream:
        while block := stream.read(_BLOCK_BYTES):
            yield block


def files_below(address: str, *, recursive: bool) -> list[str]:
    """Give the addresses of the objects below one that ends in ``/``, in order; hidden ones not.

    Raises:
        InputError: nothing lies there, or more than can be taken in at once.
        BackendError: the storage cannot be reached.
    """
    from pyarrow.fs import FileSelector, FileType

    bucket, key = bucket_and_key(address)
    with _errors(address):
        base = f"{bucket}/{key}".rstrip("/")
        selector = FileSelector(base, recursive=recursive, allow_not_found=True)
        found = _storage(bucket).get_file_info(selector)
    names = sorted(one.path for one in found if one.type == FileType.File)
    names = [one for one in names if not re.search(r"/\.", one[len(base) :])]
    if len(names) > _MOST_FILES:
        raise InputError(
            f"{len(names)} files lie below {address}, and {_MOST_FILES} can be taken in at once; "
            "name parts of it"
        )
    if not names:
        raise UnreadableMedia(f"there are no files below {address}; look at how it is written")
    return [f"s3://{one}" for one in names]


def _info(address: str) -> FileInfo:
    from pyarrow.fs import FileType

    bucket, key = bucket_and_key(address)
    if not key or key.endswith("/"):
        raise InputError(f"{address} names no single file; end it with the name of one")
    with _errors(address):
        info = _storage(bucket).get_file_info(f"{bucket}/{key}")
    if info.type == FileType.Directory:
        raise InputError(f"{address} holds files; write it with / at its end")
    if info.type != FileType.File:
        raise UnreadableMedia(f"there is no file {address}; check its name")
    return info


def _storage(bucket: str) -> S3FileSystem:
    try:
        from pyarrow.fs import AwsDefaultS3RetryStrategy, S3FileSystem, resolve_s3_region
    except ImportError as exc:
        raise SetupError("the pyarrow installed here cannot read s3 addresses") from exc
    given = os.environ.get
    endpoint = urlsplit(given("AWS_ENDPOINT_URL_S3") or given("AWS_ENDPOINT_URL") or "")
    region = given("AWS_REGION") or given("AWS_DEFAULT_REGION")
    if not region:
        region = "us-east-1" if endpoint.netloc else resolve_s3_region(bucket)
    name, secret = given("AWS_ACCESS_KEY_ID"), given("AWS_SECRET_ACCESS_KEY")
    where: dict[str, Any] = {}
    if endpoint.netloc:
        where = {"endpoint_override": endpoint.netloc, "scheme": endpoint.scheme}
    keys: dict[str, Any] = {"anonymous": True}
    if name and secret:
        token = given("AWS_SESSION_TOKEN")
        keys = {"access_key": name, "secret_key": secret, "session_token": token}
    return S3FileSystem(
        region=region,
        connect_timeout=_CONNECT_S,
        request_timeout=_REQUEST_S,
        retry_strategy=AwsDefaultS3RetryStrategy(max_attempts=_TRIES),
        **where,
        **keys,
    )


@contextmanager
def _errors(address: str) -> Iterator[None]:
    """Turn the storage's errors into one sentence; their own texts may name a key."""
    try:
        yield
    except MemqaError:
        raise
    except FileNotFoundError:
        raise UnreadableMedia(f"there is no file {address}; check its name") from None
    except (OSError, ValueError) as exc:
        found = _CODE.search(str(exc))
        code = found[1] if found else type(exc).__name__
        if code in _REFUSED:
            raise UnreadableMedia(
                f"{address} may not be read ({code}); look at AWS_ACCESS_KEY_ID and its rights"
            ) from None
        raise BackendError(f"{address} cannot be reached ({code}); try again later") from None

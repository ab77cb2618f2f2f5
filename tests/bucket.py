"""Object storage on this machine, for tests: moto's S3, whose writes are made one at a time.

The real one decides of two conditional puts for one; moto looks and then writes. It keeps all in
memory, and a log of what was asked.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3  # type: ignore[import-untyped]
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

KEY, SECRET = "AKIAMADEUPFORTESTS", "made-up-secret-that-must-stay-unsaid"


@dataclass
class Bucket:
    """A bucket at a loopback endpoint; ``asked`` are the requests so far, method and path.

    ``refusal`` is the code that everything is refused with, or with ``may_read`` every write.
    """

    endpoint: str
    name: str = "lectures"
    asked: list[tuple[str, str]] = field(default_factory=list)
    refusal: str = ""
    may_read: bool = False

    @property
    def variables(self) -> dict[str, str]:
        """What the environment of a process has to say so that it gets in."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
        )

    def objects(self) -> dict[str, bytes]:
        """Every object there is, by its key."""
        client = self.client()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        keys = [one["Key"] for page in pages for one in page.get("Contents", ())]
        return {key: client.get_object(Bucket=self.name, Key=key)["Body"].read() for key in keys}

    def holding(self, words: str) -> list[str]:
        """The keys of the objects in which these words can be read."""
        return [key for key, data in self.objects().items() if words.encode() in data]


@contextmanager
def bucket_served() -> Iterator[Bucket]:
    """Serve one empty bucket inside the block."""
    inner = DomainDispatcherApplication(create_backend_app)
    one_at_a_time = threading.Lock()
    bucket = Bucket("")

    def application(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        bucket.asked.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        is_reading = environ["REQUEST_METHOD"] in ("GET", "HEAD")
        if bucket.refusal and not (is_reading and bucket.may_read):
            # As the real one does, which names the key in its reply.
            reply = f"<Error><Code>{bucket.refusal}</Code><AWSAccessKeyId>{KEY}</AWSAccessKeyId>"
            start("403 Forbidden", [("Content-Type", "application/xml")])
            return [f"{reply}</Error>".encode()]
        if is_reading:
            return inner(environ, start)
        with one_at_a_time:
            return list(inner(environ, start))

    class Silent(WSGIRequestHandler):
        def log(self, *_: object, **__: object) -> None:
            """Say nothing."""

    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Silent)
    bucket.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        bucket.client().create_bucket(Bucket=bucket.name)
        yield bucket
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

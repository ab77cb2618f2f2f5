"""What goes wrong between this machine and object storage, each in one sentence.

LanceDB tells of it by long texts, in which a server's reply may stand with names of keys. They are
read here and go no further.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from memqa.homes import Address
from models.errors import BackendError, MemqaError, ReadOnly, SetupError

_KEYS = {
    "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, where there is one, AWS_SESSION_TOKEN",
    "gs": "GOOGLE_SERVICE_ACCOUNT",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
_REFUSED = "the credentials in {keys} are not accepted for {bucket}; set those of its owner"

# How LanceDB's client behaves: a whole part of a file goes within a minute, over a slow line too.
PATIENT = {
    "connect_timeout": "3s",
    "timeout": "60s",
    "client_max_retries": "3",
    "client_retry_timeout": "20",
}
# For a first look: LanceDB tries it six times.
HASTY = {**PATIENT, "timeout": "3s", "client_max_retries": "0", "client_retry_timeout": "3"}

# The first that fits counts: what to look for, which error it is, and the sentence.
_SENTENCES: tuple[tuple[re.Pattern[str], type[MemqaError], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), kind, sentence)
    for pattern, kind, sentence in (
        (
            "NoSuchBucket|ContainerNotFound",
            SetupError,
            "there is no bucket {bucket}; make it, or name another one in --home",
        ),
        (
            "Failed to get AWS credentials|CredentialsNotLoaded|NoCredentialsError",
            SetupError,
            "there are no credentials for {bucket}; set {keys}",
        ),
        (
            "Failed to resolve region",
            SetupError,
            "the region of {bucket} cannot be found; set AWS_REGION, or AWS_ENDPOINT_URL where it "
            "does not lie with Amazon",
        ),
        (
            "RequestTimeTooSkewed",
            SetupError,
            "the clock of this machine is wrong, so {bucket} refuses it; set the clock",
        ),
        (
            "InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|ExpiredToken|TokenRefresh"
            "|status: 401|InvalidClientTokenId",
            SetupError,
            _REFUSED,
        ),
        (
            "PermanentRedirect|AuthorizationHeaderMalformed|IncorrectEndpoint",
            SetupError,
            "{bucket} lies in another region; set AWS_REGION to its own",
        ),
        (
            "AccessDenied|AllAccessDisabled|status: 403|PermissionDenied",
            ReadOnly,
            "the credentials in use may not do this in {address}: reading needs the right to list "
            "and read there, adding and forgetting that to write and delete",
        ),
        (
            "scheme is not allowed|HTTPS only|URL scheme|BadScheme",
            SetupError,
            "the endpoint of {bucket} is an http address, where all can be read on the way; set "
            "AWS_ALLOW_HTTP=true if that is meant",
        ),
        (
            "kind: Timeout|TimedOut|timed out",
            BackendError,
            "the endpoint of {bucket} does not answer; look at AWS_ENDPOINT_URL and the network, "
            "and try again",
        ),
        (
            "kind: Connect|tcp connect error|dns error|connection (refused|reset|closed)",
            BackendError,
            "the endpoint of {bucket} cannot be reached; look at AWS_ENDPOINT_URL and the "
            "network, and try again",
        ),
        (
            "NotImplemented|status: 501",
            SetupError,
            "the endpoint of {bucket} knows no conditional puts, without which two machines may "
            "overwrite each other; use one that does",
        ),
        (
            "SlowDown|ServiceUnavailable|InternalError|status: 5\\d\\d",
            BackendError,
            "{bucket} is too busy or out of order; try again later",
        ),
        (
            "Error performing|RetryError|Failed to connect to namespace",
            BackendError,
            "{bucket} does not do what is asked of it; look at AWS_ENDPOINT_URL and at the rights "
            "of the credentials",
        ),
    )
)


@contextmanager
def plainly(address: Address) -> Iterator[None]:
    """Say in one sentence what goes wrong inside the block where object storage is at fault."""
    try:
        yield
    except MemqaError:
        raise
    except (OSError, RuntimeError, ValueError) as exc:
        told = trouble(exc, address)
        if told is None:
            raise
        # Without the error below, whose text may name a key.
        raise told from None


def trouble(error: BaseException, address: Address) -> MemqaError | None:
    """Give the sentence for an error of LanceDB, None where object storage is not at fault."""
    text, keys = str(error), _KEYS[address.address.partition(":")[0]]
    for pattern, kind, sentence in _SENTENCES:
        if pattern.search(text):
            return kind(sentence.format(bucket=address.bucket, address=address.address, keys=keys))
    return None


def is_conflict(error: BaseException) -> bool:
    """Say whether LanceDB gave up a change because another one came between."""
    return "conflict" in str(error) or "Incompatible transaction" in str(error)

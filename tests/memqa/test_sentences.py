"""What the libraries below say in their own way becomes one sentence that says what to do."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from memqa.calls import unforeseen
from memqa.homes import Address
from memqa.store.trouble import trouble
from memqa.worker import open_log
from models.errors import ReadOnly, SetupError


def test_a_bucket_without_a_region_says_which_variables_to_set() -> None:
    said = trouble(
        RuntimeError(
            "lance error: LanceError(IO): Generic S3 error: Failed to resolve region for bucket "
            "'nowhere', /build/lance-io/src/aws.rs:319:13"
        ),
        Address("s3://nowhere/x", "m"),
    )
    assert isinstance(said, SetupError)
    assert str(said).startswith("the region of s3://nowhere cannot be found; set AWS_REGION")


def test_a_file_of_the_tables_that_is_gone_leads_to_the_doctor() -> None:
    said = unforeseen(
        RuntimeError("lance error: Not found: home/tables/a.lance/b.lance, /build/local.rs:273:40")
    )
    assert "(Not found: home/tables/a.lance/b.lance)" in said
    assert "memqa doctor --repair" in said


def test_a_log_that_cannot_be_written_says_that_the_library_may_only_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(ReadOnly, match="may only be read here"):
        open_log(tmp_path)

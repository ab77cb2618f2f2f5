"""What is sent through the browser: how long it may wait on its way into the library."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from memqa.ui import server
from memqa.ui.uploads import sweep


def test_what_nobody_claims_goes_from_the_cache(tmp_path: Path) -> None:
    whole = tmp_path / "sha" / "talk.mp4"
    whole.parent.mkdir()
    for path in (whole, tmp_path / "tmphalf", tmp_path / "tmpnow"):
        path.write_bytes(b"x")
    ago = time.time() - 600
    os.utime(whole, (ago, ago))
    os.utime(tmp_path / "tmphalf", (ago, ago))
    sweep(tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["sha", "tmpnow"]
    assert whole.exists()
    os.utime(whole, (ago - 3600, ago - 3600))
    sweep(tmp_path)
    assert not whole.exists()
    os.utime(whole.parent, (ago - 3600, ago - 3600))
    sweep(tmp_path)
    assert not whole.parent.exists()


def test_a_second_page_of_a_library_leaves_what_the_first_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    coming = server.prepare(tmp_path) / "tmpnow"
    coming.write_bytes(b"x")
    server.prepare(tmp_path)
    assert coming.exists()

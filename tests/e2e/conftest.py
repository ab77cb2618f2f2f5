"""One browser for all page tests, and a library with the samples in it that each may copy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.pages import CHROMIUM, FLAGS, ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start Debian's Chromium; without it these tests are skipped, or fail where they must run."""
    if not CHROMIUM.exists():
        reason = f"{CHROMIUM} is not installed (apt-get install chromium)"
        if os.environ.get("MEMQA_REQUIRE_PAGE") == "1":
            pytest.fail(f"the page must be tested here, but {reason}")
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Index the sample video and the sample PDF once; not to be written to, see ``copy_of``."""
    home = tmp_path_factory.mktemp("samples") / "home"
    files = [str(ROOT / "memqa" / "examples" / name) for name in ("sample.mp4", "sample.pdf")]
    command = [sys.executable, "-m", "memqa", "--home", str(home), "index", *files]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT, timeout=600)
    return home


@pytest.fixture(scope="session")
def copy_of_samples(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Give a library of one's own that knows the samples already."""

    def copy() -> Path:
        return Path(shutil.copytree(samples, tmp_path_factory.mktemp("library") / "home"))

    return copy

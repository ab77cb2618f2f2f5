"""A JupyterLab of one's own, on this machine only, and a notebook opened in it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.e2e.pages import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Page

ART = ROOT / "artefacts" / "notebook"


@dataclass(frozen=True, slots=True)
class Lab:
    """A running JupyterLab: its address, its token and its process."""

    address: str
    token: str
    process: psutil.Process

    def notebook(self, name: str) -> str:
        """Give the address of a notebook, its side bars folded away."""
        return f"{self.address}/lab/tree/{name}?reset&token={self.token}"

    def kernels(self) -> list[psutil.Process]:
        """Give the kernels that run."""
        return [
            one
            for one in self.process.children(recursive=True)
            if "ipykernel_launcher" in " ".join(one.cmdline())
        ]

    def kernel_ports(self) -> set[int]:
        """Give the ports that the kernels and what they started listen on."""
        family = [one for kernel in self.kernels() for one in (kernel, *kernel.children(True))]
        return {
            connection.laddr.port
            for one in family
            for connection in one.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }


def surroundings(folder: Path) -> dict[str, str]:
    """Give an environment in which Jupyter and memqa keep all they write in these folders."""
    own = {
        name: str(folder / name.lower())
        for name in (
            "JUPYTER_CONFIG_DIR",
            "JUPYTER_DATA_DIR",
            "JUPYTERLAB_SETTINGS_DIR",
            "JUPYTERLAB_WORKSPACES_DIR",
            "IPYTHONDIR",
        )
    }
    ours = {"MEMQA_HOME": str(folder / "home"), "MEMQA_CONFIG": str(folder / "memqa.toml")}
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return {**os.environ, **own, **ours, "HF_HUB_OFFLINE": "1", "PYTHONPATH": path}


@contextmanager
def lab(folder: Path) -> Iterator[Lab]:
    """Start JupyterLab over a folder of notebooks."""
    # The path of a socket has room for some hundred characters only.
    runtime = tempfile.mkdtemp(prefix="lab-")
    environment = surroundings(folder / "jupyter") | {"JUPYTER_RUNTIME_DIR": runtime}
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    _settle(environment, "apputils-extension", "notification", quiet)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1"]
    command += [f"--port={port}", f"--ServerApp.root_dir={folder}", "--allow-root"]
    command += [f"--IdentityProvider.token={token}", "--ServerApp.port_retries=0"]
    command += ["--KernelManager.transport=ipc"]  # so that a port of the kernel's is one too many
    log = (folder / "lab.log").open("w")
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
    try:
        started = Lab(f"http://127.0.0.1:{port}", token, psutil.Process(process.pid))
        _await(started)
        yield started
    finally:
        _end(process)
        log.close()
        shutil.rmtree(runtime, ignore_errors=True)


def _settle(environment: Mapping[str, str], extension: str, name: str, values: object) -> None:
    place = Path(environment["JUPYTERLAB_SETTINGS_DIR"]) / "@jupyterlab" / extension
    place.mkdir(parents=True)
    (place / f"{name}.jupyterlab-settings").write_text(json.dumps(values), encoding="utf-8")


def _await(lab: Lab, patience_s: float = 120.0) -> None:
    until = time.monotonic() + patience_s
    while True:
        try:
            urllib.request.urlopen(f"{lab.address}/api?token={lab.token}", timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            assert time.monotonic() < until, "JupyterLab did not come up"
            time.sleep(0.3)


def _end(process: subprocess.Popen[bytes]) -> None:
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=20)
    finally:
        process.kill()
        for one in family:
            if one.is_running():
                one.kill()
        psutil.wait_procs(family, timeout=10)


def look(page: Page, name: str) -> None:
    """Keep a picture of the notebook for people to look at."""
    ART.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(ART / f"{name}.png"))


def run_all(page: Page) -> None:
    """Run every cell, as a person does from the menu."""
    page.click('.lm-MenuBar-item:has-text("Run")')
    page.click('.lm-Menu-item:has-text("Run All Cells") >> nth=0')


def await_kernel(page: Page) -> None:
    """Wait until the notebook is there and its kernel has nothing to do."""
    page.wait_for_selector(".jp-NotebookPanel .jp-CodeCell", timeout=120_000)
    page.wait_for_selector("#jp-main-statusbar >> text=/[|] Idle/", timeout=180_000)


def use_theme(page: Page, name: str) -> None:
    """Choose a theme, as a person does from the menu."""
    page.click('.lm-MenuBar-item:has-text("Settings")')
    page.hover('.lm-Menu-item:has-text("Theme") >> nth=0')
    page.click(f'.lm-Menu-item:has-text("{name}") >> nth=0')
    is_light = "true" if name.endswith("Light") else "false"
    page.wait_for_selector(f'body[data-jp-theme-light="{is_light}"]', state="attached")

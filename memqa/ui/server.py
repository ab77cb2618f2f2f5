"""Serving the page: this machine only unless asked otherwise, nothing sent anywhere, no copies."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memqa.warm import warm_up
from models.errors import MemqaError, SetupError

if TYPE_CHECKING:
    import gradio as gr

    from memqa.library import Library

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 7860
_FIRST_PAINT_S = 4.0  # the page that is opened at once is not to wait for models


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the options and serve the page; an error becomes one sentence and one exit code."""
    parser = argparse.ArgumentParser(description="Open memqa's web page.")
    parser.add_argument("--home", help="folder of the library (default: your data folder)")
    parser.add_argument("--host", default=DEFAULT_HOST, help="address to listen on")
    parser.add_argument("--port", default=DEFAULT_PORT, type=int, help="port; 0 takes a free one")
    parser.add_argument("--auth", metavar="USER:PASSWORD", help="ask for a name and a password")
    options = parser.parse_args(arguments)
    try:
        launch(options.home, host=options.host, port=options.port, auth=options.auth)
    except MemqaError as error:
        from memqa.cli import exits

        exits.complain(str(error))
        sys.exit(exits.code_of(error))


def launch(
    home: str | Path | None = None,
    *,
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    auth: str | None = None,
) -> None:
    """Open the library under ``home`` in a web page and serve it until the program is stopped.

    ``auth`` is ``user:password``; without it a page that others can reach is theirs to use.

    Raises:
        SetupError: the port is taken, or the library cannot be opened.
    """
    import memqa
    from memqa.doorkeeper import open_door

    with memqa.open(home) as library:
        page = serve(library, host=host, port=port, auth=auth)
        print(f"memqa is open at {page.local_url}  (library: {library.where})  Ctrl+C stops it.")
        with open_door(library) as is_open:
            if is_open:
                warm_up(library, speaks=False, after_s=_FIRST_PAINT_S)
            page.block_thread()


def serve(library: Library, *, host: str, port: int, auth: str | None = None) -> gr.Blocks:
    """Start serving a library and come back at once; ``close()`` of what is given ends it.

    Raises:
        SetupError: the port is taken.
    """
    cache = prepare(library.home)
    import gradio as gr
    from starlette.middleware import Middleware

    from memqa.ui.guard import Guard, is_loopback
    from memqa.ui.page import build
    from memqa.ui.places import Places

    local = is_loopback(host)
    if not local and auth is None:
        # Printed, since the command line shows no warnings of the log.
        print(
            f"memqa: anyone who reaches {host} can use this library; "
            "`memqa serve --auth USER:PASSWORD` asks for a password",
            file=sys.stderr,
        )
    page = build(
        library, cache=cache, places=Places(local=local), on_ready=lambda: warm_up(library)
    )
    try:
        page.launch(
            server_name=host,
            server_port=port or _free_port(host),
            auth=_pair(auth),
            inbrowser=_has_screen(),
            quiet=True,
            prevent_thread_lock=True,
            share=False,
            max_file_size=library.settings.limits.max_upload_bytes,
            app_kwargs={
                "middleware": [Middleware(Guard, loopback_only=local)],
                "docs_url": None,
                "redoc_url": None,
            },
            **_quiet_gradio(gr),
        )
    except OSError as exc:
        raise SetupError(
            f"{host}:{port} cannot be opened, most likely since another program holds it; "
            "choose another --port"
        ) from exc
    return page


def prepare(home: Path) -> Path:
    """Keep what Gradio would put elsewhere, or send, inside the library; give the cache's folder.

    Gradio reads these when it is imported. The cache is emptied: it only ever holds files on their
    way to ``home/uploads``.
    """
    import shutil

    cache = home / "page" / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir(parents=True, exist_ok=True)
    os.environ["GRADIO_TEMP_DIR"] = str(cache)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    return cache


def _quiet_gradio(gr: Any) -> dict[str, Any]:
    """Gradio's own extras off, our look on."""
    from memqa.ui.parts import styles

    fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
    mono = ["ui-monospace", "SFMono-Regular", "Consolas", "monospace"]
    return {
        "theme": gr.themes.Base(font=fonts, font_mono=mono),
        "head": f"<style>{styles()}</style>{_ICON}",
        "footer_links": [],
        "run_history": False,
        "enable_monitoring": False,
        "mcp_server": False,
        "pwa": False,
        "ssr_mode": False,
        "show_error": False,
    }


_ICON = (
    '<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns=%27http://www.w3.org/2000/svg%27 '
    "viewBox=%270 0 16 16%27%3E%3Crect width=%2716%27 height=%2716%27 rx=%273%27 "
    "fill=%27%230b5c8f%27/%3E%3Cpath d=%27M4 4v8M7 4v8M10 4l2.5 8%27 stroke=%27white%27 "
    'stroke-width=%271.6%27 fill=%27none%27/%3E%3C/svg%3E">'
)


def _pair(auth: str | None) -> tuple[str, str] | None:
    if auth is None:
        return None
    user, _, password = auth.partition(":")
    if not (user and password):
        raise SetupError("a name and a password are needed: write USER:PASSWORD")
    return user, password


def _free_port(host: str) -> int:
    import socket

    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _has_screen() -> bool:
    """Whether there is a desktop to open a browser on."""
    if not sys.stdout.isatty():
        return False
    return sys.platform in ("darwin", "win32") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )

"""Serving the page: this machine only unless asked otherwise, nothing sent anywhere, no copies."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memqa.logged import log_to_stderr
from memqa.ui.terms import DEFAULT_HOST, DEFAULT_PORT, Terms
from memqa.ui.uploads import sweep
from memqa.warm import warm_up
from memqa.whereabouts import AUTH_VARIABLE
from models.errors import MemqaError, SetupError

if TYPE_CHECKING:
    import gradio as gr

    from memqa.library import Library
    from memqa.users import Users

_FIRST_PAINT_S = 4.0  # the page that is opened at once is not to wait for models
_NAP_S = 0.1
_MOST_THREADS = 64  # each answer that a page waits for takes one
_MOST_CONNECTIONS = 512
_MOST_STATES = 256  # that Gradio keeps of sessions; the page keeps nothing there


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the options and serve the page; an error becomes one sentence and one exit code."""
    parser = argparse.ArgumentParser(description="Open memqa's web page.")
    parser.add_argument("--home", help="folder of the library (default: your data folder)")
    parser.add_argument("--host", default=DEFAULT_HOST, help="address to listen on")
    parser.add_argument("--port", default=DEFAULT_PORT, type=int, help="port; 0 takes a free one")
    parser.add_argument(
        "--auth",
        metavar="USER[:PASSWORD]",
        help=f"let one person log in; without a password it is asked for, or set {AUTH_VARIABLE}",
    )
    parser.add_argument(
        "--auth-file", type=Path, metavar="FILE", help="let the users in this file log in"
    )
    parser.add_argument(
        "--open-to-all", action="store_true", help="let everyone who reaches --host in"
    )
    parser.add_argument("--cert", type=Path, metavar="FILE", help="serve by TLS: the certificate")
    parser.add_argument("--key", type=Path, metavar="FILE", help="serve by TLS: its key")
    options = vars(parser.parse_args(arguments))
    log_to_stderr(logging.WARNING, "memqa: %(levelname)s: %(message)s")
    try:
        launch(options.pop("home"), Terms(**options))
    except MemqaError as error:
        from memqa.cli import exits

        exits.complain(str(error))
        sys.exit(exits.code_of(error))


def launch(home: str | Path | None = None, terms: Terms | None = None) -> None:
    """Open the library under ``home`` in a web page and serve it until the program is stopped.

    Raises:
        SetupError: the port is taken, the library cannot be opened, or it would be open to
            strangers.
    """
    terms = terms or Terms()
    users = terms.users()
    terms.check(users)
    import memqa
    from memqa.doorkeeper import open_door

    with memqa.open(home) as library:
        page = serve(library, terms, users)
        told = f"memqa is open at {page.local_url}  (library: {library.where})  Ctrl-C stops it."
        print(told, flush=True)  # a log file shows it at once, too
        with open_door(library) as is_open:
            if is_open:
                warm_up(library, speaks=False, after_s=_FIRST_PAINT_S)
            _wait(page)


def _wait(page: gr.Blocks) -> None:
    """Keep the program going until Ctrl-C; by short sleeps, which Ctrl-C ends on every system."""
    try:
        while page.is_running:
            time.sleep(_NAP_S)
    except KeyboardInterrupt:
        page.close(verbose=False)
        print("memqa: stopped.", file=sys.stderr)


def serve(library: Library, terms: Terms, users: Users | None = None) -> gr.Blocks:
    """Start serving a library and come back at once; ``close()`` of what is given ends it.

    Raises:
        SetupError: the port is taken.
    """
    cache = prepare(library.home)
    import gradio as gr
    from starlette.middleware import Middleware

    from memqa.ui.gate import Gate
    from memqa.ui.guard import Guard
    from memqa.ui.login import Login
    from memqa.ui.page import build
    from memqa.ui.places import Places

    # Of several people, none is to reach what only the machine's owner may.
    places = Places(local=terms.local and not (users is not None and users.are_apart))
    page = build(library, cache=cache, places=places, on_ready=lambda: warm_up(library))
    middleware = [
        Middleware(Guard, loopback_only=terms.local),
        Middleware(Login, users=users, local=terms.local),
        Middleware(Gate, library=library, places=places, cache=cache),
    ]
    try:
        page.launch(
            **_place(terms),
            inbrowser=_has_screen(),
            max_file_size=library.settings.limits.max_upload_bytes,
            app_kwargs={"middleware": middleware, "docs_url": None, "redoc_url": None},
            ssl_certfile=str(terms.cert) if terms.cert else None,
            ssl_keyfile=str(terms.key) if terms.key else None,
            ssl_verify=False,  # of what it asks of itself
            **_quiet_gradio(gr),
        )
    except OSError as exc:
        raise SetupError(
            f"{terms.host}:{terms.port} cannot be opened, most likely since another program holds "
            "it; choose another --port"
        ) from exc
    _restrain(page)
    return page


def _restrain(page: gr.Blocks) -> None:
    """Let the web server take only so many connections, ask us first, and not say what it is."""
    from memqa.ui.guard import NoPreflight

    config = page.server.config
    config.loaded_app = NoPreflight(config.loaded_app)
    config.limit_concurrency = _MOST_CONNECTIONS
    config.encoded_headers = [
        (name, value) for name, value in config.encoded_headers if name != b"server"
    ]


def prepare(home: Path) -> Path:
    """Keep what Gradio would put elsewhere, or send, inside the library; give the cache's folder.

    Gradio reads these when it is imported. The cache only ever holds files on their way to
    ``home/uploads``; of those that a page which runs already takes, none is touched.
    """
    cache = home / "page" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    sweep(cache)
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
        "quiet": True,
        "prevent_thread_lock": True,
        "share": False,
        "max_threads": _MOST_THREADS,
        "state_session_capacity": _MOST_STATES,
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


def _place(terms: Terms) -> dict[str, Any]:
    """Say where to listen, as Gradio reads it: an address of IPv6 in brackets."""
    bare = terms.host.strip("[]")
    is_ipv6 = ":" in bare
    port = terms.port or _free_port(bare, is_ipv6=is_ipv6)
    return {"server_name": f"[{bare}]" if is_ipv6 else bare, "server_port": port}


def _free_port(host: str, *, is_ipv6: bool) -> int:
    import socket

    with socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _has_screen() -> bool:
    """Whether there is a desktop to open a browser on."""
    if not sys.stdout.isatty():
        return False
    return sys.platform in ("darwin", "win32") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )

"""Which single files the browser may read: a media from when it is shown until forgotten."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import gradio as gr

from memqa.ui.guard import is_forwarded
from memqa.values import Media

# A browser is handed nothing that it could take for a page with scripts, whatever its name says.
_PLAYABLE = frozenset(
    {
        ".mp4",
        ".m4v",
        ".mov",
        ".webm",
        ".mkv",
        ".avi",
        ".mpg",
        ".mpeg",
        ".ts",
        ".3gp",
        ".wmv",
        ".flv",
        ".ogv",
        ".ogg",
        ".oga",
        ".opus",
        ".mp3",
        ".m4a",
        ".aac",
        ".flac",
        ".wav",
        ".weba",
    }
)


class Places:
    """The single files that the running page serves, and who it is served to."""

    def __init__(self, *, local: bool) -> None:
        """Say with ``local`` that the page listens to this machine only, and to one person."""
        self._listens_here = local
        self._page: gr.Blocks | None = None

    @property
    def local(self) -> bool:
        """Whether somebody at this machine is being answered, and no visitor of a proxy on it."""
        return self._listens_here and not is_forwarded()

    def serve_by(self, page: gr.Blocks) -> None:
        """Tell which running page serves the files."""
        self._page = page

    def take_uploads(self, most_bytes: int) -> None:
        """Take uploads of up to so many bytes from now on."""
        if self._page is not None:
            self._page.max_file_size = most_bytes

    def open(self, media: Media) -> str | None:
        """Let the browser read this one file, and give its address; None if it is no player's file.

        Its siblings stay closed. Gradio answers Range requests from the file itself: no copy.
        """
        path = Path(media.path)
        if path.suffix.lower() not in _PLAYABLE or not path.is_file() or self._page is None:
            return None
        resolved = str(path.resolve())
        if resolved not in self._page.allowed_paths:
            self._page.allowed_paths.append(resolved)
        return f"gradio_api/file={quote(resolved, safe='/')}"

    def shows(self, path: str) -> bool:
        """Say whether a path is exactly a file that is served."""
        try:
            resolved = str(Path(path).resolve())
        except (OSError, ValueError, RuntimeError):
            return False
        return self._page is not None and resolved in self._page.allowed_paths

    def close(self, media: Media) -> None:
        """Stop serving a file."""
        resolved = str(Path(media.path).resolve())
        if self._page is not None and resolved in self._page.allowed_paths:
            self._page.allowed_paths.remove(resolved)

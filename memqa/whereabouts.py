"""Where a person's library, settings file and running processes are found; opens none of them.

Cheap to import: the command line asks before it knows whether it needs anything else.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from platformdirs import user_config_path, user_data_path

CONFIG_VARIABLE = "MEMQA_CONFIG"
AUTH_VARIABLE = "MEMQA_AUTH"  # who may log in to the page; no setting, since it is a secret


def config_path() -> Path:
    """Say where the settings file lies, or would lie."""
    named = os.environ.get(CONFIG_VARIABLE)
    return Path(named) if named else user_config_path("memqa", appauthor=False) / "memqa.toml"


def default_home() -> Path:
    """Say where the library lies of a person who names none."""
    return user_data_path("memqa", appauthor=False)


if sys.platform == "win32":

    def private_folder(*, make: bool = False) -> Path | None:
        """Give a folder that no other user of this machine can enter; None where there is none."""
        return None

else:

    def private_folder(*, make: bool = False) -> Path | None:
        """Give a folder that no other user of this machine can enter; None where there is none.

        It lies in the session's own folder, else below the one for temporary files. Whatever
        another user put in its place, or could put there, is left alone.
        """
        base = Path(os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("TMPDIR") or "/tmp")
        folder, own = base / f"memqa-{os.geteuid()}", os.geteuid()
        try:
            if make:
                folder.mkdir(mode=0o700, exist_ok=True)
            status, above = folder.lstat(), base.stat()
        except OSError:
            return None
        # In a folder that everyone may write to, only the sticky bit keeps ours in its place.
        is_open_to_others = above.st_mode & 0o022 and not above.st_mode & 0o1000
        if above.st_uid not in (0, own) or is_open_to_others:
            return None
        is_ours = folder.is_dir() and status.st_uid == own and not status.st_mode & 0o077
        return folder if is_ours and not folder.is_symlink() else None

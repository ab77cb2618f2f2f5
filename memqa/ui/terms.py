"""On which terms the page is served: at which address, for whom, and whether it is encrypted.

Whatever would open a library to strangers by oversight is refused, with the ways to mean it.
"""

from __future__ import annotations

import getpass
import os
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path

from memqa import users
from memqa.ui.guard import is_loopback
from memqa.users import Users
from memqa.whereabouts import AUTH_VARIABLE
from models.errors import SetupError

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 7860
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Terms:
    """What was asked for; ``auth`` is ``USER:PASSWORD``, or ``USER`` whose password is asked for.

    ``MEMQA_AUTH`` says the same as ``auth`` where neither that nor ``auth_file`` is given.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    auth: str | None = None
    auth_file: Path | None = None
    open_to_all: bool = False
    cert: Path | None = None
    key: Path | None = None

    @property
    def local(self) -> bool:
        """Whether the page listens to this machine only."""
        return is_loopback(self.host)

    def users(self) -> Users | None:
        """Say who may log in; None where nobody has to. Forgets what the environment says of it.

        Raises:
            SetupError: there is no such file of users, or a password is missing.
        """
        named = os.environ.pop(AUTH_VARIABLE, None)  # no process that is started is to read it
        if self.auth is not None and self.auth_file is not None:
            raise SetupError("--auth and --auth-file both say who may log in; give one of them")
        if self.auth_file is not None:
            return users.of_file(self.auth_file)
        auth = self.auth if self.auth is not None else named
        return users.of_pair(_with_password(auth)) if auth is not None else None

    def check(self, users: Users | None) -> None:
        """See whether the page may be served so; says on stderr what one ought to know.

        Raises:
            SetupError: it would be open to strangers, or its port or certificate is none.
        """
        if not self.local and users is None and not self.open_to_all:
            raise SetupError(
                f"anyone who reaches {self.host} could use this library; let them log in with "
                "--auth USER or --auth-file FILE, or say that you mean it with --open-to-all"
            )
        if self.open_to_all and users is not None:
            raise SetupError(
                "--open-to-all lets everyone in, and users are named; give one of them"
            )
        if not 0 <= self.port <= _LAST_PORT:
            raise SetupError(f"there is no port {self.port}; choose one of 0 to {_LAST_PORT}")
        self._check_tls()
        if not self.local and users is not None and self.cert is None:
            print(
                "memqa: passwords go over the network as they are typed; give --cert and --key, "
                "or let a proxy with TLS stand in front",
                file=sys.stderr,
            )

    def _check_tls(self) -> None:
        if (self.cert is None) != (self.key is None):
            raise SetupError("TLS needs a certificate and its key: give --cert and --key")
        if self.cert is None or self.key is None:
            return
        for file in (self.cert, self.key):
            if not file.is_file():
                raise SetupError(f"there is no file {file}; check --cert and --key")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            # A passphrase would be asked for anew by the server, where nobody can type it.
            context.load_cert_chain(self.cert, self.key, password=lambda: "")
        except OSError as exc:  # ssl.SSLError is one
            raise SetupError(
                f"{self.cert} and {self.key} are no certificate with its key, both as PEM and the "
                f"key without a passphrase ({exc}); check --cert and --key"
            ) from exc


def _with_password(auth: str) -> str:
    """Ask for the password in the terminal where only a name is given."""
    if ":" in auth or not auth or not sys.stdin.isatty():
        return auth
    return f"{auth}:{getpass.getpass(f'Password for {auth}: ')}"

"""The error tree of the whole project; knows nothing else.

MemqaError
├── InputError            the file or the words given are at fault     (exit code 2)
│   ├── UnsupportedMedia      a kind of file that memqa does not read
│   ├── UnreadableMedia       the right kind, but damaged beyond use
│   ├── MediaChanged          other bytes came in its place while it was read
│   ├── LockedDocument        encrypted, and no password was given
│   └── EmptyMedia            nothing in it that could be remembered
├── SetupError            the installation or the settings are at fault (exit code 3)
│   ├── MissingExtra          a package is missing; the message names what to install
│   ├── ModelNotFound         model weights are missing or not the ones expected
│   ├── StoreMismatch         the library was written by another schema or model
│   ├── DiskFull              no room is left where something had to be written
│   └── ReadOnly              a folder or a bucket that may be read, but not written to
├── BackendError          something we rely on failed while working      (exit code 1)
│   ├── MediaGone             a file went away while it was read
│   ├── DecodeFailed          a decoder crashed, hung or ran out of its limits
│   ├── ChatModelUnavailable  the language model gave no answer
│   └── StoreConflict         another process holds what this one needs
└── IngestCancelled       the person stopped it                          (exit code 130)
"""


class MemqaError(Exception):
    """Base of every error that memqa raises on purpose; its text is fit for a person."""


class InputError(MemqaError):
    """What was given is at fault."""


class UnsupportedMedia(InputError):
    """A kind of file that memqa does not read."""


class UnreadableMedia(InputError):
    """The right kind of file, but damaged beyond use."""


class MediaChanged(InputError):
    """Other bytes came in the place of a file while it was read."""


class LockedDocument(InputError):
    """An encrypted document."""


class EmptyMedia(InputError):
    """A file with nothing in it that could be remembered."""


class SetupError(MemqaError):
    """The installation or the settings are at fault."""


class MissingExtra(SetupError):
    """A package is missing; the message names what to install."""


class ModelNotFound(SetupError):
    """Model weights are missing or are not the expected ones."""


class StoreMismatch(SetupError):
    """The library was written with another schema or another model."""


class DiskFull(SetupError):
    """No room is left where something had to be written."""


class ReadOnly(SetupError):
    """A folder or a bucket that may be read, but not written to."""


class BackendError(MemqaError):
    """Something memqa relies on failed while working."""


class MediaGone(BackendError):
    """A file went away while it was read."""


class DecodeFailed(BackendError):
    """A decoder crashed, hung or ran out of its limits."""


class ChatModelUnavailable(BackendError):
    """The language model gave no answer."""


class StoreConflict(BackendError):
    """Another process holds what this one needs."""


class IngestCancelled(MemqaError):
    """The person stopped the work."""

"""What a question is put to: everything, media named one by one, or the collections they are in.

Where a name is both a media's and a collection's, the media is meant, and it is said.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memqa.near import did_you_mean
from memqa.values import Collection, Media
from models.errors import InputError

if TYPE_CHECKING:
    from memqa.opened import Opened

MOST_NAME_CHARACTERS = 80
_BRANCH = re.compile(r":n\d+-\d+$")
_JOINERS = "\u200c\u200d"  # not printable by themselves, but part of words and of emoji


@dataclass(frozen=True, slots=True)
class Scope:
    """The media that a question is put to, None for all; what to call them; what has to be said.

    ``collection`` is the name of the one collection that they are, ``notes`` tell in a sentence
    each which of two things a name was taken for.
    """

    media_ids: tuple[str, ...] | None = None
    collection: str = ""
    notes: tuple[str, ...] = ()


EVERYTHING = Scope()


def scope_of(library: Opened, named: Sequence[str] | str | None) -> Scope:
    """Find the media that are meant by ids, paths, file names and names of collections.

    Raises:
        InputError: a name fits nothing, or several media, or a collection without any media.
    """
    if named is None:
        return EVERYTHING
    wanted = [named] if isinstance(named, str) else list(named)
    collections = {name: library.store.collections.find(name) for name in wanted}
    ids: list[str] = []
    notes = []
    meant = []
    for name, collection in collections.items():
        if collection is None:
            ids.append(_media(library, name))
        elif library.fitting(name):
            ids.append(library.show(name).id)
            notes.append(
                f"{name!r} names a file and a collection, and the file is meant; to ask the"
                " collection, collect its files under another name"
            )
        else:
            ids += _members(collection)
            meant.append(collection.name)
    name = meant[0] if len(collections) == len(meant) == 1 else ""
    return Scope(tuple(dict.fromkeys(ids)), name, tuple(notes))


def named_in_full(text: str, media: Sequence[Media]) -> list[Media]:
    """Give the media whose file names stand in a question as they are, endings included."""
    return [
        item
        for item in media
        if "." in item.name.strip(".")
        and re.search(rf"(?<![\w./]){re.escape(item.name)}(?!\w)", text, re.I)
    ]


def proper_name(text: str) -> str:
    """Give a collection's name as it is kept: composed (Unicode NFC), on one line.

    Raises:
        InputError: there is nothing of it, too much of it, or it cannot be printed.
    """
    name = unicodedata.normalize("NFC", " ".join(text.split()))
    if not name:
        raise InputError("the collection has no name; give it one, such as 'reports'")
    if not all(char.isprintable() or char in _JOINERS for char in name):
        raise InputError(f"the name {name!r} cannot be printed; give the collection another one")
    if _BRANCH.search(name):
        raise InputError(f"{name!r} ends like a branch of a file; give the collection another name")
    if len(name) > MOST_NAME_CHARACTERS:
        raise InputError(
            f"the name of a collection has at most {MOST_NAME_CHARACTERS} characters, this one"
            f" {len(name)}; give it a shorter one"
        )
    return name


def known(library: Opened, name: str) -> Collection:
    """Give a collection by its name.

    Raises:
        InputError: there is none of this name.
    """
    found = library.store.collections.find(name)
    if found is None:
        names = [one.name for one in library.store.collections.all()]
        raise InputError(
            f"there is no collection {name!r}; see `memqa collections`.{did_you_mean(name, names)}"
        )
    return found


def stranger(library: Opened, name: str, told: str, see: str = "`memqa list`") -> InputError:
    """Say of a name that nothing fits it, and what it may have meant or what to do first."""
    known = [media.name for media in library.media()]
    if not known:
        return InputError(f"{name!r} {told}, which is empty; add something: memqa index FILE")
    known += [one.name for one in library.store.collections.all()]
    return InputError(f"{name!r} {told}; see {see}.{did_you_mean(name, known)}")


def _media(library: Opened, name: str) -> str:
    if library.fitting(name):
        return library.show(name).id
    told = f"is neither a media nor a collection of the library {library.where}"
    raise stranger(library, name, told, "`memqa list` and `memqa collections`")


def _members(collection: Collection) -> tuple[str, ...]:
    if not collection.media_ids:
        raise InputError(
            f"the collection {collection.name!r} is empty; put something into it:"
            f" memqa collect {collection.name!r} FILE"
        )
    return collection.media_ids

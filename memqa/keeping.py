"""Keeping order in a library: forgetting media, and putting them into collections."""

from __future__ import annotations

from collections.abc import Sequence

from memqa.opened import Opened
from memqa.values import Collection, Media
from models.errors import InputError


class Keeping(Opened):
    """The door of a library through which its media are put in order or forgotten."""

    def forget(self, media: str) -> Media:
        """Delete a media and every trace of it: memories, chat turns that quote it, its upload.

        A file that lies elsewhere on this machine stays where it is.

        Raises:
            InputError: no such media.
            StoreConflict: it is being indexed and did not stop within a minute.
        """
        from memqa.alone import leased

        found = self.show(media)
        self._queue.forget(found.id, found.path)
        with leased(self.home, found.id, timeout_s=60):
            self.store.upkeep.hide(found.id)
            # The media goes last: a run that is cut short is found by it, and finished.
            self._finish_forgetting(self.store)
        return found

    def collections(self) -> list[Collection]:
        """Give the collections, by name: media that are asked together."""
        return self.store.collections.all()

    def collect(self, name: str, media: Sequence[str] | str) -> Collection:
        """Put media into a collection, made where there is none of this name, and give it.

        Media may be named as anywhere, by another collection too.

        Raises:
            InputError: the name cannot be one, a media that is not in the library, or none named.
        """
        from memqa import scope

        name = scope.proper_name(name)
        ids = scope.scope_of(self, media).media_ids
        if not ids:
            raise InputError(f"nothing to put into the collection {name!r}; name its media")
        if self.store.collections.find(name) is None and self.fitting(name):
            raise InputError(f"{name!r} names a file already; give the collection another name")
        self.store.collections.add(name, ids)
        return scope.known(self, name)

    def uncollect(self, name: str, media: Sequence[str] | str | None = None) -> Collection:
        """Take media out of a collection; without any named, remove it. The media stay.

        Gives the collection as it is now, without media where it was removed.

        Raises:
            InputError: no such collection, or a media that is not in it.
        """
        from memqa import scope

        found = scope.known(self, name)
        ids = scope.scope_of(self, media).media_ids
        if ids is None:
            self.store.collections.remove(found.name)
            return Collection(found.name)
        if strangers := [one for one in self.media() if one.id in set(ids) - set(found.media_ids)]:
            raise InputError(
                f"{strangers[0].name} is not in the collection {found.name!r};"
                " see `memqa collections`"
            )
        self.store.collections.take_out(found.name, ids)
        return scope.known(self, found.name)

"""The collections above the cards: asking one, keeping the ticked media as one, letting one go.

What is asked is nothing but the ticks; a collection is asked by ticking exactly its media. Those
that cannot be asked yet do not count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from memqa.ui import words
from memqa.ui.cards import Card, cards
from memqa.ui.desk import Desk
from memqa.ui.markup import Safe, el, icon
from memqa.values import Collection
from models.errors import InputError

if TYPE_CHECKING:
    from memqa.library import Library


class Collections:
    """What the collections' buttons do; every public method is one call of the browser."""

    def __init__(self, library: Library, desk: Desk) -> None:
        self._library = library
        self._desk = desk

    def ask_collection(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Tick exactly the media of a collection; where it is to be ``off``, ask all again."""
        name = str(data.get("name", ""))
        wanted = set(self._named(name).media_ids)
        if not wanted:
            raise InputError(f"Nothing of {name} is in the library any more.")
        if data.get("off"):
            # Ticking all would ask a collection of all: with nothing ticked, all are asked too.
            is_of_all = wanted >= {card.media_id for card in self._shelf() if card.can_be_asked}
            self._desk.untick([one.id for one in self._library.media()] if is_of_all else ())
        else:
            self._tick_exactly(wanted)
        return {}

    def tick_only(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Tick exactly the media named, or all where ``media`` is missing."""
        wanted = data.get("media")
        if isinstance(wanted, list):
            self._tick_exactly(set(map(str, wanted)))
        else:
            self._desk.untick(())
        return {}

    def keep_collection(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Keep the ticked media that can be asked as a collection."""
        name = str(data.get("name", "")).strip()
        media = ticked(self._shelf())
        if not media:
            raise InputError("Nothing is ticked; tick the media to keep as a collection.")
        if any(_same(name, one.name) for one in self._library.collections()):
            raise InputError(f"There is a collection {name} already; choose another name.")
        kept = self._library.collect(name, media)
        said = words.counted(len(kept.media_ids), "media is", "media are")
        return {"said": f"{said} kept as {kept.name}."}

    def remove_collection(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Remove a collection; its media stay."""
        removed = self._library.uncollect(str(data.get("name", "")))
        return {"said": f"The collection {removed.name} is removed; its media stay."}

    def _shelf(self) -> list[Card]:
        unticked = self._desk.state.unticked
        return cards(self._library.media(), self._library.jobs(), unticked=unticked)

    def _named(self, name: str) -> Collection:
        for one in self._library.collections():
            if one.name == name:
                return one
        raise InputError(f"There is no collection {name} any more.")

    def _tick_exactly(self, wanted: set[str]) -> None:
        self._desk.untick([one.id for one in self._library.media() if one.id not in wanted])


def ticked(shelf: Sequence[Card]) -> list[str]:
    """Give the ids of the media that are ticked and can be asked."""
    return [card.media_id for card in shelf if card.ticked and card.can_be_asked and card.media_id]


def asked_collection(collections: Sequence[Collection], shelf: Sequence[Card]) -> Collection | None:
    """Give the collection of whose media exactly those are ticked that can be asked."""
    wanted = set(ticked(shelf))
    able = {card.media_id for card in shelf if card.can_be_asked}
    asked = (one for one in collections if wanted and able.intersection(one.media_ids) == wanted)
    return next(asked, None)


def above_html(
    shelf: Sequence[Card], collections: Sequence[Collection], chosen: Sequence[str] | None
) -> Safe:
    """Write what stands above the cards: collections, what is ticked, and what is out of date."""
    able = [card for card in shelf if card.can_be_asked]
    open_ = asked_collection(collections, shelf)
    pieces = [
        _list(collections, open_) if collections else None,
        _keep(len(chosen)) if chosen and open_ is None else None,
        _ticks(able) if len(able) > 1 else None,
        _stale([card for card in shelf if card.can_be_renewed]),
    ]
    return Safe("".join(piece for piece in pieces if piece))


def _list(collections: Sequence[Collection], open_: Collection | None) -> Safe:
    rows = [_row(one, is_asked=one is open_) for one in collections]
    return el("ul", rows, class_="collections", aria_label="Collections", data_key="collections")


def _row(one: Collection, *, is_asked: bool) -> Safe:
    count = len(one.media_ids)
    remove = el(
        "details",
        el("summary", icon("more"), aria_label=f"More about the collection {one.name}"),
        el(
            "div",
            el("span", "The media stay."),
            el("button", "Remove collection", type="button", data_remove=one.name),
            class_="panel",
        ),
        class_="more",
    )
    ask = el(
        "button",
        el("span", one.name, class_="name"),
        el("span", str(count), class_="count", aria_label=words.counted(count, "media", "media")),
        type="button",
        class_="collection",
        data_collection=one.name,
        aria_pressed="true" if is_asked else "false",
        title="Ask all media again" if is_asked else "Ask only these media",
    )
    return el("li", ask, remove, data_key=f"collection-{one.name}")


def _keep(count: int) -> Safe:
    these = "this one" if count == 1 else f"these {count}"
    form = el(
        "form",
        el(
            "input",
            type="text",
            name="name",
            aria_label="Name of the collection",
            placeholder="Name",
            maxlength=80,
            autocomplete="off",
        ),
        el("button", "Keep", type="submit"),
        class_="keep-form",
    )
    return el(
        "details",
        el("summary", f"Keep {these} as a collection…"),
        form,
        class_="keep-as",
        data_key="keep-as",
    )


def _ticks(able: Sequence[Card]) -> Safe:
    ticked = sum(card.ticked for card in able)
    buttons = [
        el(
            "button",
            label,
            type="button",
            data_ticks=which,
            disabled=ticked == count,
            aria_label=f"Tick {which}",
        )
        for label, which, count in (("all", "all", len(able)), ("none", "none", 0))
    ]
    said = f"{ticked} of {len(able)} ticked"
    return el("p", el("span", said), buttons, class_="ticks", data_key="ticks")


def _stale(stale: Sequence[Card]) -> Safe | None:
    if len(stale) < 2:
        return None
    button = el("button", "Bring all up to date", type="button", data_do="renew_all")
    said = f"{len(stale)} media were indexed with other models. "
    return el("p", said, button, class_="outdated", data_key="outdated")


def _same(name: str, other: str) -> bool:
    return " ".join(name.split()).casefold() == other.casefold()

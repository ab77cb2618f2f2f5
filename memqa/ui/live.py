"""Watching live in the page: the device's camera or an address, how it stands, and stopping it."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from memqa.addresses import is_address
from memqa.recordings import Recordings
from memqa.store.schema import NO_COPY
from memqa.ui import pictures, words
from memqa.ui.markup import Safe, el, icon
from memqa.ui.parts import part
from models.errors import InputError

if TYPE_CHECKING:
    from memqa.jobs import Job
    from memqa.library import Library
    from memqa.ui.desk import Desk
    from memqa.ui.places import Places
    from memqa.values import Media

_GOING = ("queued", "running")


class LiveView:
    """What the page asks for while it watches; every public method is one call of the browser."""

    def __init__(self, library: Library, desk: Desk, places: Places) -> None:
        self._library = library
        self._desk = desk
        self._places = places
        self._recordings = Recordings(library)

    def record(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Begin a recording of the device's camera."""
        return {"recording": self._recordings.begin(str(data.get("kind", "")))}

    def piece(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Take the next piece of a recording."""
        number, text = data.get("number"), data.get("piece")
        if not isinstance(number, int) or not isinstance(text, str):
            raise InputError("This is no piece of a recording.")
        try:
            piece = base64.b64decode(text, validate=True)
        except binascii.Error as exc:
            raise InputError("This is no piece of a recording.") from exc
        recording = str(data.get("recording", ""))
        if self._recordings.is_over(recording):  # it was stopped elsewhere
            return {"over": True}
        return {"job": self._recordings.add(recording, number, piece).id}

    def end(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """End a recording; what has come is watched to its end."""
        self._recordings.end(str(data.get("recording", "")))
        return {}

    def watch(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Watch an address, or the camera or screen of the machine that runs memqa."""
        if not self._places.local:
            raise InputError("Addresses are taken only where the page is open to this machine.")
        address = str(data.get("address", "")).strip()
        if not address:
            raise InputError("Write the address of a stream, webcam or screen.")
        return {"job": self._library.live(address, wait=False).id}

    def stop(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Stop watching; what was seen stays."""
        self._library.cancel(str(data.get("job", "")))
        return {}

    def look(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Tell what is being watched, and what became of the ``job`` that this page follows.

        Of the one whose ``picture`` is wanted, what it showed last comes along.
        """
        jobs = [job for job in self._library.jobs() if job.task == "live"]
        going = [self._told(job) for job in jobs if job.state in _GOING]
        wanted, followed = data.get("picture"), data.get("job")
        for one in going:
            if one["job"] == wanted and (seen := self._library.live_picture(str(wanted))):
                one["picture"] = pictures.as_url(seen, "image/jpeg")
        over = next((job for job in jobs if job.id == followed and job.state not in _GOING), None)
        return {"going": going, "over": self._over(over) if over else None}

    def _told(self, job: Job) -> dict[str, Any]:
        return {
            "job": job.id,
            "media": job.media_id,
            "name": words.source(job),
            "line": words.watching(job.progress),
            "seconds": max(0.0, time.time() - (job.started_at or time.time())),
        }

    def _over(self, job: Job) -> dict[str, Any]:
        """Say how a watch ended; the page that followed it says why it failed, so no card does."""
        if job.error:
            self._desk.dismiss(job.id)
        return {"job": job.id, "media": job.media_id, "error": job.error}


def is_watched(library: Library, media: Media) -> bool:
    """Say whether a media is a live source that is being watched now."""
    return media.status == "indexing" and any(
        job.task == "live" and job.state in _GOING and job.media_id == media.id
        for job in library.jobs()
    )


def without_player(media: Media, *, watched: bool) -> str:
    """Say why a live source is shown by pictures alone; empty where it is another media."""
    if watched:
        return "It is being watched; until it is stopped, its moments are shown as pictures."
    if is_address(media.path) and NO_COPY in media.notes:
        return "It was fetched and no copy is kept, so its moments are shown as pictures."
    if "://" in media.path or not Path(media.path).is_absolute():
        return "It was watched and not recorded; what is remembered is shown as pictures."
    return ""


def live_part(view: LiveView, *, with_address: bool) -> gr.HTML:
    """Make what is seen while something is watched, and the dialog that begins it."""
    names = ("record", "piece", "end", "watch", "stop", "look")
    return part("live", _skeleton(with_address), {name: getattr(view, name) for name in names})


def _skeleton(with_address: bool) -> Safe:
    told = el("p", class_="live-told sr", role="status")
    return el("div", _dialog(with_address), _view(), told)


def _view() -> Safe:
    """What is watched now; it stands in the stage while it is."""
    head = el(
        "div",
        el("span", el("span", "Live", class_="live-word"), " ", el("span", class_="live-clock")),
        el("span", class_="live-name"),
        el("span", class_="live-line"),
        el("button", "Show it", type="button", class_="live-back", hidden=True),
        el("button", icon("stop"), "Stop", type="button", class_="button live-stop"),
        class_="live-bar",
    )
    screen = el(
        "div",
        el("video", aria_label="Your camera", hidden=True),
        el("img", alt="What is seen now", class_="live-picture", hidden=True),
        el("p", "Connecting…", class_="live-waiting quiet"),
        class_="live-screen",
    )
    return el("section", head, screen, class_="live-view", aria_label="Live", hidden=True)


def _dialog(with_address: bool) -> Safe:
    return el(
        "dialog",
        el("h2", "Watch live"),
        el(
            "p",
            "You can ask while it is watched: “What is happening now?” "
            "Once you stop it, what was seen stays in the library.",
            class_="quiet",
        ),
        _camera(),
        _address() if with_address else None,
        el("p", class_="live-doing", role="status"),
        el("p", class_="live-problem error", role="alert"),
        el("button", "Close", type="button", class_="live-close"),
        id="memqa-watch",
        aria_label="Watch live",
    )


def _camera() -> Safe:
    sound = el("input", type="checkbox", checked=True, class_="live-sound")
    return el(
        "section",
        el("h3", "Your camera"),
        el("label", sound, " with sound", class_="live-with"),
        el("button", "Start the camera", type="button", class_="button live-camera"),
    )


def _address() -> Safe:
    box = el(
        "input",
        type="text",
        name="address",
        aria_label="Address of a stream",
        placeholder="rtsp://camera/stream",
        autocomplete="off",
        spellcheck="false",
    )
    return el(
        "section",
        el("h3", "An address"),
        el(
            "form",
            box,
            el("button", "Watch", type="submit", class_="button"),
            class_="live-address",
        ),
        el(
            "p",
            "A stream (rtsp, http, https, rtmp), or the screen of this machine: write “screen”. "
            "A stream is watched, not recorded.",
            class_="hint",
        ),
    )

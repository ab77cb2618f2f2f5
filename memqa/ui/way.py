"""How an answer was found, as the page draws it: the steps in words, the walk as a tree to steer.

Pure functions of an answer's steps and of the memories that they lead to, named by ``led_to``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from memqa.store.schema import Memory, memory_id
from memqa.ui.leads import drawing, label, lead
from memqa.ui.markup import Safe, el, icon
from memqa.ui.words import counted
from memqa.values import Step
from memqa.way import Branch, Fate, way_of

_MARKS: dict[Fate, tuple[str, str]] = {
    "opened": ("●", "opened"),
    "kept": ("✓", "counts"),
    "refused": ("✕", "read, not used"),
    "passed": ("○", "not opened"),
}
_PLAIN_REASON = "Read."  # what every passage says where no model judges
_MOST_FOUND = 6
_NAME = re.compile(r"\b[np]\d+(?:-\d+)?\b")


def led_to(steps: Sequence[Step]) -> set[str]:
    """Name the memories that a drawing of these steps leads to."""
    way = way_of(steps)
    walked = {one for branch in way.all() for one in _ids(branch)} if way else set()
    return walked | {key for step in steps if step.look is None for key in _best(step)}


def summed_up(steps: Sequence[Step]) -> str:
    """Say in a few words how far a walk went."""
    way = way_of(steps)
    if way is None:
        return counted(len(steps), "step", "steps")
    seen = list(way.all())
    opened = sum(one.fate == "opened" for one in seen)
    read = sum(one.is_passage and bool(one.looks) for one in seen)
    return f"{counted(opened, 'part', 'parts')} opened, {counted(read, 'passage', 'passages')} read"


def way_html(steps: Sequence[Step], memories: Mapping[str, Memory]) -> Safe:
    """Draw the steps in their order; all looks of the walk share one tree."""
    items: list[Safe] = []
    is_drawn = False
    for step in steps:
        if step.look is None:
            items.append(_step(step, memories))
        elif not is_drawn and (way := way_of(steps)) is not None:
            is_drawn = True
            tree = el("ul", _Drawing(way, memories).item(way), class_="tree")
            items.append(el("li", el("p", el("b", "Walked")), tree))
    return el("ol", items, class_="steps")


def in_words(step: Step) -> str:
    """Say what a step did, for the line that tells what is going on."""
    if step.look is not None:
        return f"read {step.look.place}" if not step.look.options else f"opened {step.look.place}"
    return f"{step.name}: {step.detail}" if step.name == "found" else step.name


def _step(step: Step, memories: Mapping[str, Memory]) -> Safe:
    top = max(step.scores.values(), default=0.0)
    found = [
        el("li", el("div", _place(memories[key]), _bar(step.scores[key], top), class_="row"))
        for key in _best(step)
        if key in memories
    ]
    # What is told to be typed stands in backticks.
    told = [el("code", one) if at % 2 else one for at, one in enumerate(step.detail.split("`"))]
    name = "the model" if step.name.startswith("tier ") else step.name
    return el(
        "li",
        el("p", el("b", f"{name[:1].upper()}{name[1:]} "), el("span", told, class_="detail")),
        el("ul", found, class_="found") if found else None,
    )


def _best(step: Step) -> list[str]:
    ranked = sorted(step.scores, key=lambda key: -step.scores[key])
    return ranked[:_MOST_FOUND]


class _Drawing:
    """One walk's tree; bars are measured against the best score in it."""

    def __init__(self, way: Branch, memories: Mapping[str, Memory]) -> None:
        self._memories = memories
        self._top = max((one.score or 0.0 for one in way.all()), default=0.0)
        self._places = {one.local: one.place for one in way.all()}
        self._is_unfolded = False

    def item(self, branch: Branch, above: Branch | None = None) -> Safe:
        """Draw a branch with all that is below it."""
        nodes = [one for one in branch.below if not one.is_passage and one.fate != "passed"]
        read = [one for one in branch.below if one.is_passage and one.looks]
        passed = [one for one in branch.below if one.fate == "passed"]
        return el(
            "li",
            self._row(branch, above),
            self._said(branch, above),
            el("ul", [self.item(one, branch) for one in nodes]) if nodes else None,
            self._passages(branch, read),
            self._fold(branch, passed, f"{len(passed)} not opened") if passed else None,
            class_=f"branch {branch.fate}",
        )

    def _row(self, branch: Branch, above: Branch | None) -> Safe:
        mark, meaning = _MARKS[branch.fate]
        return el(
            "div",
            el("span", mark, class_="mark", aria_hidden="true"),
            el("span", meaning, class_="sr"),
            self._chip(branch),
            None if branch.score is None else _bar(branch.score, self._top),
            _look_here(branch) if above is not None else None,
            class_="row",
        )

    def _chip(self, branch: Branch) -> Safe:
        memory = next((self._memories[i] for i in _ids(branch) if i in self._memories), None)
        return _chip(memory) if memory is not None else el("span", branch.place, class_="at")

    def _said(self, branch: Branch, above: Branch | None) -> list[Safe]:
        """Write what a branch says, with its media's name below a collection, and the reasons."""
        name = branch.node.rpartition(":")[0] if above is not None and not above.local else ""
        text = f"“{branch.text}”" if branch.is_passage else branch.text
        reasons = dict.fromkeys(look.reason for look in branch.looks)
        return [
            el("p", el("b", f"{name} ") if name else None, text, class_="gist"),
            *(
                el("p", self._in_words(one), class_="why")
                for one in reasons
                if one and one != _PLAIN_REASON
            ),
        ]

    def _in_words(self, reason: str) -> str:
        """Name places as a person does: a branch by its pages or time."""
        return _NAME.sub(lambda name: self._places.get(name[0], name[0]), reason)

    def _passages(self, branch: Branch, read: Sequence[Branch]) -> Safe | None:
        if not read:
            return None
        is_first, self._is_unfolded = not self._is_unfolded, True
        title = f"{counted(len(read), 'passage', 'passages')} read"
        return self._fold(branch, read, title, is_open=is_first)

    def _fold(
        self, branch: Branch, items: Sequence[Branch], title: str, *, is_open: bool = False
    ) -> Safe:
        return el(
            "details",
            el("summary", title),
            el("ul", [self.item(one, branch) for one in items]),
            class_="fold",
            open=is_open,
        )


def _look_here(branch: Branch) -> Safe | None:
    if branch.is_passage or not branch.local or not branch.media:
        return None
    return el(
        "button",
        "Look here",
        type="button",
        class_="look-here",
        data_act="steer",
        data_node=branch.local,
        data_media=branch.media,
        aria_label=f"Look here: {branch.place}, {branch.text}",
        title="Let the walk go on from here",
    )


def _place(memory: Memory) -> list[Safe]:
    gist = " ".join(memory.text.split())[:120]
    return [_chip(memory), el("span", gist, class_="line")]


def _chip(memory: Memory) -> Safe:
    return el(
        "a",
        icon(drawing(memory.locator)),
        label(memory.locator),
        class_="chip",
        data_quote=" ".join(memory.text.split())[:200],
        **lead(memory.media_id, memory.locator, memory.boxes),
    )


def _bar(score: float, top: float) -> list[Safe]:
    return [
        el(
            "meter",
            value=round(max(score, 0.0), 4),
            min=0,
            max=round(top, 4) or 1,
            aria_label="score",
        ),
        el("span", f"{score:.2f}", class_="score"),
    ]


def _ids(branch: Branch) -> tuple[str, ...]:
    """Name the memory that a branch may stand for; a leaf of a video's tree is an event."""
    if not branch.media or not branch.local:
        return ()
    names = (branch.local, f"e{branch.local[1:]}") if branch.is_passage else (branch.local,)
    return tuple(memory_id(branch.media, name) for name in names)

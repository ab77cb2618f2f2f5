"""How text that somebody else wrote stands in a prompt or on a terminal: on one line, as data.

Knows the marks with which chat templates part their turns. Whatever a media says is put through
here before a model or a person sees it among words of the program's own.
"""

from __future__ import annotations

import re
import unicodedata

# Unseen characters beyond category Cf: variation selectors and Hangul fillers.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\ufe00-\ufe0f\U000e0000-\U000e0fff]"
)
_OPEN, _CLOSE, _BAR = "<＜", ">＞", "|｜∣ǀ￨"
_LIKE_OPEN, _LIKE_CLOSE = f"{_OPEN}‹❮〈", f"{_CLOSE}›❯〉"
_WORDS = (
    "INST|SYSTEM_PROMPT|SYSTEM|TOOL_CALLS|TOOL_RESULTS|AVAILABLE_TOOLS|TOOL_CONTENT|ARGS|CALL_ID"
    "|IMG|IMG_BREAK|IMG_END|THINK|BOS|EOS|CLS|SEP|MASK|PAD|UNK|gMASK|sMASK|sop|eop"
)
_MARK = re.compile(
    rf"[{_OPEN}]{{1,2}}[/!\[]?[{_BAR}]?/?[\w\[][^\s{_OPEN}{_CLOSE}]{{0,60}}[{_CLOSE}]{{1,2}}"
    rf"|[{_LIKE_OPEN}][{_BAR}][^{_LIKE_OPEN}{_LIKE_CLOSE}]{{0,60}}[{_BAR}][{_LIKE_CLOSE}]"
    rf"|[{_OPEN}]/?[A-Za-z][^{_OPEN}{_CLOSE}]{{0,200}}=[^{_OPEN}{_CLOSE}]{{0,400}}[{_CLOSE}]"
    rf"|[\[［]/?(?:{_WORDS})[\]］]|[\[［][{_BAR}]\w+[{_BAR}][\]］]"
    rf"|[{_OPEN}][{_BAR}]|[{_BAR}][{_CLOSE}]|[{_OPEN}]{{2}}SYS|SYS[{_CLOSE}]{{2}}"
    r"|[#＃]{2,}"
)
_TAG = re.compile(r"<(/?[A-Za-z][A-Za-z0-9]{0,14})>")
# Some templates (Vicuna's, Alpaca's) part turns by words alone, and in the middle of a line too.
_ROLE = re.compile(r"(USER|User|ASSISTANT|Assistant|HUMAN|Human|SYSTEM|BOT|GPT)[:：]")


def one_line(text: str) -> str:
    """Put a text on one line, without control characters and without any that cannot be seen."""
    kept = (_shown(char) for char in _UNSEEN.sub("", text))
    return " ".join("".join(kept).split())


def defused(text: str) -> str:
    """Break up what a chat template could take for its own marks; all else stays, lines too."""
    while (broken := _MARK.sub(lambda mark: f"{mark[0][0]} {mark[0][1:]}", text)) != text:
        text = broken  # of two brackets in a row the second may begin a mark too
    return text


def as_data(text: str) -> str:
    """Put a text on one line and take out what a chat template could take for its own marks.

    The marks of ChatML, Llama 2 to 4, Mistral, Gemma, Phi, DeepSeek, Command R, Harmony, Alpaca and
    their like go; a plain ``<b>`` stays as ``‹b›``, ``User:`` as ``User -``. No line of a prompt
    can so begin with words of the text, and none of them can end the turn in which it is quoted.
    """
    return " ".join(_ROLE.sub(r"\1 -", _MARK.sub(_broken, one_line(text))).split())


def _broken(mark: re.Match[str]) -> str:
    """Keep the word of a plain tag, such as HTML's, in brackets of another kind."""
    tag = _TAG.fullmatch(mark[0])
    return f"‹{tag[1]}›" if tag else " "


def _shown(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Cf":
        return ""
    return " " if category in ("Cc", "Cs", "Zl", "Zp") else char

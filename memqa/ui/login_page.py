"""The page that asks for a name and a password: plain HTML that needs no script."""

from __future__ import annotations

from memqa.ui.markup import Safe, el
from memqa.ui.parts import asset


def login_html(problem: str = "", *, name: str = "") -> str:
    """Write the page; ``problem`` says why the last try was none."""
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("title", "memqa · log in"),
        el("style", Safe(asset("theme.css") + asset("login.css"))),
    )
    main = el(
        "main",
        el("h1", "memqa"),
        el("p", "Log in to ask this library."),
        el("p", problem, class_="error", role="alert"),
        _form(name),
    )
    return f"<!doctype html>{el('html', head, el('body', main, class_='memqa-login'), lang='en')}"


def _form(name: str) -> Safe:
    user = el(
        "input",
        name="name",
        value=name,
        required=True,
        autofocus=not name,
        autocomplete="username",
        autocapitalize="none",
        spellcheck="false",
        maxlength=64,
    )
    password = el(
        "input",
        name="password",
        type="password",
        required=True,
        autofocus=bool(name),
        autocomplete="current-password",
        maxlength=1024,
    )
    return el(
        "form",
        el("label", "Name", user),
        el("label", "Password", password),
        el("button", "Log in", type="submit"),
        method="post",
        action="login",
    )


def account_html(name: str) -> Safe:
    """Write who is logged in, with the way out; stands among the settings."""
    leave = el(
        "form",
        el("button", "Log out", type="submit", class_="button"),
        method="post",
        action="logout",
        class_="leave",
    )
    return el(
        "section",
        el("h3", "Account"),
        el("div", el("p", f"You are logged in as {name}."), leave, class_="account"),
        data_key="account",
    )

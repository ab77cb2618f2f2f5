"""What the page says where a call comes to nothing: that the server is gone, or that it refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from memqa.ui.parts import asset

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route

pytestmark = [pytest.mark.page]

CALL = """async () => {
  const heard = [];
  memqa.hear("connection", ({ lost }) => heard.push(lost));
  const server = { look: async () => undefined };
  const told = await memqa.call(server, "look").catch((error) => error.message);
  return [told, heard];
}"""


@pytest.mark.parametrize(("is_there", "told"), [(True, "did not take this"), (False, "still run")])
def test_a_server_that_refuses_is_not_taken_for_gone(
    browser: Browser, is_there: bool, told: str
) -> None:
    def answered(route: Route) -> None:
        if route.request.method == "HEAD" and not is_there:
            route.abort()
        else:
            route.fulfill(status=200, content_type="text/html", body="<!doctype html><p>memqa")

    page = browser.new_page()
    page.route("**/*", answered)
    page.goto("http://127.0.0.1:9/")
    page.add_script_tag(content=asset("page.js"))
    said, heard = page.evaluate(CALL)
    assert told in said
    assert heard == [not is_there]
    page.close()

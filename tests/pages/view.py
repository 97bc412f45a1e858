"""The web view in a browser, used as a person would: by what is written on it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import expect

from tests.gateway.served import Served

# Chromium itself styles a selection that is typed over in an editor, and then refuses it for the page's policy.
OF_CHROMIUM = "sha256-tFo453Vmym3z5eITxysO07Wesuq+pCtUGW169+VMIYw="


class View:
    """`page` is playwright's; everything that goes wrong in it fails the test at the end."""

    def __init__(self, served: Served, browser: Any, **more: Any) -> None:
        self.served = served
        self.context = browser.new_context(**({"viewport": {"width": 1280, "height": 800}} | more))
        self.page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.wrong: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", self._said)
        self.page.goto(f"{served.address}/#token={served.token}")

    def _said(self, said: Any) -> None:
        if said.type == "error" and OF_CHROMIUM not in said.text:
            self.wrong.append(said.text)

    def button(self, name: str, exact: bool = True) -> Any:
        return self.page.get_by_role("button", name=name, exact=exact)

    def module(self, name: str) -> Any:
        """Its box in the graph."""
        return self.page.locator(f'[data-module="{name}"]')

    def tab(self, name: str) -> Any:
        return self.page.get_by_role("tab", name=name, exact=True)

    def sees(self, text: str | re.Pattern[str], within: str = "body") -> None:
        """Wait until it is there."""
        self.page.locator(within).get_by_text(text).first.wait_for()

    def sees_not(self, text: str | re.Pattern[str], within: str = "body") -> None:
        """Wait until it is nowhere."""
        expect(self.page.locator(within)).not_to_contain_text(text, timeout=15_000)

    def source(self, module: str) -> Any:
        """The editor of its text."""
        return self.page.get_by_role("textbox", name=f"source of {module}")

    def write(self, module: str, old: str, new: str) -> None:
        """Select all, type all: with a part of the text replaced."""
        expect(self.source(module)).to_contain_text(old.partition("\n")[0], timeout=15_000)
        text = "\n".join(self.source(module).locator(".cm-line").all_text_contents())
        assert old in text, text
        self.source(module).focus()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(text.replace(old, new))

    def open(self, flow: str, module: str = "", tab: str = "") -> None:
        """Choose in the list of flows, then in the graph, then a tab."""
        self.page.get_by_role("link", name=flow, exact=True).click()
        self.page.locator(".node").first.wait_for()
        if module:
            self.module(module).click()
        if tab:
            self.tab(tab).click()


@contextmanager
def view(served: Served, browser: Any, **more: Any) -> Iterator[View]:
    """A page of its own, until the block is over."""
    found = View(served, browser, **more)
    try:
        yield found
    finally:
        found.context.close()
    assert not found.wrong, found.wrong

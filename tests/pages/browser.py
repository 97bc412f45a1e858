"""A real Chromium for tests of pages, and a flow that is served to it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.gateway.served import Served

CHROMIUM = shutil.which("chromium")
WHY_NOT = "there is no chromium here: apt-get install chromium"
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser of playwright's, until the block is over."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


JOIN = """async (options) => {
  globalThis.seen = []
  const { join } = await import('/runner.js')
  const joined = globalThis.joined = await join(options)
  globalThis.events = []
  for (const name of ['joined', 'away', 'over', 'error', 'flow']) {
    joined.addEventListener(name, ({ detail }) => events.push([name, name === 'flow' ? null : detail]))
  }
  while (!events.some(([name]) => name === 'flow')) {
    const over = events.find(([name]) => name === 'over')
    if (over) throw new Error(`over: ${over[1]}`)
    await new Promise((resolve, reject) => {
      for (const name of ['flow', 'over']) joined.addEventListener(name, resolve, { once: true })
      setTimeout(() => reject(new Error(`not joined: ${JSON.stringify(events)}`)), 40000)
    })
  }
  return joined.client
}"""


class Page:
    """A page that has joined; what it does is done by its modules `ask` and `show`, which are in its window."""

    def __init__(self, served: Served, browser: Any, name: str = "", address: str | None = None) -> None:
        self.context = browser.new_context()
        self.page = self.context.new_page()
        self.served = served
        self.page.goto(f"{address or served.address}/")
        self.join(name)

    def join(self, name: str = "") -> None:
        """Also once more, after a reload."""
        self.name = self.page.evaluate(JOIN, {"name": name, "token": self.served.client_token})

    def do(self, script: str, value: Any = None) -> Any:
        """A function in the page; its result."""
        return self.page.evaluate(script, value)

    def ask(self, *values: Any) -> None:
        """Send from the module `ask`."""
        self.do("(values) => { for (const value of values) ask(value) }", list(values))

    def seen(self, count: int, timeout_s: float = 40.0) -> Any:
        """The messages that `show` has got, as soon as there are so many."""
        script = """async ([count, most]) => {
          for (const end = performance.now() + most; seen.length < count && performance.now() < end;)
            await new Promise((resolve) => setTimeout(resolve, 10))
          return seen
        }"""
        return self.do(script, [count, timeout_s * 1000])

    def close(self) -> None:
        """The tab is closed."""
        self.context.close()


@contextmanager
def page(served: Served, browser: Any, name: str = "", **more: Any) -> Iterator[Page]:
    """A page that leaves for good at the end."""
    found = Page(served, browser, name, **more)
    try:
        yield found
    finally:
        found.do("joined.close()")
        found.close()

"""Pages that are loaded anew at any moment, once or twice in a row, with their link cut, or in a second tab."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from tests.gateway.served import Served
from tests.pages.browser import Page
from tests.pages.proxy import Proxy
from tests.pages.test_kept import FLOW, logged  # noqa: F401  # of `served`
from tests.test_run import wait_for

ROUNDS = 12
DUPLICATE = "(kept) => Object.assign(sessionStorage, kept)"


class Tabs:
    """The page of one session, whichever tab has it."""

    def __init__(self, chosen: random.Random, served: Served, browser: Any, proxy: Proxy) -> None:
        self._chosen, self._served, self._proxy = chosen, served, proxy
        self._address = f"http://127.0.0.1:{proxy.port}"
        self.one = Page(served, browser, "counter", address=self._address)
        self.fed = self.asked = 0

    def work(self) -> None:
        """Something is to be done, and perhaps is under way."""
        for _ in range(self._chosen.randrange(1, 12)):
            self._served.post("/in/shop/feed", ["count", self.fed])
            self.fed += 1
            if self._chosen.random() < 0.3:
                self.one.do("(n) => { ask(['inside', n]) }", self.asked)
                self.asked += 1
        time.sleep(self._chosen.choice([0, 0, 0.002, 0.01, 0.03]))  # not for anything: the moment is any

    def event(self) -> str:
        """Its name."""
        does = self._chosen.choice([self._reload, self._twice, self._cut, self._cut_and_reload, self._duplicate])
        does()
        return does.__name__

    def _join(self) -> None:
        self.one.join("counter")
        assert self.one.name == "counter"

    def _reload(self) -> None:
        self.one.page.reload()
        self._join()

    def _twice(self) -> None:
        """The second time while it joins."""
        self.one.page.reload()
        self.one.do(
            "(token) => { import('/runner.js').then(({ join }) => join({ token, name: 'counter' })) }", self._token
        )
        time.sleep(self._chosen.choice([0, 0.01, 0.05, 0.1]))
        self._reload()

    def _cut(self) -> None:
        self._proxy.cut()
        self.work()
        self._proxy.mend()

    def _cut_and_reload(self) -> None:
        self._proxy.cut()
        self._proxy.mend()
        self._reload()

    def _duplicate(self) -> None:
        older, kept = self.one.page, self.one.do("() => ({ ...sessionStorage })")
        self.one.page = self.one.context.new_page()
        self.one.page.goto(f"{self._address}/")
        self.one.do(DUPLICATE, kept)
        self._served.post("/in/shop/feed", ["count", self.fed])
        self.fed += 1
        self._join()
        older.close()

    @property
    def _token(self) -> str:
        return self._served.client_token


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(1, 12))])
def test_a_page_that_is_loaded_anew_at_any_moment(served: Served, browser: Any, seed: int) -> None:
    """What comes from the server is handled once and in order; what the page itself makes never twice."""
    proxy = Proxy(served.port)
    first, first_inside = len(logged(served, "count")), len(logged(served, "inside"))
    tabs = Tabs(random.Random(seed), served, browser, proxy)
    try:
        done: list[str] = []
        for _ in range(ROUNDS):
            tabs.work()
            done.append(tabs.event())
        wait_for(lambda: len(logged(served, "count")) - first >= tabs.fed)
        tabs.one.do("(n) => { ask(['inside', n]) }", tabs.asked)
        wait_for(lambda: [tabs.asked] in [row[:1] for row in logged(served, "inside")[first_inside:]])
        assert logged(served, "count")[first:] == [[n, n + 1] for n in range(tabs.fed)], done
        inside = logged(served, "inside")[first_inside:]
        assert [count for _, count in inside] == list(range(1, len(inside) + 1)), done
        assert [n for n, _ in inside] == sorted({n for n, _ in inside}), done
        tabs.one.do("joined.close()")
    finally:
        tabs.one.close()
        proxy.close()

"""The same in Firefox: a page joins, goes on after a reload, and gets new code while it works."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.gateway.served import Served
from tests.pages import test_live, test_sessions
from tests.pages.browser import page
from tests.pages.firefox import FIREFOX, WHY_NOT, firefox
from tests.test_run import wait_for

FLOW = test_live.FLOW
HOLDS = """
let isOpen = false
new BroadcastChannel('go').onmessage = () => { isOpen = true }
export default async (message, context) => {
  context.set('n', context.get('n', 0) + 1)
  while (message >= 10 && !isOpen) await new Promise((resolve) => setTimeout(resolve, 5))
  return message
}"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if FIREFOX is None:
        pytest.skip(WHY_NOT)
    with firefox(tmp_path_factory.mktemp("firefox")) as found:
        yield found


@pytest.fixture(autouse=True)
def no_leaks(browser: Any) -> None:
    """Its processes come and go by themselves; they end with it."""
    assert browser.call("session.status")


def test_there_and_back(served: Served, browser: Any) -> None:
    with page(served, browser, "fox") as one, page(served, browser) as other:
        one.ask(*range(50))
        other.ask(*range(100, 150))
        assert one.seen(50) == [[1, n, n + 1] for n in range(50)]
        assert other.seen(50) == [[1, 100 + n, n + 1] for n in range(50)]
        clients = served.call("flowState", "shop")["hosts"]["browser"]["clients"]
        assert all(client["browser"].startswith("Firefox ") for client in clients)


def test_a_page_that_is_loaded_anew(served: Served, browser: Any) -> None:
    with page(served, browser, "again") as one:
        one.ask(1)
        assert one.seen(1) == [[1, 1, 1]]
        served.call("setBreakPointAtModule", "shop/pass")
        one.ask(2)  # is answered when the page has been loaded anew
        wait_for(lambda: bool(served.call("listHeld", "shop")))
        one.page.reload()
        served.call("removeBreakPointAtModule", "shop/pass")
        served.call("resumeFlow", "shop")
        one.join("again")
        assert one.name == "again"
        assert one.seen(1) == [[1, 2, 2]]


def test_what_is_between_two_workers_outlives_a_reload(served: Served, browser: Any) -> None:
    """In its IndexedDB: each is handled once."""
    served.call("addOrUpdateFlow", test_live.flow(loop={"code": HOLDS, "timeout_s": 60}))
    with page(served, browser, "inside") as one:
        one.do("() => { for (let n = 0; n < 20; n++) ask(n, 'loop') }")
        one.do(test_sessions.NOTED, ["ask", 20])
        one.page.reload()
        one.join("inside")
        wait_for(lambda: one.do("new BroadcastChannel('go').postMessage(1)") or 19 in one.do("seen"))
        assert one.do("seen")[-10:] == list(range(10, 20))
        wait_for(lambda: served.call("getContext", "shop/loop@inside") == {"n": 20})
    served.call("addOrUpdateFlow", test_live.flow())


def test_an_update_reaches_a_page_that_works(served: Served, browser: Any) -> None:
    test_live.test_an_update_reaches_a_page_that_works(served, browser)


def test_what_does_not_end_is_ended(served: Served, browser: Any) -> None:
    test_live.test_what_does_not_end_is_ended(served, browser)

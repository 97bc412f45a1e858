"""Sessions: a page that loses its network, is stopped, or is loaded anew, loses nothing and gets nothing twice."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from tests.gateway.served import Served
from tests.pages.browser import JOIN, page
from tests.pages.proxy import Proxy
from tests.test_run import wait_for

FLOW = """
id: shop
modules:
  ask:
    runtime: browser
    window: true
    code: |
      export function start(context) { globalThis.ask = (value, port = 'out') => context.send(port, value) } // 'inside'
  slow:
    runtime: browser
    isolated: true
    code: |
      let isOpen = false
      new BroadcastChannel('go').onmessage = () => { isOpen = true }
      export default async (message, context) => {
        context.set('n', context.get('n', 0) + 1)
        while (message[1] % 100 >= 50 && !isOpen) await new Promise((resolve) => setTimeout(resolve, 5))
        return [...message, context.get('n')]
      }
  log:
    runtime: python3
    code: |
      def run(message, context):
          context.set("all", [*context.get("all", []), message])
          return message
  show:
    runtime: browser
    window: true
    code: |
      (message) => { globalThis.seen.push(message) }
  feed:
    runtime: python3
    code: |
      def run(message, context):
          return message
  count:
    runtime: browser
    code: |
      (message, context) => {
        const count = context.get('count', 0) + 1
        context.set('count', count)
        return [message.n, count]
      }
wires:
  - ask -> log
  - ask.inside -> slow
  - slow -> log
  - log -> show
  - {from: feed, to: count, to_client: counter}
  - count -> log
"""


@pytest.fixture
def proxy(served: Served) -> Iterator[Proxy]:
    found = Proxy(served.port)
    yield found
    found.close()


def logged(served: Served) -> list[Any]:
    found: list[Any] = served.call("getContext", "shop/log").get("all", [])
    return found


def client(served: Served, name: str) -> dict[str, Any]:
    clients = served.call("flowState", "shop")["hosts"]["browser"]["clients"]
    return next(one for one in clients if one["name"] == name)


def test_a_network_that_comes_and_goes(served: Served, browser: Any, proxy: Proxy) -> None:
    of_flaky = lambda: [row for row in logged(served) if row[0] == "flaky"]  # noqa: E731
    with page(served, browser, "flaky", address=f"http://127.0.0.1:{proxy.port}") as one:
        one.do("""() => {
          let n = 0
          globalThis.sending = setInterval(() => { if (n < 300) ask(['flaky', n++]) }, 3)
        }""")
        for _ in range(3):
            before = of_flaky()
            wait_for(lambda: len(of_flaky()) > len(before) or len(before) == 300)  # noqa: B023
            proxy.cut()
            wait_for(lambda: not client(served, "flaky")["here"])
            proxy.mend()
            wait_for(lambda: client(served, "flaky")["here"])
        expected = [["flaky", n] for n in range(300)]
        assert one.seen(300, 20) == expected
        assert of_flaky() == expected
        assert one.do("events.filter(([name]) => name === 'away').length") >= 3


def test_a_page_that_is_loaded_anew_goes_on(served: Served, browser: Any) -> None:
    """The contexts of its modules go on, and what it had not done comes again."""
    with page(served, browser, "counter") as one:
        for n in range(200):
            served.post("/in/shop/feed", {"n": n})
            if n in (50, 120):
                one.page.reload()
                one.join("counter")
                assert one.name == "counter"
        expected = [[n, n + 1] for n in range(200)]
        wait_for_rows(served, expected)
        assert counted(served) == expected


def wait_for_rows(served: Served, expected: list[list[int]]) -> None:
    """Until the counter's are all there; says what is missing."""
    try:
        wait_for(lambda: len(counted(served)) >= len(expected))
    except AssertionError:
        missing = [row for row in expected if row not in counted(served)]
        raise AssertionError(f"missing: {missing}, {served.call('flowState', 'shop')}") from None


def counted(served: Served) -> list[Any]:
    return [row for row in logged(served) if row[0] != "flaky"]


def test_the_newest_tab_of_a_session_has_it(served: Served, browser: Any) -> None:
    with page(served, browser, "twice") as one:
        kept = one.do("() => ({ ...sessionStorage })")
        other = one.context.new_page()
        other.goto(f"{served.address}/")
        other.evaluate("(kept) => Object.assign(sessionStorage, kept)", kept)
        assert other.evaluate(JOIN, {"token": served.client_token}) == "twice"
        wait_for(lambda: one.do("joined.state") == "over")
        assert "taken this session over" in one.do("events.find(([name]) => name === 'over')[1]")
        other.evaluate("ask(['twice', 1])")
        wait_for(lambda: ["twice", 1] in other.evaluate("seen"))


def renderers() -> list[psutil.Process]:
    found = [child for child in psutil.Process().children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in found if "--type=renderer" in child.cmdline()]


def test_a_page_that_is_stopped_holds_nobody(served: Served, browser: Any) -> None:
    """Its processes stand still for longer than a page is waited for: the flow goes on, an update too."""
    with page(served, browser, "counter") as one:
        one.do("ask(['here', 0])")
        one.seen(1)
        before = len(logged(served))
        with asleep():
            feed(served, 800)
            wait_for(lambda: served.call("audit")["shop/count"]["queued"] == 0)
        wait_for(lambda: len(logged(served)) == before + 800)
        assert [row[0] for row in logged(served)[before:]] == list(range(800))


@contextmanager
def asleep() -> Iterator[None]:
    """Every page stands still meanwhile."""
    stopped = renderers()
    assert stopped
    for process in stopped:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in stopped:
            process.send_signal(signal.SIGCONT)


def feed(served: Served, count: int) -> None:
    lines = b"\n".join(json.dumps({"n": n}).encode() for n in range(count))
    answer = served.ask("POST", "/in/shop/feed", lines, Content_Type="application/x-ndjson")
    assert answer.json == {"accepted": count}


def why(served: Served) -> str:
    said: str = served.call("explain", "shop")[0]
    return said


def test_why_tells_which_page_is_asleep_or_away(served: Served, browser: Any, proxy: Proxy) -> None:
    """It stands still with its socket, as on a machine that has been shut; then its network is gone, too."""
    with page(served, browser, "counter", address=f"http://127.0.0.1:{proxy.port}") as one:
        one.do("ask(['here', 0])")
        one.seen(1)
        waiting = "count: 7 messages wait for the page counter, which has "
        with asleep():
            feed(served, 7)
            wait_for(lambda: re.fullmatch(f"{waiting}done nothing for [0-9]+ s: its tab .*", why(served)))
            proxy.cut()
            wait_for(lambda: re.fullmatch(f"{waiting}been away for [0-9]+ s", why(served)))
            proxy.mend()
        wait_for(lambda: not client(served, "counter")["waiting"])
        wait_for(lambda: "page" not in why(served))


NOTED = """async ([module, count]) => {
  const asked = (request) => new Promise((resolve) => { request.onsuccess = () => resolve(request.result) })
  const database = await asked(indexedDB.open('runner', 1))
  for (;;) {
    const store = database.transaction('pages').objectStore('pages')
    const [keys, values] = await Promise.all([asked(store.getAllKeys()), asked(store.getAll())])
    const found = values[keys.findIndex(([, kind, name]) => kind === 'module' && name === module)]
    if ((found?.turns ?? 0) + (found?.numbers[0]?.[1] ?? 0) >= count) break
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  database.close()
}"""  # until the browser has kept that so many messages went to a module, or were sent by it


def of(served: Served, kind: str) -> list[Any]:
    return [row for row in logged(served) if row[0] == kind]


def wait_until(served: Served, kind: str, count: int, also: Callable[[], Any] = lambda: None) -> None:
    wait_for(lambda: also() or len(of(served, kind)) >= count)


def test_what_is_between_two_workers_outlives_a_reload(served: Served, browser: Any) -> None:
    expected = [["inside", n, n + 1] for n in range(300)]
    with page(served, browser, "inside") as one:
        for first in range(0, 300, 100):
            one.do("(first) => { for (let n = first; n < first + 100; n++) ask(['inside', n], 'inside') }", first)
            one.do(NOTED, ["slow", first + 100])
            wait_until(served, "inside", first + 50)  # the 51st is in its turn
            one.page.reload()
            one.join("inside")
            wait_until(served, "inside", first + 100, lambda: one.do("new BroadcastChannel('go').postMessage(1)"))
            one.page.reload()  # it is closed again
            one.join("inside")
        assert of(served, "inside") == expected
        assert served.call("getContext", "shop/slow@inside") == {"n": 300}


def test_what_a_page_has_done_alone_outlives_a_reload(served: Served, browser: Any, proxy: Proxy) -> None:
    """The gateway was away meanwhile: messages inside the page went on, those for the server waited."""
    with page(served, browser, "alone", address=f"http://127.0.0.1:{proxy.port}") as one:
        one.ask(["alone", -1])
        wait_for(lambda: bool(of(served, "alone")))
        proxy.cut()
        wait_for(lambda: one.do("joined.state") == "away")
        one.do("() => { for (let n = 0; n < 50; n++) { ask(['alone', n]); ask(['alone in', n], 'inside') } }")
        one.do(NOTED, ["ask", 101])
        proxy.mend()
        one.page.reload()
        one.join("alone")
        wait_for(lambda: len(of(served, "alone")) >= 51 and len(of(served, "alone in")) >= 50)
        assert of(served, "alone") == [["alone", n] for n in range(-1, 50)]
        assert of(served, "alone in") == [["alone in", n, n + 1] for n in range(50)]

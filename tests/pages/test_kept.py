"""What a page writes to its browser: wherever between two writes it goes, the next one has all of it, once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.gateway.served import Served
from tests.pages.browser import JOIN, Page, page
from tests.test_run import wait_for

FLOW = """
id: shop
modules:
  ask:
    runtime: browser
    window: true
    code: |
      export function start(context) { globalThis.ask = (value) => context.send('out', value) }
  pass:
    runtime: browser
    isolated: true
    code: "(message) => message"
  inside:
    runtime: browser
    isolated: true
    code: &count |
      (message, context) => {
        const count = context.get('count', 0) + 1
        context.set('count', count)
        return [message[0], message[1], count]
      }
  feed:
    runtime: python3
    code: |
      def run(message, context):
          return message
  count:
    runtime: browser
    code: *count
  log:
    runtime: python3
    code: |
      def run(message, context):
          context.set("all", [*context.get("all", []), message])
wires:
  - ask -> pass
  - pass -> inside
  - inside -> log
  - {from: feed, to: count, to_client: counter}
  - count -> log
"""
# A Worker of the runner that can be held up: after so many more writes, or before it says hello.
HOLDING = """() => {
  const Real = Worker
  const holding = () => {
    const holds = new BroadcastChannel('holds')
    const late = []
    let left = Infinity
    let isSilent = false
    holds.onmessage = ({ data }) => {
      ({ left = left, isSilent = isSilent } = data)
      if (!isSilent) for (const say of late.splice(0)) say()
      holds.postMessage('set')
    }
    const { transaction } = IDBDatabase.prototype
    IDBDatabase.prototype.transaction = function (stores, mode, options) {
      if (mode !== 'readwrite' || left-- > 0) return transaction.call(this, stores, mode, options)
      holds.postMessage('held')
      return { objectStore: () => new Proxy({}, { get: () => () => ({}) }) }
    }
    const { send } = WebSocket.prototype
    WebSocket.prototype.send = function (data) {
      if (!isSilent) return send.call(this, data)
      holds.postMessage('silent')
      late.push(() => send.call(this, data))
    }
    holds.postMessage('begun')
  }
  globalThis.Worker = class extends Real {
    constructor(url, options) {
      const text = new Blob([`import ${JSON.stringify(String(url))}\\n;(${holding})()`], { type: 'text/javascript' })
      super(/runner.worker/.test(url) ? URL.createObjectURL(text) : url, options)
    }
  }
}"""
SET = """(what) => new Promise((resolve) => {
  globalThis.said = []
  globalThis.holds = new BroadcastChannel('holds')
  holds.onmessage = ({ data }) => {
    if (data === 'set') resolve()
    said.push(data)
  }
  holds.postMessage(what)
})"""
HELD = "globalThis.said?.includes('held')"
QUIET = """async () => {
  const asked = (request) => new Promise((resolve) => { request.onsuccess = () => resolve(request.result) })
  const database = await asked(indexedDB.open('runner', 1))
  for (;;) {
    const store = database.transaction('pages').objectStore('pages')
    const keys = await asked(store.getAllKeys())
    if (!keys.some(([, kind]) => kind === 'outgoing' || kind === 'parcel')) break
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  database.close()
}"""  # until nothing is to be done, and all that was done has been taken


def logged(served: Served, module: str) -> list[Any]:
    return [row[1:] for row in served.call("getContext", "shop/log").get("all", []) if row[0] == module]


def anew(one: Page) -> None:
    one.page.reload()
    one.do(HOLDING)
    one.join("counter")
    assert one.name == "counter"


@contextmanager
def counting(served: Served, browser: Any, module: str) -> Iterator[tuple[Page, int]]:
    """A page that can be held up, and how many messages its module has had; in the end each has come once, in order."""
    first = len(logged(served, module))
    with page(served, browser, "counter") as one:
        anew(one)
        yield one, first
        rows = logged(served, module)[first:]
        assert rows == [[first + at, at + 1] for at in range(len(rows))]


def goes_after(one: Page, served: Served, module: str, writes: int, ask: str) -> None:
    """The page goes after so many writes, while it is at a message; then another one comes to it."""
    before = len(logged(served, module))
    one.do(QUIET)
    one.do(SET, {"left": writes})
    tell(one, served, ask, before)
    wait_for(lambda: one.do(HELD) or len(logged(served, module)) > before)
    anew(one)
    tell(one, served, ask, before + 1)
    wait_for(lambda: len(logged(served, module)) >= before + 2)


def tell(one: Page, served: Served, ask: str, number: int) -> None:
    if ask:
        one.do(ask, number)
    else:
        served.post("/in/shop/feed", ["count", number])


@pytest.mark.parametrize("module, ask", [
    ("count", ""),
    ("inside", "(n) => { ask(['inside', n]) }"),
    ("inside", "(n) => { ask(['inside', n, 'x'.repeat(1_200_000)]) }"),  # a queue that is full with one message
])  # fmt: skip
def test_a_page_goes_between_two_writes(served: Served, browser: Any, module: str, ask: str) -> None:
    with counting(served, browser, module) as (one, _):
        for writes in range(1, 7):
            goes_after(one, served, module, writes, ask)


def test_a_page_that_goes_on_beside_its_heir_does_nothing_more(served: Served, browser: Any) -> None:
    """A tab and its duplicate: what the second has read, the first neither changes nor does."""
    with counting(served, browser, "count") as (one, first):
        served.post("/in/shop/feed", ["count", first])
        wait_for(lambda: len(logged(served, "count")) == first + 1)
        one.do(QUIET)
        heir = one.context.new_page()
        heir.goto(f"{served.address}/")
        heir.evaluate("(kept) => Object.assign(sessionStorage, kept)", one.do("() => ({ ...sessionStorage })"))
        heir.evaluate(HOLDING.replace("isSilent = false\n", "isSilent = true\n"))
        heir.evaluate("() => { new BroadcastChannel('holds').onmessage = ({ data }) => { globalThis[data] = true } }")
        heir.evaluate(f"(options) => {{ globalThis.joins = ({JOIN})(options) }}", {"token": served.client_token})
        wait_for(lambda: heir.evaluate("globalThis.silent"))
        for n in range(1, 10):
            served.post("/in/shop/feed", ["count", first + n])
        wait_for(lambda: one.do("joined.state") == "over" or len(logged(served, "count")) == first + 10)
        assert one.do("events.findLast(([name]) => name === 'over')") == ["over", TAKEN_OVER]
        heir.evaluate("() => { new BroadcastChannel('holds').postMessage({ isSilent: false }) }")
        assert heir.evaluate("joins") == "counter"
        wait_for(lambda: len(logged(served, "count")) >= first + 10)
        heir.evaluate("joined.close()")


TAKEN_OVER = "another page has taken this session over"
STORES = """async () => {
  const { Store } = await import('/runner/browser/store.mjs')
  const store = await Store.open('tried')
  const written = (also = () => {}) => new Promise((resolve) => { store.after(resolve), also() })
  const found = async () => (await (await Store.open('tried')).take()).map(([[key]]) => key)
  await store.take()
  store.note(['old'], 1)
  await written()
  %s
}"""


def test_what_was_there_is_there_until_all_of_the_new_is(served: Served, browser: Any) -> None:
    cleared = """
      store.note(['older'], 1)
      await written(() => {
        store.note(['oldest'], 1)
        store.after(() => {}) // waits for the write that is under way
        store.clear()
        store.note(['new'], 1)
      })
      await new Promise((resolve) => { store._waiting.push(resolve) })
      const before = await found()
      return before"""
    with page(served, browser) as one:
        assert one.do(STORES % cleared) == ["old", "older", "oldest"]


def test_what_cannot_be_written_leaves_nothing_old(served: Served, browser: Any) -> None:
    full = """
      const { put } = IDBObjectStore.prototype
      IDBObjectStore.prototype.put = function (value, key) {
        if (value === 2) queueMicrotask(() => this.transaction.abort())
        return put.call(this, value, key)
      }
      store.note(['large'], 2)
      await written()
      return found()"""
    with page(served, browser) as one:
        assert one.do(STORES % full) == []


def test_a_page_goes_on_when_the_data_of_its_site_are_cleared(served: Served, browser: Any) -> None:
    with counting(served, browser, "count") as (one, first):
        for count in (3, 6):
            for n in range(count - 3, count):
                served.post("/in/shop/feed", ["count", first + n])
            wait_for(lambda count=count: len(logged(served, "count")) >= first + count)
            what = {"origin": served.address, "storageTypes": "all"}
            one.context.new_cdp_session(one.page).send("Storage.clearDataForOrigin", what)  # its database is closed


RUNNER = """async () => {
  await import('/runner/browser/platform.mjs')
  const { Runner } = await import('/runner/browser/runner.mjs')
  const { bytesOf, frame, joined, PAGE } = await import('/runner/browser/frames.mjs')
  const runner = new Runner({ send: () => true, spawn: () => new Promise(() => {}), tell() {} })
  const found = []
  const comes = (...frames) => {
    runner.receive(joined(frames))
    found.push(runner.received)
  }
  const joins = (session) => {
    runner.connected()
    comes(frame(PAGE.FLOW, {}, bytesOf(JSON.stringify({ here: {}, you: { session, client: 'a', heard: 0 } }))))
  }
  joins('one')
  comes(frame(PAGE.WIRE, {}, bytesOf('["count","in","w"]')), frame(PAGE.ACK, { flags: 1, first: 7 }))
  comes(frame(4, { count: 1 }, bytesOf('[1]')))
  joins('two')
  return found
}"""


def test_what_has_come_is_what_is_there(served: Served, browser: Any) -> None:
    """A parcel has come when it is there, not when it is announced; in a new session none has."""
    with page(served, browser) as one:
        assert one.do(RUNNER) == [0, 0, 7, 0]

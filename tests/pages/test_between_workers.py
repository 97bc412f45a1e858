"""What is between two Workers of a page is bounded: whoever makes it waits for whoever takes it."""

from __future__ import annotations

from typing import Any

from tests.gateway.served import Served
from tests.pages.browser import page
from tests.test_run import wait_for

COUNT = 1_500
SIZE = 20_000  # a mebibyte is 52 of them
FEW, MANY = 52, 700  # before two Workers, at work there, and what a source has been asked for
FLOW = f"""
id: shop
modules:
  make:
    runtime: browser
    window: true
    code: |
      export async function* start() {{
        globalThis.made = 0
        while (globalThis.made < {COUNT}) yield [globalThis.made++, 'x'.repeat({SIZE})]
      }}
  pass:
    runtime: browser
    isolated: true
    code: "(message) => message"
  slow:
    runtime: browser
    isolated: true
    code: |
      const opened = new Promise((resolve) => {{ new BroadcastChannel('go').onmessage = resolve }})
      export default async ([message], context) => {{
        await opened
        const next = context.get('next', 0)
        if (message !== next) throw new Error(`${{message}} came in place of ${{next}}`)
        context.set('next', next + 1)
      }}
wires: [make -> pass, pass -> slow]
"""


def test_a_queue_between_workers_is_bounded(served: Served, browser: Any) -> None:
    with page(served, browser, "one") as one:
        seen: list[int] = []

        def stands_still() -> bool:
            seen.append(one.do("globalThis.made ?? 0"))
            return seen[-1] > 0 and len(seen) > 20 and len(set(seen[-20:])) == 1

        wait_for(stands_still)
        assert FEW < seen[-1] < MANY
        wait_for(lambda: one.do("new BroadcastChannel('go').postMessage(1)") or one.do("made") == COUNT, 60)
        wait_for(lambda: served.call("getContext", "shop/slow@one") == {"next": COUNT}, 60)
        assert served.call("deadLetters", "shop") == []

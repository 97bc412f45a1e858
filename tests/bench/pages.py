"""A message from a page through a module of the server and back, beside a bare WebSocket echo in the same browser."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

from tests.bench.figures import Row, interleaved
from tests.gateway.served import serving
from tests.pages.browser import Page, chromium

FLOW = {
    "id": "pages",
    "modules": {
        "ask": {
            "runtime": "browser", "window": True,
            "code": "export function start(context) { globalThis.ask = (value) => context.send('out', value) }",
        },
        "echo": {"runtime": "python3", "code": "def run(message, context):\n    return message"},
        "show": {"runtime": "browser", "window": True, "code": "(message) => { globalThis.took(message) }"},
    },
    "wires": ["ask -> echo", "echo -> show"],
}  # fmt: skip
BARE = """async () => {
  const socket = new WebSocket(`ws://${location.host}/echo`)
  globalThis.ask = (value) => socket.send(JSON.stringify(value))
  socket.onmessage = ({ data }) => took(JSON.parse(data))
  await new Promise((resolve, reject) => { Object.assign(socket, { onopen: resolve, onerror: reject }) })
}"""
# So many messages of 100 bytes, so many of them under way: milliseconds for all.
TRIPS = """async ([count, flight]) => {
  const pad = 'x'.repeat(80)
  let sent = 0
  const next = () => ask({ n: sent++, pad })
  return new Promise((done, fail) => {
    let came = 0
    const begun = performance.now()
    globalThis.took = ({ n }) => {
      if (n !== came++) fail(new Error(`${n} came as number ${came}`))
      if (came === count) done(performance.now() - begun)
      else if (sent < count) next()
    }
    for (let i = 0; i < Math.min(flight, count); i++) next()
  })
}"""
FLIGHT = 64
LIMIT = "a bare WebSocket echo (Python, websockets) in the same browser"


def pages(runs: int, quick: bool) -> Iterator[Row]:
    """There and back, one at a time and many under way."""
    trips, many = (300, 3000) if quick else (2000, 20_000)
    echo = [sys.executable, str(Path(__file__).with_name("bare") / "echo_websocket.py")]
    with (
        tempfile.TemporaryDirectory() as folder, serving(Path(folder), json.dumps(FLOW)) as served,
        Popen(echo, stdout=PIPE, text=True) as bare, chromium() as browser,
    ):  # fmt: skip
        try:
            assert bare.stdout is not None
            through = Page(served, browser)
            tab = browser.new_context().new_page()
            tab.goto(f"http://127.0.0.1:{int(bare.stdout.readline())}/")
            tab.evaluate(BARE)

            def measure(page: Any, count: int, flight: int) -> float:
                page.evaluate(TRIPS, [count // 10, flight])  # warm
                return float(page.evaluate(TRIPS, [count, flight]))

            def trip_us(page: Any) -> float:
                return measure(page, trips, 1) / trips * 1000

            def rate(page: Any) -> float:
                return many / measure(page, many, FLIGHT) * 1000

            one, bare_one, more, bare_more = interleaved(
                runs, lambda: trip_us(through.page), lambda: trip_us(tab), lambda: rate(through.page), lambda: rate(tab)
            )
            through.do("joined.close()")
        finally:
            bare.kill()
    yield Row(
        name="page.round_trip", unit="us", what="a page, a python3 module, the page: one at a time",
        values=one, limit=LIMIT, limits=bare_one, lower_is_better=True,
    )  # fmt: skip
    yield Row(
        name="page.rate", unit="messages/s", what=f"the same, {FLIGHT} under way", values=more, limit=LIMIT,
        limits=bare_more,
    )  # fmt: skip

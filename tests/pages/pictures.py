"""The pictures of docs/view.md, of a flow with some trouble: `python -m tests.pages.pictures [FOLDER]`."""

from __future__ import annotations

import contextlib
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from tests.gateway.served import Served, serving
from tests.pages.browser import chromium
from tests.pages.view import View, view

PICTURES = Path(__file__).parents[2] / "docs" / "view"
SIZE = {"viewport": {"width": 1180, "height": 720}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 760}, "device_scale_factor": 1.5, "has_touch": True}
WATCHED_MS = 20_000  # so that the curves show something
SENSOR = """
import math, time
def start(context):
    n = context.get("n", 0)
    while True:
        n += 1
        context.set("n", n)
        yield {"from": context.module_id, "n": n, "value": round(20 + 9 * math.sin(n / 9), 2)}
        time.sleep(context.config["wait_s"])
"""
FLOW = """
id: plant
modules:
  yard: {runtime: python3, file: sensor.py, config: {wait_s: 0.05}}
  hall: {runtime: python3, file: sensor.py, config: {wait_s: 0.02}}
  parse:
    runtime: node
    code: |
      (reading) => {
        if (reading.n % 50 === 0) throw new RangeError(`no such reading: ${reading.n}`)
        return { ...reading, unit: 'C' }
      }
  smooth:
    runtime: python3
    code: |
      def run(reading, context):
          last = (context.get("last", []) + [reading["value"]])[-5:]
          context.set("last", last)
          return {**reading, "mean": round(sum(last) / len(last), 2)}
  alarm:
    runtime: python3
    code: |
      def run(reading, context):
          return reading if reading["mean"] > 27 else None
  total:
    runtime: python3
    code: |
      def run(reading, context):
          context.set("seen", context.get("seen", 0) + 1)
  report:
    runtime: node
    code: |
      (reading, context) => context.set('last', reading.mean)
wires:
  - yard -> parse
  - hall -> parse
  - parse -> smooth
  - parse -> total
  - smooth -> alarm
  - alarm -> report
"""


@contextmanager
def shown(served: Served, browser: Any, file: Path, *place: str, **more: Any) -> Iterator[View]:
    """A page; what it shows in the end is the picture."""
    with view(served, browser, **(SIZE | more)) as it:
        it.open("plant", *place)
        yield it
        it.page.screenshot(path=str(file))


def take(served: Served, browser: Any, to: Path) -> None:
    """All of them."""
    with shown(served, browser, to / "graph.png", "parse") as it:
        it.page.wait_for_timeout(WATCHED_MS)
    with shown(served, browser, to / "dark.png", "parse", "Errors", color_scheme="dark") as it:
        it.sees(re.compile("no such reading"))
    with shown(served, browser, to / "phone.png", "smooth", "Messages", **PHONE) as it:
        it.sees(re.compile('"mean"'))
    with shown(served, browser, to / "trying.png", "smooth", "Source") as it:
        it.write("smooth", "[-5:]", "[-2:]")
        tried = it.page.get_by_role("region", name="what it makes of its messages")
        expect(tried).to_contain_text("The last 20 messages", timeout=60_000)
    with shown(served, browser, to / "source.png", "smooth", "Source") as it:
        it.write("smooth", "[-5:]", "[-9:]")
        it.sees("It can be loaded: smooth replaced", "aside")
        it.button("Apply").click()
        it.sees("Version 2 runs", "aside")
        it.page.get_by_label("Difference to").select_option("1")
        it.page.locator(".cm-deletedChunk").first.wait_for()
    with shown(served, browser, to / "draw.png") as it:
        it.button("Draw").click()
        draw = it.page.get_by_role("region", name="draw")
        draw.get_by_label("kind of module").select_option("python3")
        draw.get_by_label("called").fill("late")
        draw.get_by_role("button", name="Add").click()
        it.module("late").wait_for()
        it.module("smooth").locator(".handle").drag_to(it.module("late"))
        expect(draw).to_contain_text(re.compile("It would be: .*late added"))
    with shown(served, browser, to / "step.png", "parse", "Step") as it:
        it.button("Pause").click()
        it.button("Step").click()
        it.sees(re.compile("no such|unit"), "aside")


def main() -> None:
    """Into docs/view, or another folder."""
    to = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "sensor.py").write_text(SENSOR, "utf-8")
        taken = False
        no_success = contextlib.suppress(AssertionError)  # what a flow's run is that has dead letters
        with no_success, serving(Path(folder), FLOW) as served, chromium() as browser:
            take(served, browser, to)
            taken = True
    if not taken:
        sys.exit("not all pictures could be taken")


if __name__ == "__main__":
    main()

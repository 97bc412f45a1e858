"""Edit to proof in the web view: find what fails, mend it while it runs, see that nothing was lost, go back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.gateway.served import Served, serving
from tests.pages.view import View, view

FLOW = """
id: shop
modules:
  tick:
    runtime: python3
    code: |
      import time
      def start(context):
          n = context.get("n", 0)
          while True:
              n += 1
              context.set("n", n)
              yield {"n": n, "value": n % 10}
              time.sleep(0.02)
  parse:
    runtime: node
    code: |
      export default (message, context) => {
        if (message.value === 7) throw new RangeError("seven is too much");
        return message.value * 2;
      };
  total:
    runtime: python3
    code: |
      def run(number, context):
          context.set("total", context.get("total", 0) + number)
wires:
  - tick -> parse
  - parse -> total
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """It ends without dead letters, that is, well."""
    with serving(tmp_path_factory.mktemp("pages"), FLOW) as found:
        yield found
        found.call("stopFlow", "shop")
        for letter in found.call("deadLetters", "shop"):
            found.call("dropDeadLetter", letter["id"])


def code(served: Served, module: str) -> str:
    text: str = served.call("listFlows")[0]["modules"][module]["code"]
    return text


def version(served: Served) -> int:
    number: int = served.call("flowState", "shop")["version"]
    return number


def lost(served: Served) -> int:
    rows = served.call("audit").values()
    return sum(
        row["accepted"] - row["completed"] - row["queued"] - row["dropped"] - row["deadLettered"] for row in rows
    )


def roll_back(it: View, to: int) -> None:
    it.button(f"Roll back to version {to}").click()
    it.sees(f"The flow is as it was in version {to}.", "aside")


def test_what_fails_is_found_mended_applied_and_sent_again(served: Served, browser: Any) -> None:
    before, began = code(served, "parse"), version(served)
    with view(served, browser) as it:
        it.open("shop")
        it.button("parse").first.click()  # in the sentence on top
        it.page.locator("aside").get_by_role("button", name=re.compile(r"shop\.yaml:")).first.click()
        active = it.source("parse").locator(".cm-activeLine")
        expect(active).to_contain_text("throw new RangeError")
        it.write("parse", "throw new RangeError", "throw {{{ RangeError")
        it.sees(re.compile("line 2: SyntaxError"), "aside")
        it.button("Apply").click()
        expect(it.page.get_by_role("alert")).to_contain_text("line 2: SyntaxError")
        assert version(served) == began
        it.button("Discard").click()
        it.write("parse", 'throw new RangeError("seven is too much")', "return 0")
        it.sees("It can be loaded: parse replaced", "aside")
        it.button("Apply").click()
        receipt = it.page.get_by_role("region", name="receipt")
        expect(receipt).to_contain_text(f"Version {began + 1} runs")
        expect(receipt).to_contain_text("parse replaced, paused")
        expect(receipt).to_contain_text("0 lost")
        assert lost(served) == 0
        errors = served.call("flowState", "shop")["modules"]["parse"]["errors"]
        it.tab("Errors").click()
        it.button("Replay all", exact=False).click()
        expect(it.page.locator("aside")).to_contain_text("None.")
        assert served.call("deadLetters", "shop") == []
        assert served.call("flowState", "shop")["modules"]["parse"]["errors"] == errors
        assert "return 0" in code(served, "parse")
        it.tab("Source").click()
        it.page.get_by_label("Difference to").select_option(str(began))
        expect(it.page.locator(".cm-deletedChunk")).to_contain_text("seven is too much")
        it.button(f"Roll the flow back to {began}").click()
        it.sees(f"The flow is as it was in version {began}.", "aside")
    assert code(served, "parse") == before
    assert lost(served) == 0


def test_two_people_at_once(served: Served, browser: Any) -> None:
    began = version(served)
    with view(served, browser) as first, view(served, browser) as second:
        for it in (first, second):
            it.open("shop", "total", "Source")
        first.write("total", "+ number", "+ number + 100")
        second.write("total", "+ number", "+ number + 2000")
        first.button("Apply").click()
        first.sees(f"Version {began + 1} runs", "aside")
        second.sees(f"You began with version {began}; the flow is at version {began + 1} now", "aside")
        second.button("Apply").click()
        second.sees(f"shop is at version {began + 1}, not {began}", "aside")
        expect(second.page.locator(".cm-deletedChunk")).to_contain_text("+ 100")
        assert "+ 100" in code(served, "total")
        second.button(f"Keep my text, on version {began + 1}").click()
        second.button("Apply").click()
        second.sees(f"Version {began + 2} runs", "aside")
        expect(first.source("total")).to_contain_text("+ 2000")
        assert "+ 2000" in code(served, "total")
        roll_back(second, began + 1)
        expect(first.source("total")).to_contain_text("+ 100")
    assert lost(served) == 0


def test_the_keyboard_alone_is_enough(served: Served, browser: Any) -> None:
    began = version(served)
    with view(served, browser) as it:
        it.page.get_by_role("link", name="shop").focus()
        keys = it.page.keyboard
        keys.press("Enter")
        expect(it.module("total")).to_be_visible()
        it.page.get_by_label("find a module").focus()
        keys.type("tot")
        keys.press("Enter")
        expect(it.page.get_by_role("heading", name="total")).to_be_focused()
        for _ in range(3):
            keys.press("Tab")  # breakpoint, close, tabs
        expect(it.tab("Figures")).to_be_focused()
        keys.press("ArrowRight")
        expect(it.source("total")).to_be_visible()
        keys.press("Tab")
        keys.press("Tab")
        expect(it.source("total")).to_be_focused()
        keys.press("Control+End")
        keys.type("# the end")
        it.sees("It can be loaded", "aside")
        keys.press("Control+s")
        it.sees(f"Version {began + 1} runs", "aside")
        assert code(served, "total").endswith("# the end")
        it.button(f"Roll back to version {began}").focus()
        keys.press("Enter")
        it.sees(f"The flow is as it was in version {began}.", "aside")
    assert not code(served, "total").endswith("# the end")

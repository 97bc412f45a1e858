"""The web view shows what is, and does what its words say. What counts is asked of the API, not of the page."""

from __future__ import annotations

import gzip
import re
import signal
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.gateway.served import Served
from tests.pages.view import view

FLOW = """
id: shop
modules:
  parse:
    runtime: node
    code: |
      export default (message, context) => {
        if (!("value" in message)) throw new RangeError("there is no value");
        return message.value * 2;
      };
  total:
    runtime: python3
    code: |
      def run(number, context):
          context.set("total", context.get("total", 0) + number)
          return context.get("total")
  report: {runtime: python3, code: "def run(message, context): pass\\n"}
wires:
  - parse -> total
  - total -> report
"""
BEFORE_A_SOURCE_BYTES = 60_000


def test_what_is_wrong_is_found_edited_and_sent_again(served: Served, browser: Any) -> None:
    before = served.call("getContext", "shop/total").get("total", 0)
    with view(served, browser) as it:
        it.open("shop")
        it.sees("running", "header")
        for message in ({"value": 1}, {"velue": 20}, {"velue": 30}):
            served.call("sendMessage", "shop/parse", "in", message)
        it.module("parse").get_by_text("2", exact=True).wait_for()  # the badge
        it.button("parse").first.click()  # in the sentence on top
        it.sees(re.compile("2 . RangeError"), "aside")
        it.button("Edit").first.click()
        it.page.get_by_role("textbox", name="message of shop/").fill('{"value": ')
        it.button("Save").click()
        it.sees("this is no JSON", "aside")
        it.page.get_by_role("textbox", name="message of shop/").fill('{"value": 5}')
        it.button("Save").click()
        it.sees('{"value":5}', "aside")
        it.button("Replay all 2").click()
        it.sees(re.compile("1 . RangeError"), "aside")
    assert served.call("getContext", "shop/total")["total"] == before + 2 + 10
    rows = served.call("audit")
    assert all(row["balanced"] for row in rows.values())
    (left,) = served.call("deadLetters", "shop")
    assert left["message"] == {"velue": 30}
    served.call("dropDeadLetter", left["id"])


def test_the_log_and_the_life_of_a_flow(served: Served, browser: Any) -> None:
    served.call("sendMessage", "shop/parse", "in", {"velue": 99})
    with view(served, browser) as it:
        it.page.get_by_text("Log", exact=True).click()
        it.page.locator("details .err", has_text="error").first.wait_for()
        it.sees(re.compile("shop/parse: .*RangeError"), "details")
        it.open("shop", "parse", "Log")
        it.page.locator("aside .err", has_text="error").first.wait_for()
        it.page.once("dialog", lambda dialog: dialog.dismiss())
        it.button("Stop").click()
        assert served.call("flowState", "shop")["state"] == "running"
        it.page.once("dialog", lambda dialog: dialog.accept())
        it.button("Stop").click()
        it.sees("stopped", "header")
        it.button("Start").click()
        it.sees("running", "header")
    assert served.call("flowState", "shop")["state"] == "running"
    for letter in served.call("deadLetters", "shop"):
        served.call("dropDeadLetter", letter["id"])


def test_messages_are_seen_sent_and_sent_again(served: Served, browser: Any) -> None:
    before = served.call("getContext", "shop/total").get("total", 0)
    with view(served, browser) as it:
        it.open("shop", "parse", "Messages")
        it.sees("Nothing has left it", "aside")
        it.page.get_by_role("textbox", name="message, as JSON").fill('{"value": 21}')
        it.button("Send").click()
        it.sees("parse.in has it", "aside")
        it.sees("42", ".messages")
        it.button("Send again…").click()
        assert it.page.get_by_label("Send to").input_value() == "total.in"
        it.button("Send").click()
        it.sees("total.in has it", "aside")
        it.module("total").click()
        it.tab("Context").click()
        it.sees(str(before + 84), "aside")
    assert served.call("getContext", "shop/total")["total"] == before + 84


def test_by_keyboard_and_with_labels(served: Served, browser: Any) -> None:
    with view(served, browser) as it:
        it.open("shop")
        assert it.page.locator('.node[tabindex="0"]').count() == 1
        it.module("parse").focus()
        it.page.keyboard.press("ArrowRight")
        it.page.keyboard.press("ArrowRight")
        expect(it.module("report")).to_be_focused()
        expect(it.module("report")).to_have_accessible_name(re.compile(r"report python3 [\d.]+/s"))
        it.page.keyboard.press("Enter")
        it.page.get_by_role("complementary", name="module report").wait_for()
        it.page.keyboard.press("Escape")
        expect(it.module("report")).to_be_focused()


def test_breakpoint_steps_and_an_edited_message(served: Served, browser: Any) -> None:
    before = served.call("getContext", "shop/total").get("total", 0)
    with view(served, browser) as it:
        it.open("shop", "total", "Step")
        it.page.get_by_label("Pause when").fill("message ==")
        it.button("Set a breakpoint").click()
        expect(it.page.locator("aside").get_by_role("alert")).to_be_visible()
        it.page.get_by_label("Pause when").fill("message > 10")
        it.button("Set a breakpoint").click()
        it.sees("set when message > 10", "aside")
        for value in (1, 50, 60):
            served.call("sendMessage", "shop/parse", "in", {"value": value})
        it.sees("paused", "header")
        it.sees("at the breakpoint", "aside")
        it.button("Edit").first.click()
        it.page.get_by_role("textbox", name="held message").fill("7")
        it.button("Save").click()
        it.sees("7", ".messages")
        it.button("Step").click()
        it.page.locator('.node.ran[data-module="total"]').wait_for()
        it.sees("took in", "aside")
        it.sees(str(before + 9), "aside")
        it.button("Step").click()
        it.page.locator('.node.ran[data-module="report"]').wait_for()
        it.button("Breakpoint").click()
        it.page.locator('button[aria-pressed="false"]').first.wait_for()
        it.button("Resume").click()
        it.sees("running", "header")
    debug = served.call("flowState", "shop")["debug"]
    assert (debug["pausedBy"], debug["breakpoints"]) == (None, {})
    assert served.call("getContext", "shop/total")["total"] == before + 2 + 7 + 120


def test_old_figures_say_so(served: Served, browser: Any) -> None:
    with view(served, browser) as it:
        it.open("shop")
        it.sees("running", "header")
        served.process.send_signal(signal.SIGSTOP)
        try:
            it.sees("no word for", "header")
        finally:
            served.process.send_signal(signal.SIGCONT)
        it.sees_not("no word for", "header")


def test_without_a_token_nothing_is_shown(served: Served, browser: Any) -> None:
    context = browser.new_context()
    try:
        page = context.new_page()
        page.goto(served.address)
        page.get_by_label("Token").fill("wrong")
        page.get_by_role("button", name="Enter").click()
        page.get_by_text("not accepted").wait_for()
        page.get_by_label("Token").fill(served.token)
        page.get_by_role("button", name="Enter").click()
        page.get_by_role("link", name="shop").wait_for()
    finally:
        context.close()


@pytest.mark.parametrize("module", ["", "parse"])
def test_little_is_loaded(served: Served, browser: Any, module: str) -> None:
    with view(served, browser) as it:
        loaded: set[str] = set()
        it.page.on("request", lambda asked: loaded.add(asked.url))
        it.page.reload()
        it.open("shop", module)
        it.sees("running", "header")
    own = {url.removeprefix(served.address) for url in loaded if url.startswith("http")}
    assert all(path.startswith("/") for path in own), loaded
    assert "/vendor/dagre.js" in own
    sent = {path: served.ask("GET", path, accept_encoding="gzip") for path in own}
    assert sum(len(answer.body) for answer in sent.values()) < BEFORE_A_SOURCE_BYTES, own
    dagre = sent["/vendor/dagre.js"]
    assert dagre.headers["content-encoding"] == "gzip"
    assert gzip.decompress(dagre.body) == served.ask("GET", "/vendor/dagre.js").body

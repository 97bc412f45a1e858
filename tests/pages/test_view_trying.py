"""In the web view: what an edit makes of real messages, as one types and as a shadow; kept as a test; drawn."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from actors.definition.reading import read_flow_file
from tests.gateway.served import Served, serving
from tests.pages.view import view

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
              time.sleep(0.01)
  parse:
    runtime: node
    code: |
      export default (message, context) => {
        return message.value * 2;
      };
  total:
    runtime: python3
    code: |
      def run(number, context):
          context.set("total", context.get("total", 0) + (number if isinstance(number, int) else 0))
  lists:
    runtime: python3
    files: [helper.py]
    code: |
      from helper import length
      def run(message, context):
          return length(message)
wires:
  - tick -> parse
  - parse -> total
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("pages")
    (folder / "helper.py").write_text("def length(some):\n    return len(some)\n")
    with serving(folder, FLOW) as found:
        yield found


def test_an_edit_is_tried_on_the_messages_and_then_shadowed(served: Served, browser: Any) -> None:
    with view(served, browser) as it:
        it.open("shop", "parse", "Source")
        tried = it.page.get_by_role("region", name="what it makes of its messages")
        it.write("parse", "message.value * 2", "message.value * 2 + (message.value === 4)")
        expect(tried).to_contain_text("The last 20 messages: 18 the same, 2 differ")
        expect(tried).to_contain_text('"value":4')
        expect(tried).to_contain_text(" out 8")
        expect(tried).to_contain_text("+ out 9")
        it.write("parse", "+ (message.value === 4)", "+ (message.value === 5 ? message.no.no : 0)")
        expect(tried).to_contain_text("The last 20 messages: 18 the same, 2 fail")
        expect(tried).to_contain_text("TypeError")
        tried.get_by_role("button", name="line 2").first.click()
        expect(it.source("parse").locator(".cm-activeLine")).to_contain_text("message.no.no")
        expect(it.page.locator(".cm-lint-marker-error")).to_have_count(1)
        it.write("parse", "message.no.no", "1")
        it.page.get_by_label("on the next").fill("100")
        it.button("Shadow").click()
        expect(tried).to_contain_text("100 messages: 90 the same, 10 differ")
        expect(tried).to_contain_text("out: 90 the same, 10 differ")
        it.button("Discard").click()
    assert "* 2;" in served.call("listFlows")[0]["modules"]["parse"]["code"]
    assert all(row["balanced"] for row in served.call("audit").values())
    assert served.call("flowState", "shop")["version"] == 1


def test_what_may_reach_out_is_asked_for_first(served: Served, browser: Any) -> None:
    with view(served, browser) as it:
        it.open("shop", "total", "Source")
        it.write("total", "def run", "import socket\ndef run")
        it.sees(re.compile("It is not tried on messages: shop/total uses the network"), "aside")
        it.page.get_by_label("on the next").fill("20")
        it.button("Shadow").click()
        expect(it.page.locator("aside").get_by_role("alert")).to_contain_text("uses the network")
        it.button("Do it all the same").click()
        it.sees(re.compile("20 messages: 20 the same"), "aside")
        it.button("Discard").click()


def kept(served: Served) -> Any:
    """The tests in the flow's file."""
    return read_flow_file(served.state.parent / "shop.yaml").document.get("tests", [])


def test_what_is_seen_becomes_tests_in_the_file(served: Served, browser: Any) -> None:
    file = served.state.parent / "shop.yaml"
    file.write_text("# by hand\n" + file.read_text())
    with view(served, browser) as it:
        it.page.on("dialog", lambda dialog: dialog.accept())
        it.open("shop", "parse", "Source")
        it.write("parse", "message.value * 2", "message.value * 2 + (message.value === 4)")
        tried = it.page.get_by_role("region", name="what it makes of its messages")
        tried.get_by_role("button", name="as it is").first.click()
        expect(tried.get_by_role("status").first).to_contain_text("written: shop.yaml")
        tried.get_by_role("button", name="as the new text has it").first.click()
        expect(tried.get_by_role("status").nth(1)).to_contain_text("written: shop.yaml")
        it.button("Discard").click()
        old, new = kept(served)
        assert (old["send"]["parse.in"][0]["value"], old["expect"]) == (4, {"parse.out": [8]})
        assert (new["send"]["parse.in"][0]["value"], new["expect"]) == (4, {"parse.out": [9]})
        it.tab("Messages").click()
        it.button("Keep as a test").first.click()
        expect(it.page.locator("aside").get_by_role("status")).to_contain_text("written: shop.yaml")
        it.page.get_by_label("Send to").select_option("parse.in")
        it.page.get_by_role("textbox", name="message, as JSON").fill("null")
        it.button("Send").click()
        it.tab("Errors").click()
        it.sees(re.compile("1 . TypeError"), "aside")
        it.button("Keep as a test").click()
        expect(it.page.locator("aside").get_by_role("status")).to_contain_text("written: shop.yaml")
        it.button("Pause").click()
        it.module("total").click()
        it.tab("Step").click()
        for _ in range(3):  # what tick sends in the first wave is taken by parse in the second, by total in the third
            it.button("Step").click()
        it.button("Keep as a test").click()
        expect(it.page.locator("aside").get_by_role("status")).to_contain_text("written: shop.yaml")
        it.button("Resume").click()
    _, _, tapped, dead, stepped = kept(served)
    assert list(tapped["send"]) == ["total.in"] == list(stepped["send"])
    assert tapped["expect"] == {"total.out": []} == stepped["expect"]
    (letter,) = dead["dead"]["parse"]
    assert letter["type"] == "TypeError"
    assert file.read_text().startswith("# by hand\n")
    said = subprocess.run(
        [sys.executable, "-m", "actors.console", "test", str(file)], capture_output=True, text=True, check=False
    )
    assert re.findall(r"\d+ (?:passed|failed)", said.stdout + said.stderr), said
    assert "as the new text" not in said.stdout
    assert said.returncode == 1, said  # one of them is what the new text would do
    for one in served.call("deadLetters", "shop"):
        served.call("dropDeadLetter", one["id"])


def test_a_module_is_added_wired_moved_and_removed(served: Served, browser: Any) -> None:
    file = served.state.parent / "shop.yaml"
    began = served.call("flowState", "shop")["version"]
    with view(served, browser) as it:
        it.open("shop")
        it.button("Draw").click()
        draw = it.page.get_by_role("region", name="draw")
        draw.get_by_label("kind of module").select_option("python3")
        draw.get_by_label("called").fill("late")
        draw.get_by_role("button", name="Add").click()
        it.module("late").wait_for()
        handle, target = it.module("parse").locator(".handle"), it.module("late")
        handle.drag_to(target)
        expect(draw).to_contain_text(re.compile("It would be: .*late added"))
        it.module("late").drag_to(it.page.locator(".frame"), target_position={"x": 300, "y": 500})
        draw.get_by_label("to", exact=True).fill("total.in")
        draw.get_by_label("Wire").fill("late")
        draw.get_by_role("button", name="Wire").click()
        assert served.call("flowState", "shop")["version"] == began  # a plan first
        expect(draw.get_by_role("status")).to_contain_text(
            re.compile("It would be: .*total (rewired|carried).*late added")
        )
        draw.get_by_role("button", name="Apply").click()
        expect(draw).to_contain_text("applied, the flow is running; written: shop.yaml")
        (flow,) = served.call("listFlows")
        assert {"parse.out -> late.in", "late.out -> total.in"} <= set(flow["wires"])
        assert set(flow["layout"]) == {"tick", "parse", "total", "lists", "late"}
        document = read_flow_file(file).document
        assert document["layout"] == flow["layout"]
        assert "late: numbers the messages" in document["modules"]["late"]["code"]
        draw.get_by_role("button", name="Done").click()
        places = {name: it.module(name).get_attribute("transform") for name in flow["layout"]}
        it.page.reload()
        it.module("late").wait_for()
        assert {name: it.module(name).get_attribute("transform") for name in flow["layout"]} == places
        it.button("Draw").click()
        it.module("late").click()
        draw.get_by_role("button", name="remove the wire parse.out->late.in").click()
        draw.get_by_role("button", name="Remove late").click()
        expect(draw).to_contain_text(re.compile("It would be: .*late removed"))
        draw.get_by_role("button", name="Apply").click()
        expect(draw).to_contain_text("written: shop.yaml")
    assert "late" not in read_flow_file(file).document["modules"]
    assert served.call("flowState", "shop")["version"] == began + 2
    assert all(row["balanced"] for row in served.call("audit").values())


def test_a_file_that_the_module_imports_is_edited_too(served: Served, browser: Any) -> None:
    file = served.state.parent / "helper.py"
    served.call("sendMessage", "shop/lists", "in", [1, 2, 3])
    with view(served, browser) as it:
        it.open("shop", "lists", "Source")
        it.page.get_by_label("File").select_option("helper.py")
        helper = "lists, helper.py"
        it.write(helper, "return len(some)", "return len(some")
        it.sees(re.compile("line 2: SyntaxError"), "aside")
        it.write(helper, "return len(some", "return len(some) + 1")
        tried = it.page.get_by_role("region", name="what it makes of its messages")
        expect(tried).to_contain_text("1 differ")
        expect(tried).to_contain_text("+ out 4")
        it.page.get_by_label("File").select_option("lists")
        it.write("lists", "def run", "# both\ndef run")
        it.button("Apply").click()
        receipt = it.page.get_by_role("region", name="receipt")
        expect(receipt).to_contain_text("0 lost")
        receipt.get_by_role("button", name="Save").click()
        expect(receipt.get_by_role("status")).to_contain_text("helper.py")
    assert file.read_text().rstrip() == "def length(some):\n    return len(some) + 1"
    module = served.call("listFlows")[0]["modules"]["lists"]
    assert (module["files"]["helper.py"], "# both" in module["code"]) == (file.read_text(), True)

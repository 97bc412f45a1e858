"""What is done to a flow while pages run their part: updates, breakpoints, steps, the end of what does not end."""

from __future__ import annotations

import json
from typing import Any

from tests.gateway.served import Served
from tests.pages.browser import page
from tests.test_run import wait_for

ADD = (
    "(message, context) => {{ const n = context.get('n', 0) + 1; context.set('n', n); return [{version}, message, n] }}"
)
ASK = "export function start(context) { globalThis.ask = (value, port = 'out') => context.send(port, value) } // 'loop'"


def flow(**texts: Any) -> dict[str, Any]:
    """The flow with other texts of some modules."""
    modules: dict[str, Any] = {
        "ask": {"runtime": "browser", "window": True, "code": ASK},
        "pass": {"runtime": "python3", "code": "def run(message, context):\n    return message"},
        "add": {"runtime": "browser", "code": ADD.format(version=1)},
        "show": {"runtime": "browser", "window": True, "code": "(message) => { globalThis.seen.push(message) }"},
        "loop": {
            "runtime": "browser", "timeout_s": 0.3,
            "code": "(message) => { while (message === 'for ever') {} return message }",
        },
    }  # fmt: skip
    for name, change in texts.items():
        modules[name] = {**modules[name], **change}
    wires = ["ask -> pass", "pass -> add", "add -> show", "ask.loop -> loop", "loop -> show"]
    return {"id": "shop", "modules": modules, "wires": wires}


FLOW = json.dumps(flow())


SENDING = """(count) => {
  let n = 0
  globalThis.sending = setInterval(() => { if (n < count) { ask(n++); globalThis.sent = n } }, 2)
}"""


def test_an_update_reaches_a_page_that_works(served: Served, browser: Any) -> None:
    with page(served, browser) as one:
        one.do(SENDING, 100_000)
        one.seen(150)
        served.call("addOrUpdateFlow", flow(add={"code": ADD.format(version=2)}))
        wait_for(lambda: one.do("seen.at(-1)[0] === 2"))
        count = one.do("() => { clearInterval(sending); return sent }")
        seen = one.seen(count)
        assert [(message, n) for _, message, n in seen] == [(n, n + 1) for n in range(count)]
        versions = [version for version, _, _ in seen]
        assert versions == sorted(versions)
        assert set(versions) == {1, 2}
        assert served.call("lastReceipt", "shop")["modules"]["add"]["did"] == "replaced"


def test_a_module_goes_to_the_server_and_back(served: Served, browser: Any) -> None:
    python = {
        "runtime": "python3",
        "code": "def run(message, context):\n    context.set('n', context.get('n', 0) + 1)\n"
        "    return ['python', message, context.get('n')]",
    }
    with page(served, browser) as one:
        served.call("addOrUpdateFlow", flow(add={"code": ADD.format(version=3)}))
        one.ask(1, 2)
        assert one.seen(2) == [[3, 1, 1], [3, 2, 2]]
        served.call("addOrUpdateFlow", flow(add=python))
        one.ask(3)
        assert one.seen(3)[2][:2] == ["python", 3]
        served.call("addOrUpdateFlow", flow(add={"code": ADD.format(version=4)}))
        one.ask(4)
        assert one.seen(4)[3][:2] == [4, 4]


def test_a_version_that_cannot_be_loaded_is_not_taken(served: Served, browser: Any) -> None:
    with page(served, browser) as one:
        served.call("addOrUpdateFlow", flow(add={"code": ADD.format(version=5)}))
        before = served.call("lastReceipt", "shop")
        for code, says in (("(message) => {{", "SyntaxError"), ("import a from 'lodash'\nexport default a", "npm")):
            wrong = {"jsonrpc": "2.0", "id": 1, "method": "addOrUpdateFlow", "params": [flow(add={"code": code})]}
            assert says in served.post("/rpc", wrong).json["error"]["message"]
        assert served.call("lastReceipt", "shop") == before
        one.ask(1)
        assert one.seen(1)[0][:2] == [5, 1]
        served.call("addOrUpdateFlow", flow(add={"code": ADD.format(version=6)}))
        one.ask(2)
        assert one.seen(2)[1][:2] == [6, 2]


def test_a_breakpoint_and_steps(served: Served, browser: Any) -> None:
    with page(served, browser) as one:
        served.call("setBreakPointAtModule", "shop/add")
        one.ask("a", "b")
        wait_for(lambda: bool(served.call("listHeld", "shop")))
        stepped = served.call("singleStepFlow", "shop")
        assert [state["message"] for state in stepped["shop/add"]["inputStates"]] == ["a"]
        assert [state["message"][1] for state in stepped["shop/add"]["outputStates"]] == ["a"]
        assert one.do("seen") == []
        served.call("removeBreakPointAtModule", "shop/add")
        served.call("resumeFlow", "shop")
        assert [message for _, message, _ in one.seen(2)] == ["a", "b"]


def test_what_does_not_end_is_ended(served: Served, browser: Any) -> None:
    """The page goes on meanwhile, and so do the other modules."""
    with page(served, browser) as one:
        one.do("ask('for ever', 'loop')")
        one.do("ask('after', 'loop')")
        one.ask("meanwhile")
        assert one.seen(1)[0][1] == "meanwhile"
        assert "after" in one.seen(2)
        (letter,) = served.call("deadLetters", "shop")
        assert letter["message"] == "for ever"
        assert "timeout_s 0.3" in letter["error"]["message"]
        served.call("dropDeadLetter", letter["id"])

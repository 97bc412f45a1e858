"""Another version of a module on the messages of the one that runs, in hosts beside the flow."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.messages import client_to_runner as api
from actors.messages.runner_to_client import Reply
from tests.harness import Harness, need, running

# The same in every language: counts in its context, sends 2m; the edit sends 2m+1 where m % 7 is 3.
CODE = {
    "python3": """
def run(m, c):
    c.set("n", c.get("n", 0) + 1)
    return 2 * m{}
""",
    "node": """
module.exports = (m, c) => {{
  c.set("n", c.get("n", 0) + 1);
  return 2 * m{};
}};
""",
    "ruby": """
def run(m, c)
  c.set("n", (c.get("n") || 0) + 1)
  2 * m{}
end
""",
    "php": """<?php
function run($m, $c) {{
    $c->set("n", ($c->get("n") ?? 0) + 1);
    return 2 * $m{};
}}
""",
    "sbcl": """
(lambda (m c)
  (context-set c "n" (1+ (or (context-get c "n") 0)))
  (+ (* 2 m) {}))
""",
    "go": """
package module

import "flow"

func Run(c *flow.Context, m int64) (int64, error) {{
	n, _ := c.Get("n").(int64)
	c.Set("n", n+1)
	r := 2 * m
	{}
	return r, nil
}}
""",
    "rust": """
use flow::prelude::*;

pub fn run(m: i64, c: &mut Context) -> Result<Option<i64>> {{
    let n = c.get_or("n", 0)? + 1;
    c.set("n", n)?;
    Ok(Some(2 * m{}))
}}
""",
}
AS_IT_IS = {"sbcl": "0"}
EDIT = {
    "python3": " + (m % 7 == 3)", "node": " + (m % 7 === 3 ? 1 : 0)", "ruby": " + (m % 7 == 3 ? 1 : 0)",
    "php": " + ($m % 7 === 3 ? 1 : 0)", "sbcl": "(if (= (mod m 7) 3) 1 0)", "go": "if m%7 == 3 {\n\t\tr++\n\t}",
    "rust": " + (m % 7 == 3) as i64",
}  # fmt: skip


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    with running(tmp_path / "run") as found:
        yield found


def code(runtime: str, edited: bool = False) -> str:
    return CODE[runtime].format(EDIT[runtime] if edited else AS_IT_IS.get(runtime, ""))


def python(text: str) -> dict[str, str]:
    return {"runtime": "python3", "code": text}


def try_on(harness: Harness, place: str, fields: dict[str, Any], **more: Any) -> str:
    """A shadow, when it sees the messages."""
    flow, _, module = place.partition("/")
    post = harness.post(api.ShadowModule, flow_module_id=place, module=fields, **more)
    harness.wait(lambda: harness.actor(harness.record(flow).modules[module]).witness.shadow, "the shadow")
    return post


def found(harness: Harness, post: str) -> dict[str, Any]:
    reply = harness.reply(post, 100.0)
    assert reply.ok, reply.error
    value: dict[str, Any] = reply.value
    return value


def is_gone(harness: Harness, flow: str) -> None:
    """Nothing of a shadow is left behind."""
    record = harness.record(flow)
    harness.wait(lambda: not record.debug.watched and not record.attached, "the end of the shadow")


@pytest.mark.parametrize("runtime", CODE)
def test_the_differences_are_those_that_the_edit_makes(harness: Harness, runtime: str) -> None:
    need(runtime)
    harness.add(
        "f",
        {
            "feed": python("def run(m, c):\n    for n in range(*m):\n        c.send('out', n)"),
            "m": {"runtime": runtime, "code": code(runtime)},
            "end": python("def run(m, c):\n    c.set('sum', c.get('sum', 0) + m)"),
        },
        ["feed -> m", "m -> end"],
    )
    harness.start("f")
    harness.send("f/feed", [0, 300])
    harness.wait_idle("f")
    post = try_on(harness, "f/m", {"code": code(runtime, edited=True)}, messages=500)
    harness.send("f/feed", *([n, n + 50] for n in range(0, 600, 50)))
    value = found(harness, post)
    expected = [n for n in range(500) if n % 7 == 3]
    assert (value["messages"], value["different"], value["errors"]) == (500, len(expected), 0)
    assert value["same"] == 500 - len(expected)
    assert value["unsteady"] == value["unclear"] == value["missed"] == 0
    assert [row["message"] for row in value["differences"]] == expected
    assert all(
        (row["before"], row["after"]) == ({"out": [2 * row["message"]]}, {"out": [2 * row["message"] + 1]})
        for row in value["differences"]
    )
    assert value["context"] == {}
    harness.wait_idle("f")
    assert harness.ok(api.GetContext, flow_module_id="f/m") == {"n": 900}
    is_gone(harness, "f")


@pytest.mark.parametrize("runtime", CODE)
def test_the_last_messages_say_at_once_what_an_edit_makes_of_them(harness: Harness, runtime: str) -> None:
    need(runtime)
    harness.add("f", {"m": {"runtime": runtime, "code": code(runtime)}})
    harness.start("f")
    harness.send("f/m", *range(30))
    harness.wait_idle("f")
    ask = {"flow_module_id": "f/m", "messages": 20, "recent": True}
    value = found(harness, harness.post(api.ShadowModule, module={"code": code(runtime, edited=True)}, **ask))
    assert value["each"] == ["different" if n % 7 == 3 else "same" for n in range(10, 30)]
    assert not value["live"]
    assert harness.ok(api.GetContext, flow_module_id="f/m") == {"n": 30}
    refused = harness.reply(harness.post(api.ShadowModule, module={"code": code(runtime) + "\n((( {{{"}, **ask), 100)
    assert not refused.ok
    assert (refused.error or "").startswith("f/m cannot be loaded: m"), refused.error


def test_what_a_batch_has_sent_is_told_apart_by_message(harness: Harness) -> None:
    """Several messages a commit, several ports, several outputs, or none, or an error: against a computation."""
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    before = (
        "def run(m, c):\n    if m % 5 == 0: raise ValueError(m)\n    for n in range(m % 3): c.send('ab'[m % 2], m + n)"
    )
    after = before.replace("m % 5 == 0", "m % 10 == 0").replace("m + n)", "m + n + (m % 11 == 0))")

    def made(m: int, edited: bool) -> Any:
        if m % (10 if edited else 5) == 0:
            return "error"
        return ["ab"[m % 2], [m + n + (edited and m % 11 == 0) for n in range(m % 3)]] if m % 3 else []

    harness.add(
        "f",
        {"feed": python("def run(m, c):\n    for n in m: c.send('out', n)"),
         "m": python(before) | {"ports": {"out": ["a", "b"]}},
         "x": python("def run(m, c): pass"), "y": {"runtime": "node", "code": "module.exports = () => {}"}},
        ["feed -> m", "m.a -> x", "m.b -> y", "m.error -> x"],
    )  # fmt: skip
    harness.start("f")
    numbers = [chance.randrange(1000) for _ in range(900)]
    post = try_on(harness, "f/m", {"code": after}, messages=len(numbers))
    harness.send("f/feed", numbers)
    value = found(harness, post)
    differ = [n for n in numbers if made(n, False) != made(n, True)]
    assert (value["messages"], value["unclear"], value["unsteady"]) == (900, 0, 0)
    assert value["different"] + value["errors"] == len(differ)
    assert value["errors"] == 0  # it fails only where the other one does, too
    assert [row["message"] for row in value["differences"]] == differ[: len(value["differences"])]
    assert harness.module("f", "m").state.handled == 900


def test_of_what_one_has_without_the_other(harness: Harness) -> None:
    harness.add("f", {"m": python("def run(m, c):\n    c.set('sum', c.get('sum', 0) + m)\n    return m")})
    harness.start("f")
    harness.send("f/m", 1, 2, 0)
    harness.wait_idle("f")
    fields = {"code": "def run(m, c):\n    c.set('sum', 1 / m)\n    if m > 1: c.send('big', m)\n    return m * 1.0"}
    value = found(harness, harness.post(api.ShadowModule, flow_module_id="f/m", module=fields, recent=True))
    assert value["each"] == ["same", "different", "error"]
    big, failed = value["differences"]
    assert (big["before"], big["after"]) == ({"big": []}, {"big": [2]})
    assert (failed["error"]["type"], failed["error"]["line"]) == ("ZeroDivisionError", 2)
    assert value["context"] == {"sum": {"before": 6, "after": 0.5}}


def test_given_messages_begin_with_an_empty_context(harness: Harness) -> None:
    harness.add(
        "f", {"m": python("def run(m, c):\n    c.set('n', c.get('n', 0) + m)\n    return [c.port, c.get('n')]")}
    )
    harness.start("f")
    harness.send("f/m", 100)
    harness.wait_idle("f")
    ask = {"flow_module_id": "f/m", "module": {"code": "def run(m, c): raise ValueError(m)"}}
    given = [{"message": 1}, {"port": "error", "message": 2}]
    value = found(harness, harness.post(api.ShadowModule, given=given, **ask))
    assert [row["before"] for row in value["results"]] == [{"out": [["in", 1]]}, {"out": [["error", 3]]}]
    assert [row["error"]["message"] for row in value["results"]] == ["1", "2"]
    for wrong in ({"message": 1, "x": 2}, {"port": "in"}, {"port": "nope", "message": 1}, {"port": 1, "message": 1}):
        assert not harness.call(api.ShadowModule, given=[wrong], **ask).ok
    assert harness.ok(api.GetContext, flow_module_id="f/m") == {"n": 100}


def test_messages_that_come_fused_are_waited_for_and_fused_again(harness: Harness) -> None:
    tick = "import time\ndef start(c):\n    for n in range(10**6):\n        yield n\n        time.sleep(0.005)"
    modules = {"t": python(tick), "m": python("def run(m, c): return m"), "n": python("def run(m, c): pass")}
    harness.add("f", modules, ["t -> m", "m -> n"])
    harness.start("f")
    state = harness.module("f", "m").state
    harness.wait(lambda: state.fused > 10, "fused messages")
    ask = {"flow_module_id": "f/m", "module": {"code": "def run(m, c): return m + (m % 4 == 0)"}}
    value = found(harness, harness.post(api.ShadowModule, recent=True, messages=20, **ask))
    assert (value["live"], value["messages"], value["different"]) == (True, 20, 5)
    is_gone(harness, "f")
    fused = state.fused
    harness.wait(lambda: state.fused > fused + 10, "fused messages")
    harness.ok(api.StopFlow, flow_id="f")


def test_what_is_not_the_same_twice_is_said(harness: Harness) -> None:
    text = "import random\ndef run(m, c):\n    return random.random()"
    harness.add("f", {"m": python(text), "n": python("def run(m, c): pass")}, ["m -> n"])
    harness.start("f")
    post = try_on(harness, "f/m", {"code": text}, messages=3)
    harness.send("f/m", 1, 2, 3)
    value = found(harness, post)
    assert (value["different"], value["unsteady"]) == (3, 3)


def test_another_language_and_a_migrated_context(harness: Harness) -> None:
    harness.add("f", {"m": python("def run(m, c):\n    c.set('n', c.get('n', 0) + m)\n    return c.get('n')")})
    harness.start("f")
    harness.send("f/m", 5)
    harness.wait_idle("f")
    text = """
export function migrate(context, from) { context.set("n", context.get("n") + from); }
export default (m, context) => { context.set("n", context.get("n") + m); return context.get("n"); };
"""
    fields = {"runtime": "node", "code": text, "state_version": 2}
    post = try_on(harness, "f/m", fields, messages=1)
    harness.send("f/m", 10)
    (row,) = found(harness, post)["differences"]
    assert (row["before"], row["after"]) == ({"out": [15]}, {"out": [16]})


def test_what_never_ends_is_ended(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.flow.shadows.PATIENCE_S", 2.0)
    harness.add("f", {"m": python("def run(m, c):\n    return m")})
    harness.start("f")
    harness.send("f/m", 1, 2, 3)
    harness.wait_idle("f")
    ask = {"flow_module_id": "f/m", "recent": True}
    spins = {"code": "def run(m, c):\n    while m == 2: pass\n    return m"}
    value = found(harness, harness.post(api.ShadowModule, module=spins, **ask))
    assert value["each"] == ["same", "error"]
    assert "a message took longer than 2 s" in value["differences"][0]["error"]["message"]
    dies = {"code": "import os\ndef run(m, c):\n    os._exit(3)"}
    value = found(harness, harness.post(api.ShadowModule, module=dies, **ask))
    assert value["each"] == ["error"]
    refused = harness.call(api.ShadowModule, module={"code": "while True: pass"}, **ask)
    assert "did not end loading it within 2 s" in (refused.error or "")
    harness.send("f/m", 4)
    harness.wait_idle("f")


def test_it_reaches_nothing(harness: Harness) -> None:
    """Refused where that is seen; what is not seen is kept from it all the same."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        hidden = f"""
def run(m, c):
    try:
        net = __import__("sock" + "et")
        net.create_connection(("127.0.0.1", {port}), 2).close()
        return "reached"
    except PermissionError:
        return "kept"
"""
        harness.add("f", {"m": python(hidden)})
        harness.start("f")
        harness.send("f/m", 1)
        harness.wait_idle("f")
        server.accept()[0].close()
        ask = {"flow_module_id": "f/m", "recent": True}
        value = found(
            harness, harness.post(api.ShadowModule, module={"code": "def run(m, c):\n    return 'kept'"}, **ask)
        )
        assert value["same"] == 1
        fields = {"code": "import socket\n" + hidden}
        refused = harness.call(api.ShadowModule, module=fields, **ask)
        assert "f/m uses the network" in (refused.error or "")
        assert "--yes" in (refused.error or "")
        value = found(harness, harness.post(api.ShadowModule, module=fields, yes=True, **ask))
        assert value["same"] == 1
        server.accept()[0].close()
    refused = harness.call(api.ShadowModule, module={"limits": {"writable": ["/tmp"]}}, **ask)
    assert "f/m may write to /tmp (limits.writable)" in (refused.error or "")


def test_who_cannot_have_one(harness: Harness) -> None:
    tick = "import time\ndef start(c):\n    while True:\n        yield 1\n        time.sleep(0.01)"
    harness.add("f", {"tick": python(tick), "m": python("def run(m, c): return m")}, ["tick -> m"])

    def refused(place: str, fields: dict[str, Any], **more: Any) -> str:
        reply: Reply = harness.call(api.ShadowModule, flow_module_id=place, module=fields, **more)
        assert not reply.ok
        return reply.error or ""

    same = {"code": "def run(m, c): return m"}
    assert "f is stopped" in refused("f/m", same)
    harness.start("f")
    assert "f/tick is a source" in refused("f/tick", {"code": tick})
    assert "has no module 'n'" in refused("f/n", same)
    assert "there is no flow 'g'" in refused("g/m", same)
    assert "nope" in refused("f/m", {"runtime": "nope"})
    assert "cod" in refused("f/m", {"cod": "x"})
    assert "f/m has no shadow" in (harness.call(api.EndShadow, flow_module_id="f/m").error or "")


def test_an_update_of_the_module_ends_it_and_one_of_others_does_not(harness: Harness) -> None:
    modules = {"m": python("def run(m, c): return m"), "n": python("def run(m, c): pass")}
    harness.add("f", modules, ["m -> n"])
    harness.start("f")
    post = try_on(harness, "f/m", {"code": "def run(m, c): return m + 1"}, messages=100)
    harness.send("f/m", 1)
    harness.add("f", modules | {"n": python("def run(m, c): return m")}, ["m -> n"])
    harness.send("f/m", 2)
    harness.wait_idle("f")
    harness.add("f", modules | {"m": python("def run(m, c): return m + 1")}, ["m -> n"])
    value = found(harness, post)
    assert [row["message"] for row in value["differences"]] == [1, 2]
    assert value["ended"] == "an update has replaced the module"
    is_gone(harness, "f")
    harness.send("f/m", 3)
    harness.wait_idle("f")


def test_it_is_ended_by_hand_by_time_and_with_its_flow(harness: Harness) -> None:
    harness.add("f", {"m": python("def run(m, c): return m")})
    harness.start("f")
    same = {"code": "def run(m, c): return m"}
    post = try_on(harness, "f/m", same)
    harness.send("f/m", 1, 2)
    harness.wait_idle("f")
    harness.ok(api.EndShadow, flow_module_id="f/m")
    value = found(harness, post)
    assert (value["messages"], value["same"], value["ended"]) == (2, 2, "it was ended")
    value = found(harness, harness.post(api.ShadowModule, flow_module_id="f/m", module=same, timeout_s=0.1))
    assert (value["messages"], value["ended"]) == (0, "no more have come within 0.1 s")
    post = try_on(harness, "f/m", same)
    harness.ok(api.RemoveFlow, flow_id="f")
    assert "removed" in (harness.reply(post).error or "")


def test_who_falls_behind_is_let_go(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.flow.shadow.MAX_BEHIND", 20)
    harness.add("f", {"m": python("def run(m, c): return m")})
    harness.start("f")
    slow = {"code": "import time\ndef run(m, c):\n    time.sleep(0.02)\n    return m"}
    post = try_on(harness, "f/m", slow, messages=10_000)
    for n in range(100):  # at once
        harness.post(api.SendMessage, flow_module_id="f/m", port="in", message=n)
    value = found(harness, post)
    assert value["ended"].startswith("it cannot keep up")
    assert value["same"] == value["messages"] >= 20


def test_a_broken_host_beside_it_changes_nothing(harness: Harness) -> None:
    """The host of the running version dies: what it had is done again, and seen once."""
    text = "import os\ndef run(m, c):\n    if m == 5 and not c.redelivered: os._exit(1)\n    return m"
    harness.add("f", {"m": python(text)})
    harness.start("f")
    post = try_on(harness, "f/m", {"code": "def run(m, c): return m + (m == 7)"}, messages=10)
    harness.send("f/m", *range(10))
    value = found(harness, post)
    assert value["ended"].startswith("the host of the version that runs, done once more, has ended")
    assert value["same"] == value["messages"] <= 5
    harness.wait_idle("f")


def test_values_that_are_equal_are_no_difference(harness: Harness) -> None:
    harness.add("f", {"m": python("def run(m, c): return {'a': 1, 'b': m}")})
    harness.start("f")
    harness.send("f/m", None, True, 2**60, "\u00e4")
    harness.wait_idle("f")
    fields = {"code": "def run(m, c): return {'b': m, 'a': 1.0}"}
    value = found(harness, harness.post(api.ShadowModule, flow_module_id="f/m", module=fields, recent=True))
    assert value["same"] == value["messages"] == 4, json.dumps(value)

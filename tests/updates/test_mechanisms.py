"""One mechanism of an update each, at its smallest; mutations.py switches them off to show that these tests notice."""

from __future__ import annotations

from typing import Any

import pytest

from actors.messages import client_to_runner as api
from actors.messages.bridge_to_module import TurnsCommitted
from runtimes.frames import Frame, Kind
from tests.harness import Harness, need, on_phase

QUEUED = 200
SLOW = {  # the first version: the update meets a long queue; the second hardly
    "python3": "import time\n\n\ndef run(m, c):\n    time.sleep(0.02 / VERSION ** 8)\n    return [VERSION, m]\n",
    "node": """
(m) => {
  const end = performance.now() + 20 / VERSION ** 8
  while (performance.now() < end);
  return [VERSION, m]
}
""",
}


def slow(runtime: str, version: int) -> dict[str, Any]:
    return {"id": "f", "modules": {"a": {"runtime": runtime, "code": SLOW[runtime].replace("VERSION", str(version))}}}


@pytest.mark.parametrize("runtime", SLOW)
def test_what_waits_at_a_replaced_module_goes_to_the_new_version(runner: Harness, runtime: str) -> None:
    """Whether it is in the mailbox (held there) or at the host (recalled): the old one only ends its turn."""
    need("node")
    runner.ok(api.AddOrUpdateFlow, flow=slow(runtime, 1))
    out = runner.collect("f", "a")
    runner.start("f")
    runner.send("f/a", *range(QUEUED))
    runner.wait(lambda: out.got)
    reply = runner.call(api.AddOrUpdateFlow, flow=slow(runtime, 2))
    assert reply.ok, reply.error
    assert reply.receipt["modules"]["a"]["held"] > QUEUED // 4
    runner.wait(lambda: len(out.got) == QUEUED, timeout_s=5)
    assert [number for _, number in out.got] == list(range(QUEUED))
    versions = [version for version, _ in out.got]
    assert versions == sorted(versions)
    assert versions.count(2) == reply.receipt["modules"]["a"]["held"]


def test_a_replaced_version_sends_nothing(runner: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its host commits once more after it has been recalled and stopped, against all rules: nobody hears of it."""
    old = []

    def entered(_record: Any, phase: str) -> None:
        if phase == "starting":
            late = Frame(Kind.DATA, 0, b'["late"]', count=1)
            runner.system.tell(
                old[0],
                TurnsCommitted(
                    consumed=0, handled=1, failed=0, pulled=0, sent=1, unwired=0, busy_us=1, fused=0,
                    outputs=[("out", late)], context={b"n": b"-1"}, errors=[],
                ),
            )  # fmt: skip

    on_phase(monkeypatch, entered)
    code = "def start(c):\n    import time\n    time.sleep(0.1)\ndef run(m, c):\n    return [VERSION, m]\n"
    first, second = ({"a": {"runtime": "python3", "code": code.replace("VERSION", v)}} for v in "12")
    runner.add("f", first)
    out = runner.collect("f", "a")
    runner.start("f")
    runner.send("f/a", 0)
    runner.wait(lambda: out.got)
    old.append(runner.record("f").modules["a"])
    runner.add("f", second)
    assert old[0] != runner.record("f").modules["a"]
    runner.send("f/a", 1)
    runner.wait(lambda: len(out.got) > 1)
    assert out.got == [[1, 0], [2, 1]]
    assert runner.module("f", "a").state.context == {}

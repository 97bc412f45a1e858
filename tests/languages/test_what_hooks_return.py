"""What `start` returns is a source, or refused; what no host would await is refused, whoever is beside the module."""

from __future__ import annotations

from typing import Any

import pytest

from actors.messages import client_to_runner as api
from tests.harness import Harness, need

AGAIN = """
class Three:
    n = 0
    {head}
        self.n += 1
        if self.n > 3: raise {end}
        return self.n
"""
SYNC = AGAIN.format(head="def __next__(self):", end="StopIteration").replace(
    "n = 0", "n = 0\n    __iter__ = lambda s: s"
)
ASYNC = AGAIN.format(head="async def __anext__(self):", end="StopAsyncIteration")
LATER = "async def later():\n    for n in range(1, 4): yield n\n"
SOURCES = [
    ("python3", LATER + "def start(c): return later()"),
    ("python3", LATER + "start = lambda c: later()"),
    ("python3", "def start(c): return map(int, '123')"),
    ("python3", SYNC + "def start(c): return Three()"),
    ("python3", ASYNC + "def start(c): return Three()"),
    ("node", "module.exports.start = () => [1, 2, 3].values()"),
    ("node", "const { Readable } = require('stream')\nmodule.exports.start = () => Readable.from([1, 2, 3])"),
    ("node", "module.exports.start = async () => new Set([1, 2, 3])[Symbol.iterator]()"),
]
BESIDE = "async def run(m, c): pass"


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside an async module"])
@pytest.mark.parametrize(("runtime", "code"), SOURCES)
def test_a_source_is_whatever_can_be_iterated(runner: Harness, runtime: str, code: str, beside: bool) -> None:
    need(runtime)
    modules: dict[str, Any] = {"s": {"runtime": runtime, "code": code}}
    runner.add("f", {**modules, "beside": {"runtime": "python3", "code": BESIDE}} if beside else modules)
    out = runner.collect("f", "s")
    runner.start("f")
    assert not runner.wait_idle("f").errors
    assert out.got == [1, 2, 3]
    runner.ok(api.StopFlow, flow_id="f")


@pytest.mark.parametrize(
    ("runtime", "code", "says"),
    [
        (
            "python3",
            "async def a(): pass\ndef start(c): return a()",
            "start has returned a coroutine that nobody awaits",
        ),
        ("php", "function start($c) { return new ArrayIterator([1]); }", "PHP modules cannot be sources"),
        ("ruby", "def start(c) = (1..3).lazy", "Ruby modules cannot be sources"),
    ],
)
def test_what_would_not_run_is_refused(runner: Harness, runtime: str, code: str, says: str) -> None:
    need(runtime)
    runner.add("f", {"s": {"runtime": runtime, "code": code}})
    assert says in (runner.call(api.StartFlow, flow_id="f").error or "")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("async def a(): pass\ndef stop(c): return a()", "stop has returned a coroutine that nobody awaits"),
        ("def stop(c): yield", "stop is a generator: nothing of it would run"),
        ("async def stop(c): yield", "stop is a generator: nothing of it would run"),
    ],
)
def test_a_stop_that_would_not_run(runner: Harness, code: str, says: str) -> None:
    runner.add("f", {"s": {"runtime": "python3", "code": f"def run(m, c): pass\n{code}"}})
    runner.start("f")
    assert says in (runner.call(api.StopFlow, flow_id="f").error or "")


@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize("code", ["async def a(m): return m", "async def a(m): yield m"])
def test_a_module_that_is_not_async_awaits_nothing(runner: Harness, code: str, isolated: bool) -> None:
    """Fused behind one that is, as well as in a host of its own."""
    first = {"runtime": "python3", "code": "async def run(m, c): return m"}
    last = {"runtime": "python3", "code": f"{code}\ndef run(m, c): return a(m)", "isolated": isolated}
    runner.add("f", {"first": first, "last": last}, ["first -> last"])
    runner.start("f")
    runner.send("f/first", 1)
    runner.wait_idle("f")
    [letter] = runner.ok(api.DeadLetters, flow_id="f")
    assert "make the handler `async def`" in letter["error"]["message"]

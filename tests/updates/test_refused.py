"""An update that is refused leaves everything as it was, in every language that has sources: on every way back each
hook has run that had to and no other, each source's generator lives once, and nothing of the refused version is seen.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import orjson
import pytest

from actors.host.bridge import BridgeActor
from actors.messages import client_to_runner as api
from actors.module import host_side
from tests.harness import Collector, Harness, need, on_phase

FOLDER = Path(__file__).parent / "refused"
FILES = {"python3": "source.py", "node": "source.mjs", "go": "source.go", "rust": "source.rs", "sbcl": "source.lisp"}
MORE = 50
SOURCES = ("plain", "hooked")  # without a `stop` hook, and with one


def flow(runtime: str, version: int, at: str = "", refuse: str = "", state: int = 1) -> dict[str, Any]:
    """Two sources; in version 2 the one called `at` refuses."""
    need(runtime)
    name = FILES[runtime]
    code = (FOLDER / name).read_text()
    head, mark, _ = code.partition("# STOP" if runtime == "python3" else ";; STOP" if runtime == "sbcl" else "// STOP")
    assert mark
    modules = {
        source: {
            "runtime": runtime, "name": name, "code": head if source == "plain" else code, "state_version": state,
            "config": {"version": version, "refuse": refuse if source == at else ""},
        }
        for source in SOURCES
    }  # fmt: skip
    return {"id": "f", "modules": modules}


class Run:
    """A flow whose sources are in the midst of their work, and what comes out of it."""

    def __init__(self, runner: Harness, first: dict[str, Any]) -> None:
        self.runner = runner
        runner.ok(api.AddOrUpdateFlow, flow=first)
        self.out: dict[str, Collector] = {source: runner.collect("f", source) for source in SOURCES}
        self.notes = {source: runner.collect("f", f"{source}.notes") for source in SOURCES}
        runner.start("f")
        self.more()

    def more(self) -> None:
        """Until each source has sent more."""
        wanted = {source: len(out.got) + MORE for source, out in self.out.items()}
        self.runner.wait(lambda: all(len(self.out[s].got) >= wanted[s] for s in SOURCES), "output")

    def refuse(self, new: dict[str, Any], *words: str) -> None:
        """Update, in vain, in the midst of the work."""
        reply = self.runner.call(api.AddOrUpdateFlow, flow=new)
        assert not reply.ok
        for word in words:
            assert word in reply.error

    def check(self, *events: str) -> dict[str, Any]:
        """Each source goes on and has sent every number once; these hooks of it have run. Returns the contexts."""
        self.more()
        self.runner.ok(api.PauseFlow, flow_id="f")
        assert self.runner.state("f")["state"] == "running"
        contexts = {}
        for source in SOURCES:
            contexts[source] = context = {
                k.decode(): v for k, v in self.runner.module("f", source).state.context.items()
            }
            sent, own = self.out[source].got, [event for event in events if event != "stop" or source == "hooked"]
            assert sent == [[1, i] for i in range(1, len(sent) + 1)], source
            assert context.pop("i") == str(len(sent)).encode()
            if events:
                assert self.notes[source].got == [[1, event] for event in own], source
                counts = {f"{event}s": str(own.count(event)).encode() for event in own}
                assert {key: value for key, value in context.items() if key in ("starts", "stops")} == counts
        return contexts


ALL = pytest.mark.parametrize("runtime", FILES)


@ALL
@pytest.mark.parametrize("at", SOURCES)
def test_a_start_that_raises(runner: Harness, runtime: str, at: str) -> None:
    """The other source's new version has been started, and may have begun."""
    run = Run(runner, flow(runtime, 1))
    run.refuse(flow(runtime, 2, at, "start"), f"f/{at} start failed", "refused")
    run.check("start", "stop", "start")


@ALL
def test_a_start_that_ends_the_host(runner: Harness, runtime: str) -> None:
    """Where that is the live host, the generators of before have died with it, and so has the new source."""
    run = Run(runner, flow(runtime, 1))
    run.refuse(flow(runtime, 2, "plain", "die"), "exit status 9")
    run.check("start", "stop", "start")


STUBBORN = """
import time


def start(context):
    context.send("notes", [context.config["version"], "start"])
    if context.config["refuse"]:
        raise ValueError("refused")
    return numbers(context)


def numbers(context):
    i = context.get("i", 0)
    while True:
        try:
            time.sleep(0.002)
            i += 1
            context.set("i", i)
            yield [context.config["version"], i]
        except BaseException:
            pass
"""


def test_a_generator_that_does_not_let_itself_be_closed(runner: Harness) -> None:
    """What it goes on to do is not committed: the next one begins where it was."""
    new = flow("python3", 2, "plain", "start")
    run = Run(runner, with_code(STUBBORN, flow("python3", 1)))
    for _ in range(4):
        run.refuse(with_code(STUBBORN, new), "refused")
        run.more()
    run.check()


def with_code(code: str, document: dict[str, Any]) -> dict[str, Any]:
    document["modules"]["plain"] |= {"code": code}
    return document


@ALL
def test_a_migrate_that_raises_when_it_is_tried(runner: Harness, runtime: str) -> None:
    run = Run(runner, flow(runtime, 1))
    run.refuse(flow(runtime, 2, "hooked", "migrate", state=2), "f/hooked migrate failed", "refused")
    run.check("start")


def on_entering(monkeypatch: pytest.MonkeyPatch, phase: str, then: Any) -> None:
    """Do something when an update enters a phase."""
    on_phase(monkeypatch, lambda _, now: then() if now == phase else None)


@ALL
def test_a_migrate_that_raises_before_stop(runner: Harness, monkeypatch: pytest.MonkeyPatch, runtime: str) -> None:
    run = Run(runner, flow(runtime, 1))
    state = runner.module("f", "plain").state
    on_entering(monkeypatch, "migrating", lambda: state.context.update({b"late": b"true"}))
    run.refuse(flow(runtime, 2, "plain", "late", state=2), "f/plain migrate failed", "refused")
    assert "late" in run.check("start")["plain"]


@ALL
def test_a_migrate_that_raises_after_stop(runner: Harness, runtime: str) -> None:
    run = Run(runner, flow(runtime, 1))
    run.refuse(flow(runtime, 2, "hooked", "stops", state=2), "f/hooked migrate failed", "refused")
    run.check("start", "stop", "start")


@ALL
def test_a_load_that_fails_only_where_it_is_to_work(
    runner: Harness, monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    run = Run(runner, flow(runtime, 1))
    load_body = host_side.load_body

    def broken(flow: str, module: Any, *rest: Any) -> bytes:
        body = orjson.loads(load_body(flow, module, *rest))
        if module.config["version"] == 2 and module.id == "hooked":
            body |= {"code": "(", "unit": "u_none"}
        return orjson.dumps(body)

    monkeypatch.setattr(host_side, "load_body", broken)
    run.refuse(flow(runtime, 2), "f/hooked")
    run.check("start")


@ALL
def test_a_handler_that_does_not_end(runner: Harness, tmp_path: Path, runtime: str) -> None:
    """It has a host of its own, so that the sources go on; the update waits for it in vain."""
    first, second = flow(runtime, 1), flow(runtime, 2)
    code = "def run(m, c):\n    open(m).read()\n"
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    for new in (first, second):
        stuck = {"runtime": "python3", "isolated": True, "code": code, "config": new["modules"]["plain"]["config"]}
        new["modules"]["stuck"], new["drain_timeout_s"] = stuck, 0.2
    run = Run(runner, first)
    runner.send("f/stuck", str(gate))
    runner.wait(lambda: runner.module("f", "stuck").state.mailbox.window_messages)
    run.refuse(second, "drain_timeout_s 0.2", "f/stuck")
    run.more()
    gate.write_text("")
    gate.unlink()
    run.check("start")


PHASES = ("loading", "draining", "migrating", "stopping", "handing", "starting", "finishing")


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("runtime", ["python3", "node", "go"])
def test_a_refusal_and_the_death_of_every_host_besides(
    runner: Harness, monkeypatch: pytest.MonkeyPatch, runtime: str, phase: str
) -> None:
    """Each number once; how often a source was started and stopped is then the kill's affair as well."""
    run = Run(runner, flow(runtime, 1))
    killed: list[int] = []

    def kill() -> None:
        for ref in list(runner.base.actorRegistry.values()):
            actor = getattr(ref, "_inst", None)
            if isinstance(actor, BridgeActor) and actor.host is not None:
                os.kill(actor.host.pid, signal.SIGKILL)
                killed.append(actor.host.pid)

    on_entering(monkeypatch, phase, kill)
    run.refuse(flow(runtime, 2, "plain", "start", state=2))
    assert killed
    run.check()
    for source in SOURCES:
        assert {version for version, _ in run.notes[source].got} == {1}

"""A source that raises is seen to have failed, with its place; or it is started again and goes on from its context."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from actors.messages import client_to_runner as api
from tests.deployments import plant
from tests.harness import Collector, Harness, need

FOLDER = Path(__file__).parent / "failing"
SLOW = Path(__file__).parent.parent / "updates" / "refused"
FILES = {"python3": "source.py", "node": "source.mjs", "go": "source.go", "rust": "source.rs", "sbcl": "source.lisp"}
N, AT = 20, 11
ALL = pytest.mark.parametrize("runtime", FILES)


def flow(runtime: str = "python3", times: int = 10**6, start_fails: bool = False, **fields: Any) -> dict[str, Any]:
    """A source that raises at its 11th message in its first `times` lives, or in every `start` but the first."""
    need(runtime)
    name = FILES[runtime]
    config = {"n": N, "at": AT, "times": times, "startFails": list(range(2, 50)) if start_fails else []}
    source = {"runtime": runtime, "name": name, "code": (FOLDER / name).read_text(), "config": config, **fields}
    return {"id": "f", "modules": {"src": source}}


class Run:
    def __init__(self, runner: Harness, document: dict[str, Any]) -> None:
        self.runner = runner
        runner.ok(api.AddOrUpdateFlow, flow=document)
        self.out, self.notes = (runner.collect("f", place) for place in ("src", "src.notes"))

    def end(self) -> tuple[str, ...]:
        """Start it and wait for its end; its errors."""
        self.runner.start("f")
        return self.runner.wait_idle("f").errors

    @property
    def source(self) -> dict[str, Any]:
        found: dict[str, Any] = self.runner.state("f")["modules"]["src"]["source"]
        return found

    @property
    def context(self) -> dict[str, Any]:
        return {k.decode(): orjson.loads(v) for k, v in self.runner.module("f", "src").state.context.items()}


def collected(*outs: Collector) -> list[list[Any]]:
    return [out.got for out in outs]


@ALL
def test_a_source_that_fails_is_seen(runner: Harness, caplog: pytest.LogCaptureFixture, runtime: str) -> None:
    run = Run(runner, flow(runtime))
    errors = runner.collect("f", "src.error")
    [sentence] = run.end()
    assert sentence.startswith("f/src: the source failed: ")
    assert "no luck" in sentence
    assert run.source["state"] == "failed" and run.source["restarts"] == 0
    error = run.source["error"]
    assert "no luck" in error["message"]
    line = next(n for n, text in enumerate((FOLDER / FILES[runtime]).read_text().splitlines(), 1) if "HERE" in text)
    assert (error["file"], error["line"]) == (FILES[runtime], line)
    assert f"{FILES[runtime]}:{line}" in sentence
    assert errors.got == [{"error": error, "module": "src", "port": "start", "message": None}]
    assert collected(run.out, run.notes) == [list(range(1, AT)), [1]]
    assert run.context == {"i": AT - 1, "half": AT - 1, "starts": 1}
    assert "ERROR" in [record.levelname for record in caplog.records]
    runner.ok(api.StopFlow, flow_id="f")
    assert run.end() == (sentence,)  # it goes on, and fails again
    assert run.out.got == list(range(1, AT))


@ALL
def test_a_source_that_is_started_again_goes_on(
    runner: Harness, caplog: pytest.LogCaptureFixture, runtime: str
) -> None:
    """Nothing is sent twice, nothing of a failed turn stays."""
    run = Run(runner, flow(runtime, times=3, restart={"times": 3, "backoff_s": 0.01}))
    assert run.end() == ()
    assert collected(run.out, run.notes) == [list(range(1, N + 1)), [1, 2, 3, 4]]
    assert run.context == {"i": N, "half": N, "starts": 4}
    assert run.source == {"state": "finished", "restarts": 3}
    levels = [record.levelname for record in caplog.records if "the source failed" in record.message]
    assert levels == ["WARNING"] * 3
    runner.audit()


@ALL
def test_a_start_that_raises_the_next_time(runner: Harness, runtime: str) -> None:
    run = Run(runner, flow(runtime, start_fails=True, restart={"times": 2, "backoff_s": 0}))
    [sentence] = run.end()
    assert "no start" in sentence
    assert run.source["state"] == "failed" and run.source["restarts"] == 2
    assert collected(run.out, run.notes) == [list(range(1, AT)), [1]]


@ALL
def test_in_the_end_it_has_failed(runner: Harness, runtime: str) -> None:
    run = Run(runner, flow(runtime, restart={"times": 2, "backoff_s": 0}))
    assert len(run.end()) == 1
    assert run.source["state"] == "failed" and run.source["restarts"] == 2
    assert collected(run.out, run.notes) == [list(range(1, AT)), [1, 2, 3]]


@ALL
def test_it_is_not_busy_for_longer_than_it_runs(runner: Harness, runtime: str) -> None:
    """It waits between its messages, so that each leaves alone."""
    document, code = flow(runtime), (SLOW / FILES[runtime]).read_text()
    document["modules"]["src"] |= {"code": code, "config": {"version": 1, "refuse": ""}}
    run, begun = Run(runner, document), time.monotonic()
    runner.start("f")
    runner.wait(lambda: len(run.out.got) > 100)
    assert 0 < runner.state("f")["modules"]["src"]["busyMs"] < (time.monotonic() - begun) * 1000


def test_a_message_in_between_starts_the_count_anew(runner: Harness) -> None:
    code = """
def start(context):
    i = context.get("i", 0) + 1
    context.set("i", i)
    yield i
    if i < 10:
        raise OSError("again")
"""
    runner.add("f", {"a": {"runtime": "python3", "code": code, "restart": {"times": 1, "backoff_s": 0}}})
    out = runner.collect("f", "a")
    runner.start("f")
    assert runner.wait_idle("f").errors == ()
    assert out.got == list(range(1, 11))


def test_retry_of_a_source_is_its_restart(runner: Harness) -> None:
    run = Run(runner, flow(times=2, retry={"times": 2, "backoff_s": 0}))
    assert run.end() == ()
    assert run.out.got == list(range(1, N + 1))


def waiting(runner: Harness, backoff_s: float = 0.2, **fields: Any) -> Run:
    """A source that waits to be started again."""
    run = Run(runner, flow(times=1, restart={"times": 1, "backoff_s": backoff_s}, **fields))
    runner.start("f")
    runner.wait(lambda: run.source["state"] == "restarting", "the error")
    return run


def goes_on(run: Run, starts: int) -> None:
    assert run.runner.wait_idle("f").errors == ()
    assert run.out.got == list(range(1, N + 1))
    assert run.notes.got == list(range(1, starts + 1))
    assert run.context["starts"] == starts
    run.runner.audit()


def test_the_flow_is_not_over_while_it_waits(runner: Harness) -> None:
    goes_on(waiting(runner), 2)


def test_a_paused_flow_starts_nothing(runner: Harness) -> None:
    run = waiting(runner)
    runner.ok(api.PauseFlow, flow_id="f")
    runner.turn_for(0.4)
    assert run.notes.got == [1]
    assert runner.ok(api.SingleStepFlow, flow_id="f") == {}
    runner.ok(api.ResumeFlow, flow_id="f")
    goes_on(run, 2)


def test_an_update_while_it_waits(runner: Harness) -> None:
    run = waiting(runner, 30)
    new = flow(times=0)
    new["modules"]["src"]["code"] += "\n# new\n"
    runner.ok(api.AddOrUpdateFlow, flow=new)
    goes_on(run, 2)


def test_a_refused_update_while_it_waits(runner: Harness) -> None:
    run = waiting(runner, 30)
    new = flow(start_fails=True)
    assert not runner.call(api.AddOrUpdateFlow, flow=new).ok
    goes_on(run, 2)


def test_stop_and_start_while_it_waits(runner: Harness) -> None:
    run = waiting(runner, 30)
    runner.ok(api.StopFlow, flow_id="f")
    runner.turn_for(0.1)
    runner.start("f")
    goes_on(run, 2)


@pytest.mark.parametrize("backoff_s", [0.05, 30])
def test_the_host_dies_while_it_waits(runner: Harness, backoff_s: float) -> None:
    run = waiting(runner, backoff_s)
    os.kill(runner.bridge("f", "python3").host.pid, signal.SIGKILL)
    assert runner.wait_idle("f").errors == ()
    assert run.out.got == list(range(1, N + 1))
    assert run.context["i"] == N


def test_a_source_gets_no_breakpoint(runner: Harness) -> None:
    document = flow(times=0)
    document["modules"]["b"] = {"runtime": "python3", "code": "def run(m, c):\n    return m\n"}
    document["wires"] = ["src -> b"]
    runner.ok(api.AddOrUpdateFlow, flow=document)
    runner.start("f")
    runner.wait_idle("f")
    reply = runner.call(api.SetBreakPointAtModule, flow_module_id="f/src")
    assert not reply.ok and "f/src is a source: it gets no message that a breakpoint could hold" in reply.error
    runner.ok(api.SetBreakPointAtModule, flow_module_id="f/b")
    runner.ok(api.RemoveFlow, flow_id="f")


def write(folder: Path, document: dict[str, Any]) -> str:
    """As a flow file with a source file."""
    (folder / "source.py").write_text(document["modules"]["src"].pop("code"))
    document["modules"]["src"] = {"file": document["modules"]["src"].pop("name"), **document["modules"]["src"]}
    (folder / "f.json").write_text(json.dumps(document))
    return str(folder / "f.json")


# by the command line -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ends", ["by itself", "by time", "by a signal"])
@pytest.mark.parametrize("lasting", [False, True])
def test_run_ends_with_1(tmp_path: Path, ends: str, lasting: bool) -> None:
    """If its source is failed at the end; not if it was started again."""
    document = flow(restart={"times": 1, "backoff_s": 0}, times=10**6 if lasting else 1)
    if ends != "by itself":
        code = "def start(c):\n    while True:\n        import time\n        time.sleep(0.05)\n        yield 1\n"
        document["modules"]["other"] = {"runtime": "python3", "code": code}
    path = write(tmp_path, document)
    command = [sys.executable, "-m", "actors.console", "run", path, "--state", str(tmp_path / "s")]
    command += ["--for", "2"] if ends == "by time" else []
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = ""
    if ends == "by a signal":
        while said.count("the source failed") < (2 if lasting else 1):
            said += process.stderr.readline()
        process.send_signal(signal.SIGTERM)
    said += process.communicate(timeout=60)[1]
    assert process.returncode == (1 if lasting else 0), said
    assert said.count("runner: f/src: the source failed: source.py:15: ValueError: no luck") == lasting
    assert "it is started again in 0 s" in said


def test_state_shows_it(tmp_path: Path) -> None:
    with plant(tmp_path) as up:
        up.wait_until_up()
        path = write(tmp_path, flow(restart={"times": 1, "backoff_s": 0}))
        assert up.cli("apply", path).returncode == 0
        with up.client() as client:
            while client.flow_state("f")["modules"]["src"]["source"]["state"] != "failed":
                pass
        assert "src: the source has failed: source.py:15: ValueError: no luck" in up.cli("state", "f").stdout
        assert up.cli("down").returncode == 0


BESIDE = """
import asyncio

woken, ended = asyncio.Event(), asyncio.Event()


async def run(message, context):
    if message == 1:
        woken.set()
        await ended.wait()
    return message


async def start(context):
    await woken.wait()
    context.set("ended", True)
    ended.set()
    return
    yield
"""


def test_a_source_ends_beside_a_turn_of_another_that_is_fused_in_front(runner: Harness) -> None:
    """Both come to their ends, nothing is lost, and the host stays."""
    feed = "async def start(context):\n    for n in range(5):\n        yield n\n"
    modules = {"feed": {"runtime": "python3", "code": feed}, "beside": {"runtime": "python3", "code": BESIDE}}
    runner.add("f", modules, ["feed.out -> beside.in"])
    out = runner.collect("f", "beside")
    runner.start("f")
    assert runner.wait_idle("f").errors == ()
    assert out.got == [*range(5)]
    state = runner.state("f")
    assert {name: module["source"]["state"] for name, module in state["modules"].items()} == {
        "feed": "finished", "beside": "finished",
    }  # fmt: skip
    assert [host["starts"] for host in state["hosts"].values()] == [1]

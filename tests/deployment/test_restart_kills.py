"""kill -9 of a runner, its hosts, its journal, or of the dispatcher in every phase of a restart: it is answered, and
the flow goes on.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from actors.console.client import RunnerError
from tests import deployments
from tests.deployment import test_updates_together as together
from tests.deployment.test_several_runners import until
from tests.deployments import plant
from tests.sample import some

PROGRAM = """
import os, signal, sys
from actors.deployment import starting
from actors.deployment.dispatcher import DispatcherActor
from actors.deployment.outer_runner import OuterRunner
from actors.flow.actor import FlowActor
from actors.flow.keep import Keep
from actors.runner.runner import RunnerActor
what, phase, marker = sys.argv[1:4]
del sys.argv[1:4]
here = "the dispatcher"
def named(original):
    def host(self, message, sender):
        global here
        here = message.name
        original(self, message, sender)
    return host
def victims():
    if what == "itself":
        return [os.getpid()]
    if what == "agent":
        return [os.getppid()]
    own = open(f"/proc/self/task/{os.getpid()}/children").read().split()
    word = b"host.py" if what == "host" else b"actors.journal"
    return [int(pid) for pid in own if word in open(f"/proc/{pid}/cmdline", "rb").read()]
def die():
    if here in ("b", "big", "the dispatcher") and os.path.exists(marker) and (pids := victims()):
        os.unlink(marker)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
def hook(kind, name, called, after=False):
    original = getattr(kind, name)
    def hooked(*given, **named):
        if not after:
            die()
        result = original(*given, **named)
        if after:
            die()
        return result
    if called == phase:
        setattr(kind, name, hooked)
hook(OuterRunner, "receiveMsg_StopRunner", "told")
hook(FlowActor, "receiveMsg_CloseFlow", "closing")
hook(Keep, "_writing", "stopped")
hook(OuterRunner, "_close", "kept")
hook(OuterRunner, "_close", "closed", after=True)
hook(OuterRunner, "receiveMsg_HostRunner", "begun")
hook(OuterRunner, "receiveMsg_HostRunner", "hosted", after=True)
hook(RunnerActor, "receiveMsg_AddOrUpdateFlow", "adding")
hook(FlowActor, "receiveMsg_StartFlow", "starting")
hook(starting, "ending", "dispatcher: ending")
hook(starting.Starting, "starting", "dispatcher: bringing")
hook(DispatcherActor, "_brought_up", "dispatcher: brought", after=True)
OuterRunner.receiveMsg_HostRunner = named(OuterRunner.receiveMsg_HostRunner)
from actors.console.cli import main
sys.exit(main(sys.argv[1:]))
"""
SUM = """
import json
def run(m, context):
    if m == "report":
        raise ValueError(json.dumps({key: context.get(key) for key in context.keys()}))
    last = context.get("last", -1)
    if m["n"] <= last:
        context.set("again", [last, m["n"]])
    context.set("last", m["n"])
    context.set("seen", context.get("seen", 0) + 1)
"""
CRASHES = ["told", "closing", "stopped", "starting"]  # what `memory` holds is gone
IN_ORDER = ["kept", "closed", "begun", "hosted", "adding"]  # it is kept
DISPATCHER = ["dispatcher: ending", "dispatcher: bringing", "dispatcher: brought"]
CASES = [("itself", phase, durable) for phase in (*CRASHES, *IN_ORDER, *DISPATCHER) for durable in (False, True)]
CHILDREN = [("host", "told"), ("host", "closing")]  # later there are none
CHILDREN += [("journal", phase) for phase in ("told", "closing", "stopped", "starting")]
MORE = [pytest.param(*child, True, marks=pytest.mark.full) for child in CHILDREN]
TOTAL = 15_000


@pytest.mark.parametrize(("what", "phase", "durable"), [*some(CASES, 1), *MORE])
def test_killed_while_restarted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, phase: str, durable: bool
) -> None:
    marker = tmp_path / "kill"
    document = together.flow(TOTAL, "v1", durable=durable)
    document["modules"]["sum"]["code"] = SUM
    more = together.up_with(tmp_path, document)
    with monkeypatch.context() as patched:
        patched.setattr(deployments, "RUNNER", [sys.executable, "-c", PROGRAM, what, phase, str(marker)])
        ran = plant(tmp_path, **more)
        up = ran.__enter__()
    try:
        up.wait_until_up()
        with up.client() as client:
            until(lambda: together.done(client, "sum") > 100)
            marker.touch()
            answer: Any = None
            with contextlib.suppress(RunnerError, OSError, TimeoutError):
                answer = client.call("restartRunner", "b", timeout=60)
            assert not marker.exists(), "nobody was killed"
            if phase not in DISPATCHER:
                if what != "itself":  # it may have done its part, or be noticed later
                    print(answer)
                elif phase == "closed":  # it has said that it has stopped
                    assert answer
                else:
                    assert not answer and "has died" in answer.error
                until(lambda: client.flow_state("f")["state"] == "running")
                assert client.stop_flow("f"), "the next one has its turn"
                assert client.start_flow("f")
                check(client, exact=durable or phase in IN_ORDER)
                assert up.cli("restart", "b").returncode == 0
                assert up.cli("down").returncode == 0
        if phase in DISPATCHER:
            assert up.process.wait(60) != 0
    finally:
        ran.__exit__(*sys.exc_info())
    if phase in DISPATCHER:
        with plant(tmp_path, **more) as again:
            again.wait_until_up()
            with again.client() as client:
                check(client, exact=True)
            assert again.cli("down").returncode == 0


def check(client: Any, exact: bool) -> None:
    """Everything that is to come has come, and nothing twice."""
    if exact:
        until(lambda: report(client)["last"] == TOTAL - 1)
    else:  # what is gone may be the last
        until(lambda: client.get_context("f/source").get("n") == TOTAL)
        passing = lambda: [row["queued"] for row in client.audit().values()]  # noqa: E731
        until(lambda: not any(passing()) and not any(passing()))
    seen = report(client)
    assert "again" not in seen, seen
    assert not exact or seen["seen"] == TOTAL, seen
    assert seen["seen"] <= TOTAL
    for row in client.audit().values():
        assert row["balanced"], row
    print("lost", TOTAL - seen["seen"])


def report(client: Any) -> dict[str, Any]:
    before = len(client.dead_letters("f"))
    until(lambda: bool(client.send_message("f/sum", "in", "report")))  # it may be full
    until(lambda: len(client.dead_letters("f")) > before)
    found: dict[str, Any] = json.loads(client.dead_letters("f")[-1]["error"]["message"])
    return found

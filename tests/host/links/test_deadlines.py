"""A host that is alive and does not answer: noticed in every phase, named, ended; a long turn is none of that."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.host import deadlines, orders
from actors.host.deadlines import LIMITS, Deadlines
from actors.messages import client_to_runner as api
from runtimes.frames import Frame, Kind
from tests.host.links.puppet import Puppet, Stage, on_stage

SHORT_S = 0.5


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """With limits that a test can wait for."""
    for module in (orders, deadlines):
        monkeypatch.setattr(module, "LOOK_S", 0.02)
    short = {name: limit._replace(seconds=SHORT_S, told_s=limit.told_s and 0.05) for name, limit in LIMITS.items()}
    monkeypatch.setattr(deadlines, "LIMITS", short)
    with on_stage(tmp_path / "state", monkeypatch) as stage:
        yield stage


def silent(when: Callable[[Puppet, Frame], bool]) -> Callable[[Puppet, Frame], list[Frame | bytes]]:
    """A host that leaves these frames out."""
    return lambda puppet, frame: [] if when(puppet, frame) else [frame]


def asked(puppet: Puppet, frame: Frame) -> Frame | None:
    """The frame that a RESULT answers."""
    return next((one for one in puppet.heard if frame.kind == Kind.RESULT and one.first == frame.first), None)


def answers(kind: Kind, hook: str = "") -> Callable[[Puppet, Frame], bool]:
    """Whether a frame is the RESULT of such a request."""

    def is_it(puppet: Puppet, frame: Frame) -> bool:
        request = asked(puppet, frame)
        return request is not None and request.kind == kind and (not hook or json.loads(request.body)["hook"] == hook)

    return is_it


@pytest.mark.parametrize(
    ("phase", "when", "said"),
    [
        ("hello", lambda _, frame: frame.kind == Kind.HELLO, "its HELLO took longer"),
        ("load", answers(Kind.LOAD), "loading a took longer"),
        ("start", answers(Kind.CALL, "start"), "`start` of a took longer"),
    ],
)
def test_a_flow_whose_host_does_not_answer_is_not_started(
    stage: Stage, phase: str, when: Callable[[Puppet, Frame], bool], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    stage.chain("f", "start echo")
    Puppet.change = silent(when)
    reply = stage.call(api.StartFlow, flow_id="f")
    assert not reply.ok and said in reply.error, reply.error
    assert len(Puppet.started) == 1
    if phase != "hello":
        assert "s; after 0.5 s its host is killed" in caplog.text
    Puppet.change = silent(lambda _, __: False)
    stage.start("f")
    stage.ok(api.RemoveFlow, flow_id="f")


@pytest.mark.parametrize("when", [answers(Kind.LOAD), answers(Kind.CALL, "start"), lambda _, f: f.kind == Kind.PONG])
def test_a_flow_whose_hosts_come_to_nothing_again_and_again_fails(
    stage: Stage, when: Callable[[Puppet, Frame], bool]
) -> None:
    """After a death, in a flow that runs: three times, then the flow stops and says why."""
    stage.chain("f", "start echo")
    stage.start("f")
    Puppet.change = silent(when)
    stage.send("f/a", 1)
    stage.puppet("a").exit()
    stage.wait(lambda: stage.record("f").state == "failed")
    (error,) = stage.state("f")["errors"]
    assert "times without progress: " in error and "took longer than 0.5 s" in error
    assert len(Puppet.started) <= 5
    Puppet.change = silent(lambda _, __: False)
    stage.ok(api.RemoveFlow, flow_id="f")


def test_a_host_that_takes_no_wires(stage: Stage) -> None:
    """It has no hook to answer for: a PING behind the first WIRES is what it owes."""
    stage.chain("f", "echo")
    Puppet.change = silent(lambda puppet, frame: frame.kind == Kind.PONG and puppet.number == 0)
    stage.start("f")
    stage.wait(lambda: len(Puppet.started) == 2 and not Puppet.started[1].is_dead)
    stage.wait(lambda: stage.bridge("f", "python3:a").life.name == "OPEN")


def test_a_host_that_does_not_pause(stage: Stage) -> None:
    """It has credit and no messages: nothing can take so long there."""
    stage.chain("f", "echo")
    stage.start("f")
    first = stage.puppet("a")
    Puppet.change = silent(lambda puppet, frame: puppet is first and frame.kind == Kind.PAUSED)
    stage.ok(api.PauseFlow, flow_id="f")
    stage.wait(lambda: first.is_dead)
    stage.ok(api.ResumeFlow, flow_id="f")
    out = stage.collect("f", "a")
    stage.send("f/a", 1)
    stage.wait(lambda: out.got == [1])


def test_a_message_that_is_held_is_no_reason_not_to_pause(stage: Stage) -> None:
    stage.chain("f", "echo", retry={"times": 1, "backoff_s": 0.01})
    stage.start("f")
    first = stage.puppet("a")

    def change(puppet: Puppet, frame: Frame) -> list[Frame | bytes]:
        if puppet is not first:
            return [frame]
        if frame.kind == Kind.COMMIT:
            info = b'{"error":{"type":"E","message":"no"},"port":"in","id":"","headers":null}'
            error = Frame(Kind.ERROR, body=info, flags=16, skip=len(info))
            return [error, Frame(Kind.COMMIT, body=b"[[0,0,1,1,0,0,0,0,0]]")]
        return [] if frame.kind in (Kind.PAUSED, Kind.DATA) else [frame]

    Puppet.change = change
    out = stage.collect("f", "a")
    stage.send("f/a", 1)
    stage.wait(lambda: out.got == [1])
    assert first.is_dead


def test_a_long_turn_is_none_of_that(stage: Stage) -> None:
    """PAUSE has to wait for it, and the flow's own drain_timeout_s says for how long."""
    stage.chain("f", "echo")
    stage.start("f")
    puppet = stage.puppet("a")
    stage.wait(lambda: puppet.said.get(Kind.PONG))
    puppet.is_mute = True  # in its handler
    stage.send("f/a", 1)
    paused = stage.post(api.PauseFlow, flow_id="f")
    until = time.monotonic() + 5 * SHORT_S
    stage.wait(lambda: time.monotonic() > until)
    puppet.is_mute = False
    assert stage.reply(paused).ok
    stage.ok(api.ResumeFlow, flow_id="f")
    stage.wait(lambda: stage.at_rest("f"))
    assert not puppet.is_dead


@pytest.mark.parametrize(
    ("when", "said"),
    [
        (answers(Kind.CALL, "stop"), "its end, at `stop` of a, took longer than 0.5 s"),
        (lambda _, __: False, "its last commit and its exit took longer than 0.5 s"),
    ],
    ids=["stop", "exit"],
)
def test_a_host_that_does_not_stop(
    stage: Stage, when: Callable[[Puppet, Frame], bool], said: str, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    stage.chain("f", "stop echo")
    stage.start("f")
    Puppet.change = silent(when)
    monkeypatch.setattr(stage.puppet("a"), "exit", lambda: None)
    kill = Puppet.exit
    monkeypatch.setattr(Puppet, "kill", kill)
    stage.call(api.StopFlow, flow_id="f")
    assert said in caplog.text
    assert stage.state("f")["state"] == "stopped"


def test_an_update_whose_old_version_does_not_stop(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.chain("f", "stop echo")
    stage.start("f")
    out = stage.collect("f", "a")
    Puppet.change = silent(answers(Kind.CALL, "stop"))
    stage.add("f", {"a": {"runtime": "python3", "code": "echo 2", "isolated": True}})
    assert "`stop` of a took longer than 0.5 s" in caplog.text
    stage.send("f/a", 1)
    stage.wait(lambda: out.got == [1])


def test_an_update_whose_old_version_is_not_unloaded(stage: Stage) -> None:
    stage.chain("f", "echo")
    stage.start("f")
    out = stage.collect("f", "a")
    Puppet.change = silent(answers(Kind.UNLOAD))
    stage.add("f", {"a": {"runtime": "python3", "code": "echo 2", "isolated": True}})
    stage.send("f/a", 1)
    stage.wait(lambda: out.got == [1])


def test_an_update_that_only_the_live_host_cannot_load_is_refused(stage: Stage) -> None:
    """Its neighbour goes on, in a new host."""
    document = {name: {"runtime": "python3", "code": "echo"} for name in ("a", "b")}
    stage.add("f", document)
    stage.start("f")
    out = stage.collect("f", "a")
    live = stage.puppet("a")
    Puppet.change = silent(lambda puppet, frame: puppet is live and answers(Kind.LOAD)(puppet, frame))
    flow = {"id": "f", "modules": document | {"b": {"runtime": "python3", "code": "echo 2"}}}
    reply = stage.call(api.AddOrUpdateFlow, flow=flow)
    assert not reply.ok and "loading b took longer than 0.5 s" in reply.error, reply.error
    stage.send("f/a", 1)
    stage.wait(lambda: out.got == [1])


@pytest.mark.parametrize("phase", ["load", "migrate"])
def test_a_trial_host_that_does_not_answer(stage: Stage, phase: str) -> None:
    stage.chain("f", "echo")
    stage.start("f")
    when = answers(Kind.LOAD) if phase == "load" else answers(Kind.CALL, "migrate")
    Puppet.change = silent(lambda puppet, frame: puppet.number > 0 and when(puppet, frame))
    module = {"runtime": "python3", "code": "migrate echo 2", "isolated": True, "state_version": 2}
    reply = stage.call(api.AddOrUpdateFlow, flow={"id": "f", "modules": {"a": module}})
    doing = "loading it" if phase == "load" else "migrating its context"
    assert not reply.ok and f"did not end {doing} within 0.5 s" in reply.error, reply.error


def looks(owed: Deadlines, begin: int, end: int, *, busy: bool = False) -> tuple[list[str], float | None, str]:
    """One a second: what was said, when something was overdue, and what."""
    said = []
    for now in range(begin, end):
        more, late = owed.look(now, busy)
        said += more
        if late is not None:
            return said, now, late.what
    return said, None, ""


def test_one_after_the_other() -> None:
    """A host loads its modules in a row: the limit is for each, but the `stop` of all have one together."""
    owed = Deadlines()
    assert owed.expect(1, "load", "a", None, 0.0) and not owed.expect(2, "load", "b", None, 0.0)
    assert looks(owed, 1, 120) == (
        [f"loading {name} has taken 10 s; after 120 s its host is killed" for name in "ab"], None, ""
    )  # fmt: skip
    owed.met(1)
    assert looks(owed, 120, 300) == ([], 239, "loading b")
    owed = Deadlines()
    owed.expect(1, "stop", "a", None, 0.0)
    owed.expect(2, "stop", "b", None, 0.0)
    assert looks(owed, 1, 4)[1] is None
    owed.met(1)
    assert looks(owed, 4, 9) == ([], 5, "its end, at `stop` of b,")


def test_the_clock_stands_still_during_a_turn() -> None:
    owed = Deadlines()
    owed.expect("x", "pause", "a", None, 0.0)
    assert looks(owed, 1, 100, busy=True)[1] is None
    owed.expect("y", "exit", "", None, 99.0)
    assert looks(owed, 100, 110, busy=True)[1:] == (104, "its last commit and its exit")
    owed.met("y")
    assert looks(owed, 105, 200)[1:] == (164, "PAUSED of a")


def test_a_look_that_comes_late_counts_little() -> None:
    """The runner was stopped for an hour: what the host has answered meanwhile is still to be read."""
    owed = Deadlines()
    owed.expect(1, "load", "a", None, 0.0)
    assert owed.look(3600.0, False) == ([], None)
    assert looks(owed, 3601, 3800)[1] == 3718


@pytest.mark.parametrize(("phase", "limit"), [("load", 900), ("start", 900), ("hello", 60), ("stop", 5)])
def test_a_module_that_says_that_it_takes_long(phase: str, limit: int) -> None:
    """`timeout_s` of the module, where its own code runs; never less than the limit."""
    owed = Deadlines()
    owed.expect(1, phase, "a", 900.0, 0.0)
    assert looks(owed, 1, 1000)[1] == limit
    owed = Deadlines()
    owed.expect(1, phase, "a", 0.5, 0.0)
    assert looks(owed, 1, 1000)[1] == LIMITS[phase].seconds

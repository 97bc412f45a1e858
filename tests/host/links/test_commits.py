"""A commit is one thing: numbered, handed out whole, and known to be applied when every module has done its part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from thespian.actors import ActorAddress

from actors.host.bridge import BridgeActor
from actors.messages import bridge_to_follower as to_follower
from actors.messages import flow_to_bridge as from_flow
from actors.module.actor import ModuleActor
from actors.system.base import BaseActor
from runtimes.frames import Frame, Kind, encode
from tests.harness import patch_handler
from tests.host.links.puppet import Puppet, Stage, as_it_is, on_stage


class Follower(BaseActor):
    """Looks at the modules' accounts when a commit is handed out, and when it is applied."""

    def begin(self, stage: Stage) -> None:
        self.stage = stage
        self.seen: list[tuple[str, int, int]] = []  # key, start, number of those that are applied
        self.parts: list[Any] = []
        self.open: Any = None
        self.failures: list[int] = []  # while a commit was applied

    def accounts(self) -> dict[tuple[str, int], int]:
        """Host and slot -> messages done."""
        return {
            (key, slot): self.stage.module("f", module).state.accounts()["completed"]
            for key, plan in self.stage.record("f").plans.items()
            for slot, module in plan.modules.items()
        }

    def receiveMsg_CommitHandedOut(self, message: to_follower.CommitHandedOut, _sender: ActorAddress) -> None:
        assert self.open is None, "two at once"
        self.open, self.before, self.failed_before = message, self.accounts(), self.system.failures

    def receiveMsg_CommitApplied(self, message: to_follower.CommitApplied, _sender: ActorAddress) -> None:
        assert (message.key, message.start, message.number) == (self.open.key, self.open.start, self.open.number)
        expected = dict(self.before)
        self.failures.append(self.system.failures - self.failed_before)
        if not self.failures[-1]:
            for slot, part in self.open.parts:
                expected[message.key, slot] += part.consumed
            assert self.accounts() == expected
        self.seen.append((message.key, message.start, message.number))
        self.parts += self.open.parts
        self.open = None


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with on_stage(tmp_path / "state", monkeypatch) as stage:
        yield stage


@pytest.fixture
def follower(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Follower:
    """Of every host."""
    address = stage.system.createActor(Follower)
    follower: Follower = stage.actor(address)
    follower.begin(stage)
    start = BridgeActor.receiveMsg_StartHost

    def followed(self: BridgeActor, message: from_flow.StartHost, sender: ActorAddress) -> None:
        start(self, replace(message, follower=address), sender)

    patch_handler(monkeypatch, BridgeActor, "receiveMsg_StartHost", followed)
    return follower


def test_each_commit_is_applied_before_anything_else_is_done(stage: Stage, follower: Follower) -> None:
    stage.chain("f", "echo", "echo")
    got = stage.collect("f", "b.out")
    stage.start("f")
    stage.send("f/a", *range(50))
    stage.wait(lambda: len(got.got) == 50)
    assert sum(part.consumed for _, part in follower.parts) == 100
    for key in ("python3:a", "python3:b"):
        numbers = [number for host, start, number in follower.seen if (host, start) == (key, 1)]
        assert numbers == list(range(1, len(numbers) + 1))


def test_numbers_begin_again_with_the_host(stage: Stage, follower: Follower) -> None:
    stage.chain("f", "echo")
    stage.start("f")
    stage.send("f/a", 1, 2)
    stage.wait(lambda: len(follower.seen) == 2)
    stage.puppet("a").exit()
    stage.wait(
        lambda: stage.bridge("f", "python3:a").starts == 2 and stage.bridge("f", "python3:a").life.name == "OPEN"
    )
    stage.send("f/a", 3)
    stage.wait(lambda: len(follower.seen) == 3)
    assert [(start, number) for _, start, number in follower.seen] == [(1, 1), (1, 2), (2, 1)]


def test_what_does_not_fit_is_no_commit(stage: Stage, follower: Follower) -> None:
    """Two slots, of which the second has had nothing: the part of the first does not leave."""
    stage.add("f", {name: {"runtime": "python3", "code": "echo"} for name in "ab"})
    stage.start("f")

    def forge(_puppet: Puppet, frame: Frame) -> list[Frame | bytes]:
        if frame.kind != Kind.COMMIT:
            return [frame]
        Puppet.change = as_it_is
        return [encode(frame._replace(body=frame.body[:-1] + b",[1,7,7,0,0,0,0,5,0]]"))]

    Puppet.change = forge
    stage.send("f/a", 1)
    stage.wait(lambda: sum(part.consumed for _, part in follower.parts) == 1)
    assert {start for _, start, _ in follower.seen} == {2}


def test_a_module_that_raises_on_its_part_shows(
    stage: Stage, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.chain("f", "echo")
    stage.start("f")

    def raises(_self: ModuleActor, _message: Any, _sender: ActorAddress) -> None:
        raise RuntimeError("broken on purpose")

    with monkeypatch.context() as patch:
        patch_handler(patch, ModuleActor, "receiveMsg_TurnsCommitted", raises)
        stage.send("f/a", 1)
        stage.wait(lambda: follower.failures)
    assert follower.failures == [1]
    stage.wait(lambda: stage.record("f").state == "failed")
    stage.base.failures = stage.base.dead_messages = 0

"""Wires that lead to a module elsewhere and back: who carries them is attached, as feeds and sinks are."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from thespian.actors import ActorAddress

from actors.definition.deliveries import LOSSY
from actors.definition.share import Share
from actors.messages import client_to_runner as api
from actors.messages.flow_to_session import Attached
from actors.messages.module_to_module import Deliver, HoldWire, ReleaseWire
from actors.messages.session_to_flow import AttachEnd
from actors.preparation.premises import Premises
from actors.system.base import BaseActor
from runtimes.frames import join, split
from tests.harness import Harness

COUNT = "def run(m, c):\n    c.set('n', c.get('n', 0) + 1)\n    return m + [c.get('n')]\n"
OUT, BACK = "a.out->b.in", "b.out->c.in"


class Elsewhere(BaseActor):
    """Has the module `b`, which adds "b" to every message."""

    def receiveMsg_AttachEnd(self, message: AttachEnd, _sender: ActorAddress) -> None:
        self.number, self.module, self.held, self.holds = 0, None, False, 0
        self.waiting: list[Deliver] = []
        self.send(self.runner, message)
        self.send(self.runner, AttachEnd(flow="f", side="in", module="c", port="in", wire=BACK))

    def receiveMsg_Attached(self, message: Attached, _sender: ActorAddress) -> None:
        assert message.error is None, message.error
        self.activity = message.activity
        if message.wire == BACK:
            self.module = message.module

    def receiveMsg_Deliver(self, message: Deliver, _sender: ActorAddress) -> None:
        self.waiting.append(message)
        self.go_on()

    def receiveMsg_HoldWire(self, message: HoldWire, _sender: ActorAddress) -> None:
        assert message.wire == BACK
        self.held, self.holds = True, self.holds + 1

    def receiveMsg_ReleaseWire(self, _message: ReleaseWire, _sender: ActorAddress) -> None:
        self.held = False
        self.go_on()

    def go_on(self) -> None:
        """What `b` has done goes back; there is as much under way as before."""
        while self.waiting and not self.held:
            message = self.waiting.pop(0)
            bodies, _ = split(message.body, message.flags)
            meant = bodies[message.skip : message.skip + message.count]
            body = join([json.dumps([*json.loads(one), "b"]).encode() for one in meant])
            self.send(self.module, Deliver(BACK, body, 0, 0, message.count, self.number))
            self.number += message.count


def flow(version: int, **fields: Any) -> dict[str, Any]:
    modules = {name: {"runtime": "python3", "code": f"{COUNT}# {version}\n"} for name in "abc"}
    return {"id": "f", "modules": modules, "wires": ["a -> b", {"from": "b", "to": "c", **fields}]}


@pytest.fixture
def half(runner: Harness, monkeypatch: pytest.MonkeyPatch) -> Harness:
    """`b` is elsewhere."""
    monkeypatch.setattr(Premises, "share_of", lambda _self, flow: Share(flow, frozenset("ac")))
    return runner


def elsewhere(half: Harness) -> Elsewhere:
    address = half.system.createActor(Elsewhere)
    actor: Elsewhere = half.actor(address)
    actor.runner = half.runner
    half.system.tell(address, AttachEnd(flow="f", side="out", module="a", port="out", wire=OUT))
    half.wait(lambda: getattr(actor, "module", None))
    return actor


def test_a_way_through_elsewhere_is_exact_while_both_its_ends_are_replaced(half: Harness) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    chance = random.Random(seed)
    half.ok(api.AddOrUpdateFlow, flow=flow(0))
    half.start("f")
    elsewhere(half)
    out = half.collect("f", "c")
    sent = 0
    for version in range(1, 6):
        posts = [
            half.post(api.SendMessage, flow_module_id="f/a", message=[sent + n]) for n in range(chance.randrange(60))
        ]
        sent += len(posts)
        half.ok(api.AddOrUpdateFlow, flow=flow(version))
        for post in posts:
            assert half.reply(post).ok
    half.wait_idle("f")
    assert out.got == [[n, n + 1, "b", n + 1] for n in range(sent)]


def test_who_brings_what_comes_from_elsewhere_is_held(half: Harness) -> None:
    half.ok(api.AddOrUpdateFlow, flow=flow(0))
    half.start("f")
    half.ok(api.SetBreakPointAtModule, flow_module_id="f/c", scope="module")
    far = elsewhere(half)
    out = half.collect("f", "c")
    total = 20_000
    body = join([b"[%d]" % n for n in range(1000)])
    far.activity.pending += total
    for _ in range(total // 1000):
        far.waiting.append(Deliver(OUT, body, 0, 0, 1000, 0))
        far.go_on()
        half.turn_for(0.001)
    half.wait(lambda: far.held)
    assert far.waiting
    half.ok(api.RemoveBreakPointAtModule, flow_module_id="f/c")
    half.ok(api.ResumeFlow, flow_id="f")
    half.wait_idle("f")
    assert [one[0] for one in out.got] == [n % 1000 for n in range(total)]
    assert far.holds


def test_who_comes_to_a_full_module_waits(half: Harness) -> None:
    half.ok(api.AddOrUpdateFlow, flow=flow(0))
    half.start("f")
    half.ok(api.PauseFlow, flow_id="f")
    first = elsewhere(half)
    first.activity.pending += 9000
    first.waiting.append(Deliver(OUT, join([b"[0]"] * 9000), 0, 0, 9000, 0))
    first.go_on()
    half.wait(lambda: first.held)
    second = elsewhere(half)
    half.wait(lambda: second.held)
    half.ok(api.ResumeFlow, flow_id="f")
    half.wait_idle("f")


def test_a_wire_from_elsewhere_stays_what_it_is(half: Harness) -> None:
    """Its delivery is that of the flow file, also when its module has been replaced."""
    half.ok(api.AddOrUpdateFlow, flow=flow(0, delivery="lossy"))
    half.start("f")
    elsewhere(half)
    assert half.module("f", "c").state.mailbox.wires[BACK].delivery is LOSSY
    half.ok(api.AddOrUpdateFlow, flow=flow(1, delivery="lossy"))
    assert half.module("f", "c").state.mailbox.wires[BACK].delivery is LOSSY
    assert half.actor(half.record("f").modules["c"]).wires.feeders.keys() == {BACK}

"""A feeder inside the test's process: numbered messages at a steady rate, or as fast as holds allow; and a sink."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import orjson
from thespian.actors import ActorAddress, WakeupMessage

from actors.messages.flow_to_session import Attached
from actors.messages.module_to_flow import FlowIdle
from actors.messages.module_to_module import Deliver, HoldWire, ReleaseWire
from actors.messages.session_to_flow import AttachEnd
from actors.system.base import BaseActor
from runtimes.frames import join, split
from tests.harness import Collector, Harness

TICK_S = 0.004
MAX_BATCH = 4_000


class Feeder(BaseActor):
    """Sends `body(number)` until it has sent `last` of them, those before `until` for now."""

    def receiveMsg_AttachEnd(self, message: AttachEnd, _sender: ActorAddress) -> None:
        self.module: ActorAddress | None = None
        self.wire = message.wire
        self.number = self.last = self.until = 0
        self.held = False
        self.holds = 0
        self.per_s, self.begun = 1, 0.0
        self.send(self.runner, message)

    def receiveMsg_Attached(self, message: Attached, _sender: ActorAddress) -> None:
        assert message.error is None, message.error
        first, self.module = self.module is None, message.module
        if first:
            self.activity = message.activity
            self.activity.sources += 1

    def receiveMsg_HoldWire(self, _message: HoldWire, _sender: ActorAddress) -> None:
        self.held = True
        self.holds += 1

    def receiveMsg_ReleaseWire(self, _message: ReleaseWire, _sender: ActorAddress) -> None:
        self.held = False

    def receiveMsg_WakeupMessage(self, _message: WakeupMessage, _sender: ActorAddress) -> None:
        now = time.monotonic()
        self.begun = self.begun or now
        due = int((now - self.begun) * self.per_s) + 1 - self.number  # what a hold or a slow turn has kept back follows
        count = 0 if self.held else min(due, MAX_BATCH, self.last - self.number, self.until - self.number)
        if count > 0:
            numbers = range(self.number, self.number + count)
            self.number += count
            self.activity.pending += count
            bodies = [self.body(n) for n in numbers]
            self.send(self.module, Deliver(self.wire, join(bodies), 0, 0, count, numbers[0]))
        if self.number < self.last:
            self.wakeupAfter(TICK_S if self.per_s <= 100_000 else 0, None)
        else:
            self.activity.sources -= 1
            if self.activity.idle:
                self.send(self.runner, FlowIdle(flow=self.flow))


def stamped(number: int) -> bytes:
    """What the flow of plant.py takes."""
    return orjson.dumps({"n": number, "stamps": []})


def feed(
    runner: Harness, flow_id: str, module: str, *, last: int, per_s: int, bodies: Callable[[int], bytes] = stamped
) -> Any:
    """A feeder of `module.in`, attached and sending `bodies(number)`."""
    address = runner.system.createActor(Feeder)
    actor = runner.actor(address)
    actor.runner, actor.flow, actor.body = runner.runner, flow_id, bodies
    wire = f"feed {address}->{module}.in"
    runner.system.tell(address, AttachEnd(side="in", flow=flow_id, module=module, port="in", wire=wire))
    runner.wait(lambda: getattr(actor, "module", None), "the feeder")
    actor.last = actor.until = last
    actor.per_s = per_s
    runner.base.wakeupAfter(address, 0, None)
    return actor


class ByteCollector(Collector):
    """Keeps the encoded messages: a million decoded ones would fill the memory."""

    def take(self, message: Deliver) -> None:
        messages, _ = split(message.body, message.flags)
        self.got += messages[message.skip : message.skip + message.count]

"""A feeder inside the test's process: numbered messages at a steady rate, or as fast as holds allow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from thespian.actors import ActorAddress, WakeupMessage

from actors.base import BaseActor
from actors.messages.module_to_module import Deliver, HoldWire, ReleaseWire
from actors.messages.module_to_runner import FlowIdle
from actors.messages.runner_to_session import Attached
from actors.messages.session_to_runner import AttachFeed
from runtimes.frames import join
from tests.harness import Harness

TICK_S = 0.004


class Feeder(BaseActor):
    """Sends `body(number)` until it has sent `last` of them."""

    def receiveMsg_AttachFeed(self, message: AttachFeed, _sender: ActorAddress) -> None:
        self.module: ActorAddress | None = None
        self.wire = message.wire
        self.number, self.last = 0, 0
        self.held = False
        self.holds = 0
        self.per_tick = 1
        self.send(self.runner, message)

    def receiveMsg_Attached(self, message: Attached, _sender: ActorAddress) -> None:
        assert message.error is None, message.error
        first, self.module = self.module is None, message.module
        if first:
            self.gauge = message.gauge
            self.gauge.sources += 1

    def receiveMsg_HoldWire(self, _message: HoldWire, _sender: ActorAddress) -> None:
        self.held = True
        self.holds += 1

    def receiveMsg_ReleaseWire(self, _message: ReleaseWire, _sender: ActorAddress) -> None:
        self.held = False

    def receiveMsg_WakeupMessage(self, _message: WakeupMessage, _sender: ActorAddress) -> None:
        count = 0 if self.held else min(self.per_tick, self.last - self.number)
        if count:
            numbers = range(self.number, self.number + count)
            self.number += count
            self.gauge.pending += count
            bodies = [self.body(n) for n in numbers]
            self.send(self.module, Deliver(self.wire, join(bodies), 0, 0, count, numbers[0]))
        if self.number < self.last:
            self.wakeupAfter(TICK_S if self.per_tick < 500 else 0, None)
        else:
            self.gauge.sources -= 1
            if self.gauge.idle:
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
    runner.system.tell(address, AttachFeed(flow=flow_id, module=module, port="in", wire=wire))
    runner.wait(lambda: getattr(actor, "module", None), "the feeder")
    actor.last, actor.per_tick = last, max(1, int(per_s * TICK_S))
    runner.base.wakeupAfter(address, 0, None)
    return actor

"""A runner in this process, as `runner run` has it; an actor of the bench is feed and sink instead of the doors."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from thespian.actors import ActorAddress, WakeupMessage

from actors.journal.gathering import Gathering
from actors.messages import client_to_runner as api
from actors.messages.flow_to_session import Attached
from actors.messages.module_to_module import Deliver, HoldWire, ReleaseWire
from actors.messages.owner_to_runner import CloseJournals, ConfigureRunner, ShutDown
from actors.messages.runner_to_client import Reply
from actors.messages.session_to_flow import AttachEnd
from actors.runner.runner import RunnerActor
from actors.system.base import BaseActor
from actors.system.in_process import ActorSystem
from tests.bench.bare_process import MODULES

TIMEOUT_S = 60.0


class ProbeActor(BaseActor):
    """Delivers to one module and takes what leaves another; `taken(body)` is called for every delivery."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 0
        self.module: ActorAddress | None = None
        self.wire = "bench->"
        self.taken: Callable[[bytes], None] = lambda _: None
        self.journal: Gathering | None = None

    def receiveMsg_AttachEnd(self, message: AttachEnd, _sender: ActorAddress) -> None:
        if message.side == "in":
            self.wire = message.wire
        self.send(self.runner, message)

    def receiveMsg_Attached(self, message: Attached, _sender: ActorAddress) -> None:
        assert message.error is None, message.error
        if message.activity is not None:
            self.activity = message.activity
        if message.wire == self.wire:
            self.module = message.module
        self.journal = message.journal

    def receiveMsg_Deliver(self, message: Deliver, _sender: ActorAddress) -> None:
        self.activity.pending -= message.count
        self.taken(message.body)

    def receiveMsg_HoldWire(self, message: HoldWire, _sender: ActorAddress) -> None:
        raise RuntimeError(f"{message.wire} is held: the bench sends too much")

    def receiveMsg_ReleaseWire(self, _message: ReleaseWire, _sender: ActorAddress) -> None:
        pass

    def receiveMsg_WakeupMessage(self, _message: WakeupMessage, _sender: ActorAddress) -> None:
        pass  # Embedded looks at its deadline now

    def when_durable(self, act: Callable[[], None]) -> None:
        """When all that has happened is on the disk."""
        assert self.journal is not None
        self.journal.when_durable(act)

    def insert(self, body: bytes, count: int) -> None:
        """Put messages into the module's mailbox."""
        self.activity.pending += count
        self.send(self.module, Deliver(self.wire, body, 0, 0, count, self.number))
        if self.journal is not None:
            self.journal.sent(self.wire, body, 0, 0, count, self.number)
        self.number += count


class Embedded:
    """`with Embedded() as runner:`; every host has ended at the end. `durable`: it has a journal."""

    def __init__(self, durable: bool = False) -> None:
        self._durable = durable

    def __enter__(self) -> Embedded:
        self._folder = TemporaryDirectory(prefix="bench-")
        self.system = ActorSystem()
        self.runner = self.system.createActor(RunnerActor)
        folder = Path(self._folder.name)
        journals = folder / "journal" if self._durable else None
        self.system.tell(self.runner, ConfigureRunner(run_folder=folder, journals=journals))
        address = self.system.createActor(ProbeActor)
        self.probe: ProbeActor = self.system.base.actorRegistry[address.actorAddressString].instance
        self.probe.runner = self.runner
        self._probe_address = address
        return self

    def __exit__(self, *_: object) -> None:
        self.call(ShutDown(request_id="end"))
        self.call(CloseJournals(request_id="close"))
        self.system.shutdown()
        self._folder.cleanup()

    def call(self, request: Any) -> Any:
        """Ask the runner; the value of its Reply."""
        reply = self.system.ask(self.runner, request, TIMEOUT_S)
        assert isinstance(reply, Reply), f"no answer to {request}"
        assert reply.ok, reply.error
        return reply.value

    def add(self, modules: dict[str, Any], wires: list[str], **more: Any) -> None:
        """Add the flow `bench`."""
        flow = {"id": "bench", "modules": modules, "wires": wires, **more}
        self.call(api.AddOrUpdateFlow(request_id="add", flow=flow))

    def start(self) -> None:
        """Start it."""
        self.call(api.StartFlow(request_id="start", flow_id="bench"))

    def attach(self, request: AttachEnd) -> None:
        """Make the probe a feed or sink of the flow."""
        self.system.tell(self._probe_address, request)
        while self.system.base.busy:
            self.system.base.turn()

    def run_until(self, done: Callable[[], bool]) -> None:
        """Turn the runner until `done()`."""
        deadline = time.monotonic() + TIMEOUT_S
        self.system.base.wakeupAfter(self._probe_address, TIMEOUT_S, None)
        self.system.base.run_until(lambda: done() or time.monotonic() > deadline)
        assert done(), f"nothing came: {self.call(api.FlowState(request_id='state', flow_id='bench'))}"

    def result(self, module: str) -> bytes:
        """Start the flow and wait for the first delivery of `module.out`."""
        came: list[bytes] = []
        self.attach(AttachEnd(side="out", flow="bench", module=module, port="out", wire=f"{module}->bench"))
        self.probe.taken = came.append
        self.start()
        self.run_until(lambda: bool(came))
        return came[0]


def module(runtime: str, name: str, **fields: Any) -> dict[str, Any]:
    """A module of modules/."""
    file = MODULES / f"{name}.{'js' if runtime == 'node' else 'py'}"
    return {"runtime": runtime, "code": file.read_text(), "name": file.name, **fields}

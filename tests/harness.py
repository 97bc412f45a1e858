"""A runner inside the test's process: API calls, collected outputs, and waiting for events instead of sleeping."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from thespian.actors import ActorAddress

from actors.flow.record import FlowRecord
from actors.flow.update.update import Update
from actors.messages import client_to_runner as api
from actors.messages.flow_to_session import Attached, FlowEnded
from actors.messages.module_to_flow import FlowIdle
from actors.messages.module_to_module import Deliver, HoldWire, ReleaseWire
from actors.messages.owner_to_runner import CloseJournals, ConfigureRunner, ShutDown
from actors.messages.runner_to_client import Reply
from actors.messages.session_to_flow import AttachEnd, WatchFlow
from actors.preparation.state_folder import RunFolder
from actors.runner.runner import RunnerActor
from actors.system.base import BaseActor
from actors.system.in_process import ActorSystem
from runtimes.frames import split
from runtimes.manifest import find_version, load_runtimes, runtime_folders

TIMEOUT_S = 60.0
TOYS = Path(__file__).parent / "fixtures" / "runtimes"


def need(runtime: str) -> None:
    """Skip the test where a runtime is missing, with the reason."""
    found = find_version(load_runtimes(runtime_folders())[runtime])
    if found.version is None:
        pytest.skip(found.reason)


class Collector(BaseActor):
    """A sink that keeps what it gets, and can be told to hold its feeder."""

    def receiveMsg_AttachEnd(self, message: AttachEnd, _sender: ActorAddress) -> None:
        self.got: list[Any] = []
        self.wire = message.wire
        self.numbers: list[int] = []
        self.module: ActorAddress | None = None
        self.send(self.runner, message)

    def receiveMsg_Attached(self, message: Attached, _sender: ActorAddress) -> None:
        assert message.error is None, message.error
        self.module, self.activity = message.module, message.activity

    def take(self, message: Deliver) -> None:
        messages, _ = split(message.body, message.flags)
        self.got += [json.loads(m) for m in messages[message.skip : message.skip + message.count]]
        self.numbers += range(message.first, message.first + message.count)

    def receiveMsg_Deliver(self, message: Deliver, _sender: ActorAddress) -> None:
        self.take(message)
        self.activity.pending -= message.count
        if self.activity.idle:
            self.send(self.runner, FlowIdle(flow=self.flow))

    def hold(self, on: bool) -> None:
        self.send(self.module, HoldWire(wire=self.wire) if on else ReleaseWire(wire=self.wire))


class Harness:
    """The runner and what the test asks of it."""

    def __init__(self, folder: Path, kept: Path | None = None, journals: Path | None = None) -> None:
        self.folder = RunFolder(folder)
        self.system = ActorSystem()
        self.base = self.system.base
        self.runner = self.system.createActor(RunnerActor)
        self.system.tell(self.runner, ConfigureRunner(run_folder=self.folder.path, kept=kept, journals=journals))
        self.count = self.turns = 0
        self.inbox = self.base.actorRegistry["System:ExternalRequester"].instance.__dict__.setdefault("responses", [])

    def wait(self, condition: Callable[[], Any], what: str = "the condition", timeout_s: float = TIMEOUT_S) -> Any:
        """Turn the system until `condition()` is true."""
        deadline = time.monotonic() + timeout_s
        self.base.wakeupAfter(self.system.systemAddress, timeout_s + 0.01, None)
        before = self.turns
        while not (value := condition()):
            assert time.monotonic() < deadline, f"{what} did not come true within {timeout_s} s"
            if self.turns > before:  # a condition that calls has turned the system: what came then may be the last
                self.base.wakeupAfter(self.system.systemAddress, 0.01, None)
            self.base.turn(block=True)
            before = self.turns = self.turns + 1
        return value

    def turn_for(self, seconds: float) -> None:
        """Turn the system for a while."""
        end = time.monotonic() + seconds
        self.base.wakeupAfter(self.system.systemAddress, seconds + 0.001, None)
        while time.monotonic() < end:
            self.base.turn(block=True)

    def _take(self, match: Callable[[Any], bool]) -> Any:
        for index, message in enumerate(self.inbox):
            if match(message):
                return self.inbox.pop(index)
        return None

    def call(self, kind: type, **fields: Any) -> Reply:
        """One request and its reply."""
        compiles = kind in (api.StartFlow, api.AddOrUpdateFlow)
        return self.reply(self.post(kind, **fields), 300.0 if compiles else TIMEOUT_S)

    def post(self, kind: type, **fields: Any) -> str:
        """One request; its reply is still to come."""
        self.count += 1
        self.system.tell(self.runner, kind(request_id=f"{self.count} {kind.__name__}", **fields))
        return f"{self.count} {kind.__name__}"

    def reply(self, request_id: str, timeout_s: float = TIMEOUT_S) -> Reply:
        """The reply to a posted request."""
        match = lambda m: isinstance(m, Reply) and m.request_id == request_id  # noqa: E731
        return self.wait(lambda: self._take(match), f"the reply to {request_id}", timeout_s)

    def ok(self, kind: type, **fields: Any) -> Any:
        """A request that must succeed; its value."""
        reply = self.call(kind, **fields)
        assert reply.ok, reply.error
        return reply.value

    def add(self, flow_id: str, modules: dict[str, Any], wires: list[Any] | None = None, **fields: Any) -> None:
        """Add or update a flow."""
        flow = {"id": flow_id, "modules": modules, "wires": wires or [], **fields}
        self.ok(api.AddOrUpdateFlow, flow=flow)

    def start(self, flow_id: str) -> None:
        """Start a flow."""
        self.ok(api.StartFlow, flow_id=flow_id)

    def collect(self, flow_id: str, place: str, kind: type[Collector] = Collector, name: str = "test") -> Collector:
        """Collect what leaves `module.port`; of several there each has a name of its own."""
        module, _, port = place.partition(".")
        address = self.system.createActor(kind)
        actor: Collector = self.base.actorRegistry[address.actorAddressString].instance
        actor.runner, actor.flow = self.runner, flow_id
        wire = f"{place}->{name}"
        self.system.tell(address, AttachEnd(side="out", flow=flow_id, module=module, port=port or "out", wire=wire))
        self.wait(lambda: getattr(actor, "module", None), "the sink")
        return actor

    def send(self, place: str, *messages: Any) -> None:
        """Send messages to `flow/module[.port]`."""
        module, _, port = place.partition(".")
        for message in messages:
            self.ok(api.SendMessage, flow_module_id=module, port=port or "in", message=message)

    def state(self, flow_id: str) -> dict[str, Any]:
        """flowState."""
        return self.ok(api.FlowState, flow_id=flow_id, rates=False)

    def wait_idle(self, flow_id: str, timeout_s: float = TIMEOUT_S) -> FlowEnded:
        """Until nothing is under way."""
        self.system.tell(self.runner, WatchFlow(flow=flow_id))
        match = lambda m: isinstance(m, FlowEnded) and m.flow == flow_id  # noqa: E731
        return self.wait(lambda: self._take(match), "the end of the flow", timeout_s)

    def record(self, flow_id: str) -> FlowRecord:
        """A flow's own record, to look into."""
        record: FlowRecord = self.actor(self.actor(self.runner).flows[flow_id].actor).record
        return record

    def actor(self, address: ActorAddress) -> Any:
        """The actor behind an address."""
        return self.base.actorRegistry[address.actorAddressString].instance

    def module(self, flow_id: str, module: str) -> Any:
        """A module's record, to look into."""
        return self.actor(self.record(flow_id).modules[module]).record

    def bridge(self, flow_id: str, key: str) -> Any:
        """A bridge actor, to look into."""
        return self.actor(self.record(flow_id).bridges[key])

    def audit(self) -> None:
        """accepted = completed + queued + dropped + deadLettered, everywhere."""
        for name, row in self.ok(api.Audit).items():
            assert row["balanced"], (name, row)

    def close(self) -> None:
        """Stop everything; nothing may have failed, no message may have gone astray."""
        self.call(ShutDown)
        self.call(CloseJournals)
        dead, failures = self.base.dead_messages, self.base.failures
        self.system.shutdown()
        self.folder.close()
        assert not dead, f"{dead} messages to actors that were gone"
        assert not failures, f"{failures} handlers failed"


def on_phase(monkeypatch: pytest.MonkeyPatch, then: Callable[[FlowRecord, str], None]) -> None:
    """Whenever an update has entered a phase."""
    enter = Update.enter

    def entered(update: Update, phase: str) -> None:
        enter(update, phase)
        then(update.record, phase)

    monkeypatch.setattr(Update, "enter", entered)


def patch_handler(monkeypatch: pytest.MonkeyPatch, actor: type[BaseActor], name: str, handler: Any) -> None:
    """Let an actor class handle messages in this way, and others again after it: a class finds its handlers once."""
    monkeypatch.setattr(actor, name, handler)
    monkeypatch.setattr(actor, "handlers", {})


@contextmanager
def running(folder: Path, kept: Path | None = None, journals: Path | None = None) -> Iterator[Harness]:
    """A harness that is closed properly, and audited if the test passed."""
    harness = Harness(folder, kept, journals)
    try:
        yield harness
        harness.audit()
    except BaseException:
        harness.call(ShutDown)
        harness.call(CloseJournals)
        harness.system.shutdown()
        harness.folder.close()
        raise
    harness.close()

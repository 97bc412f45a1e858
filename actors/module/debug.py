"""What a module actor does for the debugger: breakpoints, steps, held messages. Mixed into the Module actor.

Nothing here runs unless somebody debugs.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import orjson
from thespian.actors import ActorAddress

from actors.definition.graph import module_version
from actors.messages import bridge_to_module as from_bridge
from actors.messages import flow_to_module as from_flow
from actors.messages import module_to_flow as to_flow
from actors.messages.runner_to_client import Reply
from actors.module.host import ModuleHost
from actors.state.effects import BreakpointHit
from actors.state.module import ModuleState
from actors.state.recall import Link
from actors.state.segment import Segment
from actors.state.shown import View
from runtimes.frames import HEADERS, split

MAX_LISTED = 100
SHOWN_BYTES = 200
log = logging.getLogger("runner.debug")


class Step:
    """One module's part of a wave, while it runs."""

    def __init__(self, wave: int, takes: bool, pulls: bool, state: ModuleState) -> None:
        self.wave, self.takes, self.pulls = wave, takes, pulls
        self.begun = time.monotonic()
        self.view = View()
        self.context, pending = dict(state.context), state.queued
        self.inputs: list[dict[str, Any]] = []
        if takes:
            head = state.ready[0]
            name = {"port": state.wires[head.wire].port, "messageId": f"{head.wire}#{head.first}"}
            self.inputs.append({**name, **self.view.message(*head.message(0)), "pending": pending})
        self.outputs: list[dict[str, Any]] = []
        self.errors: list[dict[str, Any]] = []

    def add(self, message: from_bridge.TurnsCommitted) -> None:
        """What the host has committed."""
        for port, frame in message.outputs:
            self.add_outputs(port, frame.body, frame.flags & HEADERS)
        for error in message.errors:
            self.errors.append(orjson.loads(error.body[: error.skip])["error"])
        if message.consumed or message.failed:
            self.takes = False
        if message.pulled:
            self.pulls = False

    def add_outputs(self, port: str, body: bytes, flags: int) -> None:
        """What has left a port."""
        bodies, headers = split(body, flags)
        self.outputs += [
            {"port": port, **self.view.message(body, headers[index] if headers else None)}
            for index, body in enumerate(bodies)
        ]

    def result(self, state: ModuleState, version: str) -> dict[str, Any]:
        """As singleStepFlow answers it."""
        before, after = self.context, state.context
        changed = frozenset(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
        for taken in self.inputs:
            taken["context"] = View().context(before, changed)
        return {
            "inputStates": self.inputs, "outputStates": self.outputs, "errors": self.errors,
            "context": View().context(after, changed), "pending": state.queued,
            "ms": round((time.monotonic() - self.begun) * 1000, 3), "version": version,
        }  # fmt: skip


class ModuleDebug(ModuleHost):
    """The part of the Module actor that only the debugger needs."""

    step: Step | None  # while one is under way

    def receiveMsg_TurnsCommitted(self, message: from_bridge.TurnsCommitted, sender: ActorAddress) -> None:
        """Of the Module actor."""
        raise NotImplementedError

    # breakpoints ---------------------------------------------------------------------------------------------------

    def receiveMsg_SetBreakpoint(self, message: from_flow.SetBreakpoint, _sender: ActorAddress) -> None:
        """From the next message on."""
        self.state.set_breakpoint(message.breakpoint)
        self._act()

    def breakpoint_hit(self, hit: BreakpointHit) -> None:
        """Tell the flow, or only log it."""
        text = hit.message[:SHOWN_BYTES].decode(errors="replace")
        log.info("%s/%s: breakpoint: %s%s", self.flow, self.module.id, text, f": {hit.error}" if hit.error else "")
        if not hit.only_log:
            reached = to_flow.BreakpointReached(
                flow=self.flow, module=self.module.id, message=hit.message, error=hit.error
            )
            self.send(self.owner, reached)

    # steps: while one runs, some messages go through these handlers first -------------------------------------------

    def receiveMsg_TakeStep(self, message: from_flow.TakeStep, sender: ActorAddress) -> None:
        """Our part of a wave."""
        running = self.step is not None
        source = self.source_live and self.source.state != "restarting"
        takes, pulls = (False, False) if running else self.state.step(source)
        if not takes and not pulls:
            taken = to_flow.StepTaken(flow=self.flow, module=self.module.id, wave=message.wave, result=None)
            self.send(sender, taken)
            return
        self.step = Step(message.wave, takes, pulls, self.state)
        self.handlers = _STEPPING
        self._act()

    def step_committed(self, message: from_bridge.TurnsCommitted, sender: ActorAddress) -> None:
        """In place of receiveMsg_TurnsCommitted."""
        assert self.step is not None
        self.step.add(message)
        self.receiveMsg_TurnsCommitted(message, sender)
        self._end_step()

    def step_slot_paused(self, message: from_bridge.SlotPaused, sender: ActorAddress) -> None:
        """In place of receiveMsg_SlotPaused: the message that failed waits for its retry, or has left."""
        self.receiveMsg_SlotPaused(message, sender)
        self._end_step()

    def step_source_finished(self, message: from_bridge.SourceFinished, sender: ActorAddress) -> None:
        """In place of receiveMsg_SourceFinished."""
        assert self.step is not None
        self.receiveMsg_SourceFinished(message, sender)
        self.step.pulls = False
        self._end_step()

    def step_host_open(self, message: from_bridge.HostOpen, sender: ActorAddress) -> None:
        """In place of receiveMsg_HostOpen: a source whose host was still starting is pulled now."""
        assert self.step is not None
        self.receiveMsg_HostOpen(message, sender)
        if self.step.pulls and self.source_live:
            self.state.pull_once()
        else:
            self.step.pulls = False
        self._act()
        self._end_step()

    def step_host_down(self, message: from_bridge.HostDown, sender: ActorAddress) -> None:
        """In place of receiveMsg_HostDown: what was not committed waits again."""
        assert self.step is not None
        self.step.errors.append({"type": "HostDied", "message": message.reason, "stack": message.stderr})
        self.step.takes = self.step.pulls = False
        self.receiveMsg_HostDown(message, sender)
        self._end_step()

    def _end_step(self) -> None:
        step = self.step
        if step is None or step.takes or step.pulls or self.state.link is Link.RECALLING:
            return
        self.step = None
        del self.handlers
        result = step.result(self.state, self.module_version())
        result["errors"] = [self.placed(self.module.id, error) for error in result["errors"]]
        self.send(
            self.owner,
            to_flow.StepTaken(flow=self.flow, module=self.module.id, wave=step.wave, result=result),
        )

    def module_version(self) -> str:
        """The short name of what runs here."""
        return module_version(self.module)

    # held messages -------------------------------------------------------------------------------------------------

    def receiveMsg_DescribeHeld(self, _message: from_flow.DescribeHeld, sender: ActorAddress) -> None:
        """What waits, the oldest first; at most MAX_LISTED, the last entry says how many more."""
        held: list[dict[str, Any]] = []
        view = View()
        for segment in self.state.waiting():
            for index in range(min(segment.count, MAX_LISTED - len(held))):
                held.append(self._held_view(view, segment, index))
        if held and self.state.queued > len(held):
            held[-1]["more"] = self.state.queued - len(held)
        self.send(sender, to_flow.HeldDescribed(flow=self.flow, module=self.module.id, held=held))

    def _held_view(self, view: View, segment: Segment, index: int) -> dict[str, Any]:
        number = segment.first + index
        name = f"{self.flow}/{self.module.id}"
        return {
            "id": f"{name}/{segment.wire}#{number}", "flowModuleId": name,
            "port": self.state.wires[segment.wire].port, **view.message(*segment.message(index)),
            "atBreakpoint": self.state.at_breakpoint == (segment.wire, number),
        }  # fmt: skip

    def receiveMsg_ChangeHeld(self, message: from_flow.ChangeHeld, _sender: ActorAddress) -> None:
        """Edit, drop or release."""
        error = self._change_held(message)
        reply = Reply(request_id=message.request_id, ok=error is None, value=error is None, error=error)
        self.send(message.client, reply)
        self._act()

    def _change_held(self, message: from_flow.ChangeHeld) -> str | None:
        name = f"{self.flow}/{self.module.id}/{message.wire}#{message.number}"
        if "debug" not in self.state.stops:
            return f"{self.flow}/{self.module.id} is not paused: nothing is held there"
        if message.release:
            waiting = self.state.waiting()
            if not any(segment.has(message.wire, message.number) for segment in waiting):
                return f"there is no held message {name}"
            if (waiting[0].wire, waiting[0].first) != (message.wire, message.number):
                return f"{name} is not the oldest message of its module: order first"
            return None if self.state.release() else f"{name}: the module still handles another message"
        queued = self.state.queued
        if not self.state.replace_waiting(message.wire, message.number, message.body):
            return f"there is no held message {name}"
        self.gauge.pending -= queued - self.state.queued
        return None


_STEPPING: dict[type, Callable[..., None]] = {
    from_bridge.TurnsCommitted: ModuleDebug.step_committed,
    from_bridge.SlotPaused: ModuleDebug.step_slot_paused,
    from_bridge.SourceFinished: ModuleDebug.step_source_finished,
    from_bridge.HostOpen: ModuleDebug.step_host_open,
    from_bridge.HostDown: ModuleDebug.step_host_down,
}

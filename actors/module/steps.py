"""A module's part in single steps. Nothing here runs unless somebody debugs.

While a step is under way the messages that may end it come here first.
"""

from __future__ import annotations

from typing import Any

from thespian.actors import ActorAddress

from actors.definition.graph import module_version
from actors.messages import bridge_to_module as from_bridge
from actors.messages import flow_to_module as from_flow
from actors.messages import module_to_flow as to_flow
from actors.module.port import ModulePort
from actors.module.record import ModuleRecord
from actors.module.source import Source
from actors.module.step import Step
from actors.state.recall import Link


class Steps:
    """Of one module; the one that is under way is the record's."""

    def __init__(self, record: ModuleRecord, port: ModulePort, source: Source) -> None:
        self._record, self._port, self._source = record, port, source

    def receiveMsg_TakeStep(self, message: from_flow.TakeStep, sender: ActorAddress) -> None:
        """Our part of a wave."""
        record = self._record
        running = record.step is not None
        takes, pulls = (False, False) if running else record.state.step(self._source.sends)
        if not takes and not pulls:
            taken = to_flow.StepTaken(flow=record.flow, module=record.module.id, wave=message.wave, result=None)
            self._port.send(sender, taken)
            return
        record.step = Step(message.wave, takes, pulls, record.state)
        self._port.divert({
            from_bridge.TurnsCommitted: self._committed,
            from_bridge.SlotPaused: self._slot_paused,
            from_bridge.SourceFinished: self._source_finished,
            from_bridge.HostOpen: self._host_open,
            from_bridge.HostDown: self._host_down,
        })  # fmt: skip
        self._port.act()

    @property
    def _step(self) -> Step:
        assert self._record.step is not None
        return self._record.step

    def _committed(self, message: from_bridge.TurnsCommitted, sender: ActorAddress) -> None:
        self._step.add(message)
        self._port.handle(message, sender)
        self._end()

    def _slot_paused(self, message: from_bridge.SlotPaused, sender: ActorAddress) -> None:
        """The message that failed waits for its retry, or has left."""
        self._port.handle(message, sender)
        self._end()

    def _source_finished(self, message: from_bridge.SourceFinished, sender: ActorAddress) -> None:
        self._port.handle(message, sender)
        self._step.end_pulling()
        self._end()

    def _host_open(self, message: from_bridge.HostOpen, sender: ActorAddress) -> None:
        """A source whose host was still starting is pulled now."""
        self._port.handle(message, sender)
        if self._step.pulls and self._source.live:
            self._record.state.pull_once()
        else:
            self._step.end_pulling()
        self._port.act()
        self._end()

    def _host_down(self, message: from_bridge.HostDown, sender: ActorAddress) -> None:
        """What was not committed waits again."""
        self._step.host_died(message.reason, message.stderr)
        self._port.handle(message, sender)
        self._end()

    def _end(self) -> None:
        record, step = self._record, self._record.step
        if step is None or step.takes or step.pulls or record.state.recall.link is Link.RECALLING:
            return
        record.step = None
        self._port.restore()
        result: dict[str, Any] = step.result(record.state, module_version(record.module))
        result["errors"] = [record.placed(record.module.id, error) for error in result["errors"]]
        taken = to_flow.StepTaken(flow=record.flow, module=record.module.id, wave=step.wave, result=result)
        self._port.send(record.owner, taken)

    def forget(self) -> None:
        """The step that is under way is another version's."""
        self._record.step = None

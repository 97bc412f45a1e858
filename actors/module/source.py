"""A module's source: what it is to its host, to its flow, and to the flow's count of what may still come."""

from __future__ import annotations

import logging
from functools import partial

from thespian.actors import ActorAddress

from actors.host.load import start_body
from actors.messages import bridge_to_module as from_bridge
from actors.messages import module_to_bridge as to_bridge
from actors.messages import module_to_flow as to_flow
from actors.module.failures import Failures
from actors.module.port import ModulePort
from actors.module.record import ModuleRecord
from actors.state.recall import Link
from actors.state.source_life import SourceLife
from runtimes.frames import Frame, Kind

log = logging.getLogger("runner.module")


class Source:
    """Of one module, which may have none."""

    def __init__(self, record: ModuleRecord, port: ModulePort, failures: Failures) -> None:
        self._record, self._port, self._failures = record, port, failures
        self.life = SourceLife(record.module.restart or record.module.retry)
        self.kept = 0  # turns that stay, whatever dies, if the host is still to be told
        self.live = False  # it runs, or will run again; it counts as work to come, if it is not in the background

    @property
    def sends(self) -> bool:
        """Whether it can be asked for a message now."""
        return self.live and self.life.state != "restarting"

    def begun(self, live: bool, is_source: bool) -> None:
        """A `start` has returned one, or none."""
        record = self._record
        self.life.begun(is_source)
        self._set_live(live)
        if is_source:
            self._port.send(record.owner, to_flow.SourceBegun(flow=record.flow, module=record.module.id))
        elif record.module.restart is not None:
            log.warning("%s: `restart` has no effect: the module is no source", record.name)

    def _set_live(self, live: bool) -> None:
        if not self._record.module.background:
            self._record.activity.sources += live - self.live
        self.live = live

    def has_sent(self) -> None:
        """Turns of it are committed: they stay, at once or when they are on the disk. Its host is told."""
        self.life.has_sent()
        record = self._record
        turns = record.state.source_turns
        if record.notes is None:
            self.kept = turns
        else:
            record.notes.journal.when_durable(partial(self._keep, turns), soon=False)

    def _keep(self, turns: int) -> None:
        self.kept = turns
        self._port.act()

    def tell(self, frames: list[Frame]) -> None:
        """Add to what goes to the host how many turns stay, once it can be told."""
        if self._record.state.recall.link is Link.OPEN:
            frames.insert(0, Frame(Kind.PULL, self._record.slot, first=self.kept))
            self.kept = 0

    def receiveMsg_SourceFinished(self, message: from_bridge.SourceFinished, _sender: ActorAddress) -> None:
        """It has no more values, or has raised: then it is started again, or has failed."""
        if message.ok:
            self.life.ended()
            self._ended()
        else:
            self._failed()
        self._port.act()

    def gone(self) -> None:
        """Another version has it."""
        self._ended()
        self.life.begun(False)

    def _ended(self) -> None:
        self._set_live(False)

    def _failed(self) -> None:
        """It is started again after a while; or it has failed, and its error goes to the error port."""
        record, life = self._record, self.life
        again_s, error = life.failed(), life.error or {"type": "Error", "message": "unknown"}
        raised = to_flow.SourceRaised(flow=record.flow, module=record.module.id, error=error, again_s=again_s)
        self._port.send(record.owner, raised)
        if again_s is not None:
            self._port.wakeupAfter(again_s, partial(self._due, life.life))
            return
        self._failures.fail_source(error)
        self._ended()

    def _due(self, life: int) -> None:
        if self.life.time_up(life):
            self.restart()
            self._port.act()

    def restart(self) -> None:
        """When it is due: recall what the host has of us, credit too; then call `start` once more."""
        state = self._record.state
        if not self.life.due or state.recall.stops - {"restart"} or state.mailbox.dry is not None:
            return
        state.stop("restart")
        if state.recall.link is Link.OPEN and not state.mailbox.window and state.credit <= 0:
            self.life.called()
            again = to_bridge.RestartSource(slot=self._record.slot, body=start_body(state.source_turns, state.context))
            self._port.send(self._record.bridge, again)

    def receiveMsg_SourceRestarted(self, message: from_bridge.SourceRestarted, _sender: ActorAddress) -> None:
        """It runs again, or `start` itself has raised."""
        if self.life.state != "restarting":
            return
        record = self._record
        record.state.go_on("restart")
        if message.error is not None:
            self.life.raised(record.placed(record.module.id, message.error))
            self._failed()
        else:
            self.begun(message.source and self.live, message.source)
        self._port.act()

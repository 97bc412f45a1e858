"""The Bridge actor: owns one host, its link and its life. It knows frames and transactions, never what a body means."""

from __future__ import annotations

import logging
import select
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from thespian.actors import ActorAddress, WakeupMessage

from actors.error_text import error_text
from actors.host.deadlines import LOOK_S, Deadlines, Owed
from actors.host.link import Life
from actors.host.load import failure_sentence
from actors.host.members import Members
from actors.host.process import HostProcess
from actors.host.watch import HostWatch, Usage, usage
from actors.messages import bridge_to_flow as to_flow
from actors.messages import bridge_to_module as to_module
from actors.messages import flow_to_bridge as from_flow
from actors.messages import module_to_bridge as from_module
from runtimes import host_bodies as bodies
from runtimes.frames import ALL_SLOTS, Frame, Kind, ProtocolError

MAX_DEATHS = 5
DEATHS_PERIOD_S = 10.0
MAX_RESTARTS = 15  # without a commit: five messages in a row that kill their host
MAX_SILENCES = 3  # without a commit: deaths of a host that did not answer in time
_WHILE_STARTING = frozenset(("hello", "load", "wires", "start"))
_COMMIT = int(Kind.COMMIT)  # plain: an IntEnum's member costs more to look up
log = logging.getLogger("runner.host")
module_log = logging.getLogger("runner.module.log")
LEVELS = {"debug": 10, "info": 20, "warning": 30, "warn": 30, "error": 40, "critical": 50}


class BridgeActor(Members):
    """Starts the host, loads and wires its modules, applies its transactions, starts it again when it dies."""

    def __init__(self) -> None:
        super().__init__()
        self.starts = 0

    # starting ------------------------------------------------------------------------------------------------------

    def receiveMsg_StartHost(self, message: from_flow.StartHost, sender: ActorAddress) -> None:
        """Start the host and load every module, nothing more."""
        self.owner, self.flow, self.plan, self.command = sender, message.flow, message.plan, message.command
        self.key, self.placed = message.plan.key, message.placed
        self.members, self.names = dict(message.members), dict(message.plan.modules)
        self.outputs = dict(message.plan.outputs)
        self.folder, self.env, self.limits = message.folder, message.env, message.limits
        self.sweeper = message.sweeper
        self.life, self.muted = Life.NONE, message.mute_sources
        self.serving: frozenset[int] = frozenset()  # slots that work; the other members are loaded only
        self.owed = {"loaded"}  # what the flow waits for
        self.patient = True
        self.fusing_held, self.barred = message.hold_fusing, message.barred
        self.adding, self.died_adding = frozenset(), False
        self.deaths: deque[float] = deque()
        self.restarts = self.silences = 0  # since the last COMMIT
        self.fragile: set[int] = set()
        self.stderr.clear()
        self.stop_errors: dict[str, str] = {}
        self._start()

    def _start(self) -> None:
        self.starts += 1
        self.life = Life.STARTING
        self.new_link(self.outputs)
        self.new_probation()
        self.new_service()
        folder = self.folder.with_name(f"{self.folder.name}-{self.plan.key}-{self.starts}")
        try:
            self.host = HostProcess(self.command, folder, self.env, self.limits)
        except OSError as error:
            self.host = None
            self.sweep(folder)
            self._host_ended(f"it cannot be started: {error}")
            return
        for fd in (self.host.output_fd, self.host.pid_fd, self.host.log_fd):
            self.system.watch(fd, select.EPOLLIN, self.myAddress)
        self.expect("hello", "hello")
        self.watch_host(self.limits)

    @property
    def working(self) -> bool:
        """Loading is no turn: what it takes does not count."""
        return self.life in (Life.OPENING, Life.OPEN)

    def _hello(self, frame: Frame) -> None:
        self.conversation.hello(frame)
        self.met("hello")
        self.life = Life.LOADING
        for member in self.members.values():
            self.send(member, to_module.HostUp())

    def _result(self, frame: Frame) -> None:
        what, slot, result = self.conversation.result(frame)
        self.met(frame.first)
        if slot in self.members:  # else it has left meanwhile
            self._take_result(what, slot, result)
        if what in _ALL_DONE and not self.conversation.waits_for(what):
            _ALL_DONE[what](self)

    def _take_result(self, what: str, slot: int, result: bodies.Result) -> None:
        module = self.names[slot]
        name = f"{self.flow}/{module}"
        error = None if result.error is None or result.ok else self.placed(module, result.error.plain())
        if what == "load":
            self.hooks[slot] = frozenset(result.hooks)
            if error is not None:
                self.broken[slot] = failure_sentence(name, "load", error)
        elif what == "start" and error is not None:
            self.errors.append(failure_sentence(name, "start", error))
        elif what == "restart":
            again = to_module.SourceRestarted(source=result.source, error=error)
            self.send(self.members[slot], again)
        elif what in ("stop", "retire") and error is not None:
            self.stop_errors[module] = error_text(error)
        elif what == "start":
            self.started.add(slot)
            if result.source:
                self.sources.add(slot)
        elif what == "unload" and slot in self.leaving:
            self._forget(slot)

    def _take(self, frame: Frame) -> None:
        kind = frame.kind
        if kind == _COMMIT:
            self._commit(frame)
        elif self.life is Life.STARTING:
            self._hello(frame)
        elif kind == Kind.PAUSED:
            self.conversation.paused(frame)
            self.met(("pause", frame.slot))
            self.send(self.members[frame.slot], to_module.SlotPaused())
        elif kind == Kind.TURN:
            self.conversation.turn(frame)
            self.turn_seen = True
            self.send(self.members[frame.slot], to_module.TurnBegun(number=frame.first))
        elif kind == Kind.RESULT:
            self._result(frame)
        elif kind == Kind.LOG:
            self._module_log(frame)
        elif kind == Kind.FINISHED:
            ok = self.conversation.finished(frame)  # which may be of a slot that is nobody's
            self.send(self.members[frame.slot], to_module.SourceFinished(ok=ok))
            self.source_worked([frame.slot])
        elif kind == Kind.PONG:
            self.conversation.pong(frame)
            self.met(frame.first)
        else:
            raise ProtocolError(f"{Kind(kind).name} while {self.life.name}")

    def _commit(self, frame: Frame) -> None:
        """A transaction, all of it or nothing."""
        parts = self.conversation.transaction.commit(frame)
        self.unanswered = False
        self.commits += 1
        if self.restarts and any(part.consumed or part.pulled for _, part in parts):  # it works: what was wrong is over
            self.restarts = self.silences = 0
            self.deaths.clear()
        for slot, part in parts:
            self.send(self.members[slot], part)
        if self.fragile:
            self.source_worked([slot for slot, part in parts if part.pulled])

    def _module_log(self, frame: Frame) -> None:
        entry = bodies.entry(frame.body)
        if entry.level == "unwired" and frame.slot in self.members:
            self.send(self.members[frame.slot], to_module.PortUnwired(port=entry.text))
            return
        name = self.plan.key if frame.slot == ALL_SLOTS else self.names.get(frame.slot, str(frame.slot))
        module_log.log(LEVELS.get(entry.level, 20), "%s/%s: %s", self.flow, name, entry.text)

    # the end of a host ---------------------------------------------------------------------------------------------

    def receiveMsg_KillHost(self, message: from_module.KillHost, _sender: ActorAddress) -> None:
        """A turn took too long."""
        if self.host is not None and self.life is Life.OPEN:
            self.killed_for = message.reason
            self.host.kill()

    def _exited(self, host: HostProcess) -> None:
        status = self.end_host(host)  # what it committed before it died counts
        if self.killed_for:
            status = f"{self.killed_for} ({status})"
        elif self.watch is not None:
            status += self.watch.seen
        self._host_ended(status)

    def _host_ended(self, reason: str) -> None:
        life, self.life = self.life, Life.NONE
        stderr = "\n".join(self.stderr)
        for member in self.members.values():
            self.send(member, to_module.HostDown(reason=reason, stderr=stderr))
        for slot in self.leaving.copy():
            self._forget(slot)
        self._tell("removed", to_flow.MembersRemoved)
        for what, slot in self.conversation.requests.values():
            if what in ("stop", "retire") and "stop" in self.hooks[slot]:
                self.stop_errors[self.names[slot]] = f"it has not returned: {reason}"
        self.conversation.requests.clear()
        self.tell_retired()
        if life is Life.STOPPING:
            self.send(self.owner, to_flow.HostStopped(flow=self.flow, key=self.plan.key, errors=dict(self.stop_errors)))
            return
        log.warning("%s: the host %s has died: %s", self.flow, self.plan.key, reason)
        if not self.patient:
            error = f"{self.flow}: the host {self.plan.key} died before everything was started: {reason}"
            self._tell("started", to_flow.StartFailed, errors=(error,))
        self.give_up_adding(reason)
        blamed = self.turn_seen and (self.probing is not None or len(self.serving) == 1)
        given = self.conversation.given.items()
        self.fragile = {slot for slot, of in given if of.source and of.credit} if life is Life.OPEN else self.fragile
        idle = life is Life.OPEN and not self.unanswered and not self.broken_off and not self.fragile
        self._restart_or_fail(reason, stderr, blamed, idle)

    def _restart_or_fail(self, reason: str, stderr: str, blamed: bool, idle: bool) -> None:
        """Only deaths that cost progress count: not those of an idle host, and blame has limits of its own."""
        now = time.monotonic()
        if not blamed and not idle:
            self.deaths.append(now)
            while self.deaths[0] < now - DEATHS_PERIOD_S:
                self.deaths.popleft()
        self.restarts += 1
        too_many = len(self.deaths) >= MAX_DEATHS or (not idle and self.restarts >= MAX_RESTARTS)
        if too_many or self.silences >= MAX_SILENCES:
            lines = f"; its last words:\n{stderr}" if stderr else ""
            times = f"{self.restarts} times without progress"
            self._fail([f"{self.flow}: the host {self.plan.key} died {times}: {reason}{lines}"])
            return
        self.life = Life.WAITING
        delay_s = 0.0 if self.restarts < 2 else min(5.0, 0.1 * 2 ** min(self.restarts - 2, 6))
        self.wakeupAfter(delay_s, ("restart", self.starts))

    def receiveMsg_WakeupMessage(self, message: WakeupMessage, _sender: ActorAddress) -> None:
        """A restart is due, or something took too long."""
        if isinstance(message.payload, HostWatch):
            self.check_host(message.payload)
            return
        if isinstance(message.payload, Deadlines):
            self._look(message.payload)
            return
        what, starts = message.payload
        if starts != self.starts:
            return
        if what == "restart" and self.life is Life.WAITING:
            self._start()

    def _look(self, deadlines: Deadlines) -> None:
        """Whether the host is late."""
        if deadlines is not self.deadlines or self.host is None or self.killed_for is not None:
            return
        said, overdue = deadlines.look(time.monotonic(), self.conversation.works)
        for text in said:
            log.warning("%s", text)
        if overdue is not None:
            self._late(self.host, overdue)
        elif deadlines.any:
            self.wakeupAfter(LOOK_S, deadlines)

    def _late(self, host: HostProcess, owed: Owed) -> None:
        """It does not answer: end it. What was to be started or loaded is not tried again and again."""
        self.killed_for = f"{owed.what} took longer than {owed.seconds:g} s"
        log.error("%s: the host %s is killed: %s", self.flow, self.plan.key, self.killed_for)
        self.silences += 1
        if owed.phase in _WHILE_STARTING:
            error = f"{self.flow}: the host {self.plan.key} does not answer: {self.killed_for}"
            self._tell("loaded", to_flow.LoadFailed, errors=(error,))
            self._tell("started", to_flow.StartFailed, errors=(error,))
            self.died_adding = self.died_adding or owed.phase == "load"
        host.kill()

    def receiveMsg_StopHost(self, _message: from_flow.StopHost, _sender: ActorAddress) -> None:
        """Hooks, STOP, exit."""
        life, self.life = self.life, Life.STOPPING
        if self.host is None:
            self._host_ended("stopped")
            return
        if life is not Life.OPEN:
            self.host.kill()
            return
        for slot in self.started:
            self.call_stop("stop", slot)
        if not self.conversation.waits_for("stop"):
            self._all_stopped()

    def _all_stopped(self) -> None:
        self.expect("exit", "exit")
        self._write([Frame(Kind.STOP)])

    # others --------------------------------------------------------------------------------------------------------

    def receiveMsg_DescribeHost(self, message: from_flow.DescribeHost, sender: ActorAddress) -> None:
        """Our figures; the host's memory and processor time are those of its process and all below it."""
        used = usage(self.host.pid) if self.host else Usage(0, 0.0, 0)
        figures: dict[str, Any] = {
            "host": self.plan.key, "runtime": self.plan.runtime, "life": self.life.name.lower(), "starts": self.starts,
            "pid": self.host.pid if self.host else None, "modules": list(self.plan.modules.values()),
            "memoryMb": round(used.memory_bytes / (1 << 20), 1), "cpuS": used.cpu_s,
        }  # fmt: skip
        self.send(sender, to_flow.HostDescribed(request_id=message.request_id, key=self.plan.key, figures=figures))


_ALL_DONE: dict[str, Callable[[BridgeActor], None]] = {
    "load": BridgeActor._all_loaded,
    "start": BridgeActor._all_started,
    "retire": BridgeActor.tell_retired,
    "stop": BridgeActor._all_stopped,
    "unload": BridgeActor._all_unloaded,
}

"""The Bridge actor: owns one host and its life. It knows frames and transactions, never what a body means.

What it has: `members`, `reports`, `bars` and `restarts` from StartHost on; for every start of the host anew a `host`
(its process and link), `orders`, `commits`, `probation`, `fusing`, `following` and `service`.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from functools import partial
from typing import Any, ClassVar

from thespian.actors import ActorAddress, WakeupMessage

from actors.host.commit import Commits
from actors.host.deadlines import Owed
from actors.host.following import Following
from actors.host.fusing import Bars, Fusing
from actors.host.host import Host, Progress
from actors.host.life import HostLife, Life
from actors.host.members import Members
from actors.host.orders import Orders
from actors.host.owner import HostOwner
from actors.host.printed import STDERR_LINES
from actors.host.probation import Probation
from actors.host.reports import Reports
from actors.host.restarts import Restarts
from actors.host.service import Service
from actors.host.watch import Usage, usage
from actors.messages import bridge_to_flow as to_flow
from actors.messages import bridge_to_module as to_module
from actors.messages import flow_to_bridge as from_flow
from actors.messages import module_to_bridge as from_module
from runtimes import host_bodies as bodies
from runtimes.frames import ALL_SLOTS, Frame, Kind, ProtocolError

_WHILE_STARTING = frozenset(("hello", "load", "wires", "start"))
_COMMIT = int(Kind.COMMIT)  # plain: an IntEnum's member costs more to look up
_OPEN = Life.OPEN
log = logging.getLogger("runner.host")
LEVELS = {"debug": 10, "info": 20, "warning": 30, "warn": 30, "error": 40, "critical": 50}


class BridgeActor(HostOwner):
    """Starts the host, hands its frames to those who know what to do, starts it again when it dies."""

    parts: ClassVar[tuple[str, ...]] = ("service", "probation", "fusing")
    order: from_flow.StartHost
    members: Members
    reports: Reports
    bars: Bars
    restarts: Restarts
    orders: Orders
    commits: Commits
    probation: Probation
    fusing: Fusing
    following: Following
    service: Service

    def __init__(self) -> None:
        super().__init__()
        self.starts = 0
        self.host_life = HostLife("that is to come")
        self.stderr: deque[str] = deque(maxlen=STDERR_LINES)

    @property
    def life(self) -> Life:
        """What the host is doing."""
        return self.host_life.now

    # starting ------------------------------------------------------------------------------------------------------

    def receiveMsg_StartHost(self, message: from_flow.StartHost, sender: ActorAddress) -> None:
        """Start the host and load every module, nothing more."""
        self.owner, self.flow, self.order = sender, message.flow, message
        self.key = message.plan.key
        self.host_life = HostLife(f"{self.key} of {message.flow}")
        self.members = Members(self, message.plan, message.members, message.secrets)
        self.reports = Reports(self, sender, message.flow, self.key)
        self.bars = Bars(held=message.hold_fusing, modules=message.barred)
        self.restarts = Restarts()
        self.stderr.clear()
        self._start()

    def _start(self) -> None:
        order, life, members = self.order, self.host_life, self.members
        self.starts += 1
        life.move("start")
        host = self._new_host()
        transaction = host.conversation.transaction
        self.following = Following(
            self, order.tracing, host.conversation.given, lambda: members.plan, lambda: self.fusing.fused
        )
        self.commits = Commits(
            self, order.flow, self.key, self.starts, transaction, members.actors, order.follower,
            see=self.following.committed,
        )  # fmt: skip
        self.orders = Orders(self, host, self.commits, members.names, self._late)
        self.fusing = Fusing(host, members, self.reports, self.bars, self._is_steady)
        self.probation = Probation(life, members, over=self.fusing.drain)
        self.service = Service(
            order.flow, life, host, self.orders, members, self.probation, self.fusing, self.reports, order.placed,
            muted=order.mute_sources,
        )  # fmt: skip
        folder = order.folder.with_name(f"{order.folder.name}-{self.key}-{self.starts}")
        try:
            host.start(order.command, folder, order.env, order.limits, self._progress)
        except OSError as error:
            self._host_ended(f"it cannot be started: {error}")
            return
        self.host = host
        self.orders.expect("hello", "hello")

    def _new_host(self) -> Host:
        return Host(
            self, self.flow, self.key, self.order.sweeper, self.members.outputs, self.stderr, take=self._take,
            ended=self._exited,
        )  # fmt: skip

    def _progress(self) -> Progress:
        """Loading is no turn: what it takes does not count."""
        working = self.life in (Life.OPENING, Life.OPEN)
        return Progress(commits=self.commits.number, busy=self.orders.unanswered, working=working)

    def _is_steady(self) -> bool:
        return self.life is _OPEN and not self.probation.under_way

    # the host's frames ---------------------------------------------------------------------------------------------

    def receiveMsg_SendFrames(self, message: from_module.SendFrames, _sender: ActorAddress) -> None:
        """Frames of a module; dropped when there is no host, for the module will get HostDown."""
        if self.host_life.now is _OPEN:
            slot, frames = message
            if self.order.tracing.is_on:
                frames = self.following.mark(slot, frames)
            self.orders.give(slot, frames)

    def _take(self, frame: Frame) -> None:
        kind = frame[0]
        if kind == _COMMIT:
            self._commit(frame)
            return
        host = self.host
        assert host is not None
        conversation, slot = host.conversation, frame.slot
        if self.life is Life.STARTING:
            conversation.hello(frame)
            self.orders.met("hello")
            self.host_life.move("hello")
            self.members.tell_all(self.members.host_up())
        elif kind == Kind.PAUSED:
            conversation.paused(frame)
            self.orders.met(("pause", slot))
            self.following.recalled(slot)
            self.members.tell(slot, to_module.SlotPaused())
        elif kind == Kind.TURN:
            conversation.turn(frame)
            if not self.following.begun(slot, frame.first):
                self.probation.turn_begun()
                self.members.tell(slot, to_module.TurnBegun(number=frame.first))
        elif kind == Kind.RESULT:
            self.service.result(frame)
        elif kind == Kind.LOG:
            self._module_log(frame)
        elif kind == Kind.FINISHED:
            ok = conversation.finished(frame)  # which may be of a slot that is nobody's
            self.members.tell(slot, to_module.SourceFinished(ok=ok))
            self.fusing.source_worked([slot])
        elif kind == Kind.PONG:
            conversation.pong(frame)
            self.orders.met(frame.first)
        else:
            raise ProtocolError(f"{Kind(kind).name} while {self.life.name}")

    def _commit(self, frame: Frame) -> None:
        parts = self.commits.take(frame)
        if self.restarts.count and any(part.consumed or part.pulled for _, part in parts):
            self.restarts.worked()
        if self.bars.fragile:
            self.fusing.source_worked([slot for slot, part in parts if part.pulled])

    def _module_log(self, frame: Frame) -> None:
        entry, slot = bodies.entry(frame.body), frame.slot
        if entry.level == "unwired" and slot in self.members.actors:
            self.members.tell(slot, to_module.PortUnwired(port=entry.text))
            return
        name = self.key if slot == ALL_SLOTS else self.members.names.get(slot, str(slot))
        assert self.host is not None
        self.host.log.say(name, LEVELS.get(entry.level, 20), entry.text)

    # the end of a host ---------------------------------------------------------------------------------------------

    def receiveMsg_KillHost(self, message: from_module.KillHost, _sender: ActorAddress) -> None:
        """A turn took too long."""
        if self.host is not None and self.life is _OPEN:
            self.host.link.kill(message.reason)

    def _late(self, owed: Owed) -> None:
        """It does not answer: end it. What was to be started or loaded is not tried again and again."""
        assert self.host is not None
        reason = f"{owed.what} took longer than {owed.seconds:g} s"
        log.error("%s is killed: %s", self.reports.title, reason)
        self.restarts.silent()
        if owed.phase in _WHILE_STARTING:
            error = f"{self.reports.title} does not answer: {reason}"
            self.service.tell_loaded(to_flow.LoadFailed, errors=(error,))
            self.reports.settle("started", to_flow.StartFailed, errors=(error,))
        self.host.link.kill(reason)

    def _exited(self, status: str) -> None:
        host, self.host = self.host, None
        assert host is not None
        self.following.died(host.link.killed_for or status)
        if host.link.killed_for:
            status = f"{host.link.killed_for} ({status})"
        elif host.watch is not None:
            status += host.watch.seen
        self._host_ended(status, host)

    def _host_ended(self, reason: str, host: Host | None = None) -> None:
        """`host`: the one that had been started."""
        life = self.life
        self.host_life.move("died")
        stderr = "\n".join(self.stderr)
        self.members.tell_all(to_module.HostDown(reason=reason, stderr=stderr))
        stop_errors = self.service.end(reason)
        if life is Life.STOPPING:
            self.reports.tell(to_flow.HostStopped, errors=dict(stop_errors))
            return
        log.warning("%s has died: %s", self.reports.title, reason)
        if not self.reports.patient:
            error = f"{self.reports.title} died before everything was started: {reason}"
            self.reports.settle("started", to_flow.StartFailed, errors=(error,))
        self.service.give_up_adding(reason)
        idle = False
        if life is _OPEN and host is not None:
            given = host.conversation.given.items()
            self.fusing.host_died({slot for slot, of in given if of.source and of.credit})
            idle = not self.orders.unanswered and not host.link.broken_off and not self.bars.fragile
        delay_s = self.restarts.died(time.monotonic(), blamed=self.probation.blames, idle=idle)
        if delay_s is None:
            lines = f"; its last words:\n{stderr}" if stderr else ""
            times = f"{self.restarts.count} times without progress"
            self.service.fail([f"{self.reports.title} died {times}: {reason}{lines}"])
            return
        self.host_life.move("wait")
        self.wakeupAfter(delay_s, partial(self._restart, self.starts))

    def _restart(self, starts: int) -> None:
        if self.life is Life.WAITING and starts == self.starts:
            self._start()

    def receiveMsg_WakeupMessage(self, message: WakeupMessage, _sender: ActorAddress) -> None:
        """What we or our parts wanted to do now."""
        message.payload()

    def receiveMsg_StopHost(self, _message: from_flow.StopHost, _sender: ActorAddress) -> None:
        """Run the `stop` hooks of an open host, send STOP and wait for its exit; any other is killed."""
        life = self.life
        self.host_life.move("stop")
        if self.host is None:
            self._host_ended("stopped")
        elif life is _OPEN:
            self.service.stop()
        else:
            self.host.kill()

    # others --------------------------------------------------------------------------------------------------------

    def receiveMsg_ChangePlan(self, message: from_flow.ChangePlan, _sender: ActorAddress) -> None:
        """An input or an output more; adding is safe at any time."""
        if self.life is Life.NONE:
            return  # StartHost brings the plan
        self.members.change(message.plan)
        if self.life in (Life.OPENING, Life.OPEN):
            self.fusing.write_wires()

    def receiveMsg_DescribeHost(self, message: from_flow.DescribeHost, sender: ActorAddress) -> None:
        """Our figures; the host's memory and processor time are those of its process and all below it."""
        pid = self.host.pid if self.host is not None else None
        used = usage(pid) if pid is not None else Usage(0, 0.0, 0)
        plan = self.members.plan
        figures: dict[str, Any] = {
            "host": plan.key, "runtime": plan.runtime, "life": self.life.name.lower(), "starts": self.starts,
            "pid": pid, "modules": list(plan.modules.values()),
            "memoryMb": round(used.memory_bytes / (1 << 20), 1), "cpuS": used.cpu_s,
        }  # fmt: skip
        self.send(sender, to_flow.HostDescribed(request_id=message.request_id, key=plan.key, figures=figures))

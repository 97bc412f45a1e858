"""The Bridge actor: owns one host, its link and its life. It knows frames and transactions, never what a body means."""

from __future__ import annotations

import contextlib
import logging
import select
import time
from collections import deque
from typing import Any

import orjson
from thespian.actors import ActorAddress, ActorExitRequest, WakeupMessage

from actors.host_link import Life, module_log
from actors.host_process import HostProcess
from actors.messages import bridge_to_module as to_module
from actors.messages import bridge_to_runner as to_runner
from actors.messages import module_to_bridge as from_module
from actors.messages import runner_to_bridge as from_runner
from actors.probation import Probation
from actors.transaction import Transaction
from runtimes.frames import ALL_SLOTS, PROTOCOL_VERSION, Frame, Kind, ProtocolError

HELLO_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0
MAX_DEATHS = 5
DEATHS_PERIOD_S = 10.0
MAX_RESTARTS = 15  # without a commit: five messages in a row that kill their host
log = logging.getLogger("runner.host")
# Plain numbers: an IntEnum's member costs more to look up than everything else that is done with a frame's kind.
_COMMIT = int(Kind.COMMIT)
_TRANSACTION = frozenset(map(int, (Kind.DATA, Kind.CONTEXT, Kind.ERROR)))
LEVELS = {"debug": 10, "info": 20, "warning": 30, "warn": 30, "error": 40, "critical": 50}


class BridgeActor(Probation):
    """Starts the host, loads and wires its modules, applies its transactions, starts it again when it dies."""

    def __init__(self) -> None:
        super().__init__()
        self.starts = 0

    # starting ------------------------------------------------------------------------------------------------------

    def receiveMsg_StartHost(self, message: from_runner.StartHost, sender: ActorAddress) -> None:
        """Start the host and load every module, nothing more."""
        self.runner, self.flow, self.plan, self.runtime = sender, message.flow, message.plan, message.runtime
        self.members, self.folder, self.env = message.members, message.folder, message.env
        self.life, self.muted = Life.NONE, message.mute_sources
        self.begun = False  # StartModules has come: the host starts again when it dies
        self.opened = False  # ModulesStarted has been told
        self.deaths: deque[float] = deque()
        self.restarts = 0  # since the last COMMIT
        self.stderr.clear()
        self.stop_errors: list[str] = []
        self._start()

    def _start(self) -> None:
        self.starts += 1
        self.life = Life.STARTING
        self.new_link()
        self.new_probation()
        self.transaction = Transaction(self.plan.outputs)
        self.requests: dict[int, tuple[str, int]] = {}
        self.request_count = 0
        self.hooks: dict[int, frozenset[str]] = {}
        self.sources: set[int] = set()
        self.start_turns: dict[int, int] = {}
        self.errors: list[str] = []
        try:
            self.host = HostProcess(
                self.runtime.host_command(), self.folder / f"{self.plan.key}-{self.starts}", self.env
            )
        except OSError as error:
            self.host = None
            self._host_ended(f"it cannot be started: {error}")
            return
        for fd in (self.host.output_fd, self.host.pid_fd, self.host.log_fd):
            self.system.watch(fd, select.EPOLLIN, self.myAddress)
        self.wakeupAfter(HELLO_TIMEOUT_S, ("hello", self.starts))

    def _hello(self, frame: Frame) -> None:
        assert self.host is not None
        self.host.unlink_fifos()
        hello = orjson.loads(frame.body)
        if hello.get("protocol") != PROTOCOL_VERSION:
            raise ProtocolError(f"the host speaks protocol {hello.get('protocol')}, this runner {PROTOCOL_VERSION}")
        self.life = Life.LOADING
        for member in self.members:
            self.send(member, to_module.HostUp())

    def receiveMsg_LoadModule(self, message: from_module.LoadModule, _sender: ActorAddress) -> None:
        """A module's code and context, for the host."""
        if self.life is not Life.LOADING:
            return  # the host has died meanwhile
        self.suspects[message.slot] = message.suspects
        self.unfusable |= message.waiting
        self.start_turns[message.slot] = message.start_turns
        self._request("load", message.slot, Kind.LOAD, message.body)

    def _request(self, what: str, slot: int, kind: Kind, body: bytes) -> None:
        self.request_count += 1
        self.requests[self.request_count] = (what, slot)
        self._write([Frame(kind, slot, body, first=self.request_count)])

    def _result(self, frame: Frame) -> None:
        what, slot = self.requests.pop(frame.first)
        result = orjson.loads(frame.body)
        name = f"{self.flow}/{self.plan.modules[slot]}"
        if not result["ok"]:
            (self.stop_errors if what == "stop" else self.errors).append(_sentence(name, what, result["error"]))
        elif what == "load":
            self.hooks[slot] = frozenset(result.get("hooks", ()))
        elif what == "start" and result.get("source"):
            self.sources.add(slot)
        if self.requests:
            return
        if self.life is Life.STOPPING:
            self._write([Frame(Kind.STOP)])
        elif self.errors:
            self._fail(self.errors)
        elif self.life is Life.LOADING:
            if len(self.hooks) < len(self.members):
                return  # the others' LOAD is still to come
            self.life = Life.LOADED
            if self.begun:
                self._start_modules()
            else:
                self.send(self.runner, to_runner.HostLoaded(flow=self.flow, key=self.plan.key))
        elif self.life is Life.OPENING:
            self._open()

    def receiveMsg_StartModules(self, _message: from_runner.StartModules, _sender: ActorAddress) -> None:
        """Every host of the flow is loaded: wire and start."""
        self.begun = True
        if self.life is Life.LOADED:
            self._start_modules()

    def _start_modules(self) -> None:
        self.life = Life.OPENING
        self.probation = any(self.suspects.values())
        clean = not self.probation and not self.unfusable & self.plan.fusable_wires
        self.fused = self.plan.fusable_wires if clean else frozenset()
        wirings = self.plan.wirings(self.fused)
        self._write([Frame(Kind.WIRES, slot, orjson.dumps(body)) for slot, body in enumerate(wirings)])
        for slot, hooks in self.hooks.items():
            if "start" in hooks:
                body = {"hook": "start", "turns": self.start_turns[slot]}
                self._request("start", slot, Kind.CALL, orjson.dumps(body))
        if not self.requests:
            self._open()

    def _open(self) -> None:
        self.life = Life.OPEN
        for slot, member in enumerate(self.members):
            self.send(
                member,
                to_module.HostOpen(
                    source=slot in self.sources and not self.muted,
                    muted=slot in self.sources and self.muted,
                    probation=self.probation,
                    fused=self.fused,
                ),
            )
        if not self.opened:
            self.opened = True
            self.send(self.runner, to_runner.ModulesStarted(flow=self.flow, key=self.plan.key))
        if self.probation:
            again = sum(self.suspects.values())
            log.info("%s: %s: %d messages are delivered again, one at a time", self.flow, self.plan.key, again)
            self._probe_next()
        elif self.fused != self.plan.fusable_wires:
            self._drain_to_fuse()

    def _fail(self, errors: list[str]) -> None:
        """Give the host up for good; the runner stops the flow."""
        self.life = Life.STOPPING
        self.send(self.runner, to_runner.HostFailed(flow=self.flow, key=self.plan.key, errors=tuple(errors)))
        if self.host is not None:
            self.host.kill()

    def receiveMsg_ChangePlan(self, message: from_runner.ChangePlan, _sender: ActorAddress) -> None:
        """An input or an output more; adding is safe at any time."""
        if self.life is Life.NONE:
            return  # StartHost brings the plan
        self.plan = message.plan
        self.transaction.outputs = self.plan.outputs
        if self.life in (Life.OPENING, Life.OPEN):
            body = self.plan.wirings(self.fused)[message.slot]
            self._write([Frame(Kind.WIRES, message.slot, orjson.dumps(body))])

    def _take(self, frame: Frame) -> None:
        kind = frame.kind
        if kind == _COMMIT:
            self.unanswered = False
            if self.restarts:  # it works: whatever was wrong is over
                self.restarts = 0
                self.deaths.clear()
            for slot, part in self.transaction.commit(frame):
                self.send(self.members[slot], part)
        elif kind in _TRANSACTION:
            self.transaction.add(frame)
        elif kind == Kind.PAUSED:
            self.send(self.members[frame.slot], to_module.SlotPaused())
        elif kind == Kind.TURN:
            self.turn_seen = True
            self.send(self.members[frame.slot], to_module.TurnBegun(number=frame.first))
        elif kind == Kind.RESULT:
            self._result(frame)
        elif kind == Kind.LOG:
            self._module_log(frame)
        elif kind == Kind.FINISHED:
            self.send(self.members[frame.slot], to_module.SourceFinished(ok=orjson.loads(frame.body)["ok"]))
        elif kind == Kind.HELLO and self.life is Life.STARTING:
            self._hello(frame)
        elif kind != Kind.PONG:
            raise ProtocolError(f"a frame of kind {kind} while {self.life.name}")

    def _module_log(self, frame: Frame) -> None:
        entry = orjson.loads(frame.body)
        name = self.plan.key if frame.slot == ALL_SLOTS else self.plan.modules[frame.slot]
        module_log.log(LEVELS.get(entry["level"], 20), "%s/%s: %s", self.flow, name, entry["text"])

    # the end of a host ---------------------------------------------------------------------------------------------

    def receiveMsg_KillHost(self, message: from_module.KillHost, _sender: ActorAddress) -> None:
        """A turn took too long."""
        if self.host is not None and self.life is Life.OPEN:
            self.killed_for = message.reason
            self.host.kill()

    def _exited(self, host: HostProcess) -> None:
        while self._read(host):  # what it committed before it died counts
            pass
        while self._read_log(host):
            pass
        for fd in (host.output_fd, host.input_fd, host.log_fd, host.pid_fd):
            self.system.unwatch(fd)
        self.host = None
        status = host.reap()
        self._host_ended(f"{self.killed_for} ({status})" if self.killed_for else status)

    def _host_ended(self, reason: str) -> None:
        life, self.life = self.life, Life.NONE
        stderr = "\n".join(self.stderr)
        for member in self.members:
            self.send(member, to_module.HostDown(reason=reason, stderr=stderr))
        if life is Life.STOPPING:
            self.send(
                self.runner,
                to_runner.HostStopped(flow=self.flow, key=self.plan.key, errors=tuple(self.stop_errors)),
            )
            return
        log.warning("%s: the host %s has died: %s", self.flow, self.plan.key, reason)
        blamed = self.turn_seen and (self.probing is not None or len(self.members) == 1)
        idle = life is Life.OPEN and not self.unanswered
        self._restart_or_fail(reason, stderr, blamed, idle)

    def _restart_or_fail(self, reason: str, stderr: str, blamed: bool, idle: bool) -> None:
        """Only deaths that cost progress count: not those of an idle host, and blame has limits of its own."""
        now = time.monotonic()
        if not blamed and not idle:
            self.deaths.append(now)
            while self.deaths[0] < now - DEATHS_PERIOD_S:
                self.deaths.popleft()
        self.restarts += 1
        if len(self.deaths) >= MAX_DEATHS or (not idle and self.restarts >= MAX_RESTARTS):
            lines = f"; its last words:\n{stderr}" if stderr else ""
            times = f"{self.restarts} times without progress"
            self._fail([f"{self.flow}: the host {self.plan.key} died {times}: {reason}{lines}"])
            return
        self.life = Life.WAITING
        delay_s = 0.0 if self.restarts < 2 else min(5.0, 0.1 * 2 ** (self.restarts - 2))
        self.wakeupAfter(delay_s, ("restart", self.starts))

    def receiveMsg_WakeupMessage(self, message: WakeupMessage, _sender: ActorAddress) -> None:
        """A restart is due, or something took too long."""
        what, starts = message.payload
        if starts != self.starts:
            return
        if what == "restart" and self.life is Life.WAITING:
            self._start()
        elif what == "hello" and self.life is Life.STARTING and self.host is not None:
            self.killed_for = f"it said no HELLO within {HELLO_TIMEOUT_S:g} s"
            self.host.kill()
        elif what == "stop" and self.life is Life.STOPPING and self.host is not None:
            log.warning("%s: the host %s did not stop within %g s: killed", self.flow, self.plan.key, STOP_TIMEOUT_S)
            self.host.kill()

    def receiveMsg_StopHost(self, _message: from_runner.StopHost, _sender: ActorAddress) -> None:
        """Hooks, STOP, exit."""
        life, self.life = self.life, Life.STOPPING
        if self.host is None:
            self._host_ended("stopped")
            return
        self.wakeupAfter(STOP_TIMEOUT_S, ("stop", self.starts))
        if life is not Life.OPEN:
            self.host.kill()
            return
        for slot, hooks in self.hooks.items():
            if "stop" in hooks:
                self._request("stop", slot, Kind.CALL, b'{"hook":"stop"}')
        if not self.requests:
            self._write([Frame(Kind.STOP)])

    # others --------------------------------------------------------------------------------------------------------

    def receiveMsg_DescribeHost(self, message: from_runner.DescribeHost, sender: ActorAddress) -> None:
        """Our figures."""
        figures: dict[str, Any] = {
            "host": self.plan.key, "runtime": self.plan.runtime, "life": self.life.name.lower(), "starts": self.starts,
            "pid": self.host.pid if self.host else None, "modules": list(self.plan.modules),
        }  # fmt: skip
        self.send(sender, to_runner.HostDescribed(request_id=message.request_id, key=self.plan.key, figures=figures))

    def receiveMsg_ActorExitRequest(self, _message: ActorExitRequest, _sender: ActorAddress) -> None:
        """Leave no process behind."""
        if self.host is not None:
            for fd in (self.host.output_fd, self.host.input_fd, self.host.log_fd, self.host.pid_fd):
                self.system.unwatch(fd)
            with contextlib.suppress(ChildProcessError):
                self.host.reap()
            self.host = None


def _sentence(name: str, what: str, error: dict[str, Any]) -> str:
    """An ERROR of the protocol as a sentence with its place."""
    place = error.get("file") or ""
    if error.get("line"):
        place += f":{error['line']}" + (f":{error['column']}" if error.get("column") else "")
    doing = {"load": "cannot be loaded", "start": "start failed", "stop": "stop failed"}[what]
    return f"{name} {doing}: {place + ': ' if place else ''}{error['type']}: {error['message']}"

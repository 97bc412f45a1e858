"""The Trial actor: proves new versions of modules in a host of their own, beside the flow, before anything is touched.

A load can block or kill an interpreter, so it is tried here first. The host has a low priority, feeds nobody and never
becomes the flow's: it only migrates contexts when the update comes to that.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from thespian.actors import ActorAddress, ActorExitRequest, WakeupMessage

from actors.host.deadlines import seconds
from actors.host.host import Host, Progress
from actors.host.load import Context, encode_context, failure_sentence
from actors.host.owner import HostOwner
from actors.host.printed import STDERR_LINES
from actors.messages import flow_to_trial as from_flow
from actors.messages import trial_to_flow as to_flow
from actors.system.job import Expect, Operation, Steps
from runtimes import host_bodies as bodies
from runtimes.frames import Frame, Kind, ProtocolError
from runtimes.given import Given
from runtimes.host_bodies import Result

NICENESS = 10


class TrialActor(HostOwner):
    """One host and a list of requests, one after the other."""

    patience_s = math.inf  # if somebody has less than the limits say

    def receiveMsg_RunTrial(self, message: from_flow.RunTrial, sender: ActorAddress) -> None:
        """Start a host and load what is to be tried; then TrialEnded."""
        self.owner, self.flow, self.key = sender, message.flow, message.key
        self.placed = message.placed
        self.load_ms: dict[str, float] = {}
        self.slots: dict[str, int] = {}
        self.timeouts_s: dict[int, float | None] = {}
        self.hooks: dict[str, list[str]] = {}
        self.changes: dict[int, Context] = {}
        self.request = 0
        self.greeted = self.ending = False
        self.cpu_ms = 0.0
        self.status = ""
        self.stderr: deque[str] = deque(maxlen=STDERR_LINES)
        host = self._new_host(message)
        self.conversation, self.link = host.conversation, host.link
        try:
            host.start(message.command, message.folder, message.env, message.limits, _nothing_counts, NICENESS)
        except OSError as error:
            self._end_trial((f"{self.flow}: a host of {message.key} cannot be started: {error}",))
            return
        self.host = host
        self._run(self._trying(message.modules), self._end_trial)

    def _new_host(self, message: from_flow.RunTrial) -> Host:
        return Host(self, self.flow, self.key, message.sweeper, {}, self.stderr, take=self._take, ended=self._exited)

    def _run(self, steps: Steps, done: Any) -> None:
        self.operation = Operation(steps, done, self._broken, self.wakeupAfter)
        self.operation.begin()

    def _broken(self, error: Exception) -> None:
        self.failed(error, self.operation, self.owner)

    def _end_trial(self, errors: tuple[str, ...]) -> None:
        self.send(self.owner, to_flow.TrialEnded(flow=self.flow, key=self.key, errors=errors, load_ms=self.load_ms))

    def _trying(self, modules: tuple[from_flow.TrialModule, ...]) -> Steps:
        self.limit_s = seconds("hello", None)
        hello = yield Expect(["hello"], self.limit_s)
        if hello.get("hello") is None:
            return (self._why("start"),)
        errors = []
        for number, module in enumerate(modules):
            if module.running is not None:  # what both versions import is then no part of the new one's time
                yield from self._ask("load", 2 * number, module.running)
            self.slots[module.module] = slot = 2 * number + 1
            self.timeouts_s[slot] = module.timeout_s
            begun = time.monotonic() - self._waited_s()
            result = yield from self._ask("load", slot, module.new)
            self.load_ms[module.module] = (time.monotonic() - self._waited_s() - begun) * 1000
            error = self._error(module.module, "load", result)
            if error is None:
                self.hooks[module.module] = result.hooks
                if module.migrate is not None:
                    error = (yield from self._migrate(module.module, *module.migrate))[1]
            if error is not None:
                errors.append(error)
            if self.host is None:
                break
        return tuple(errors)

    def _migrate(self, module: str, from_version: int, context: Context) -> Steps:
        """The migrated context, and None or why it could not be migrated."""
        name = f"{self.flow}/{module}"
        if "migrate" not in self.hooks[module]:
            return context, (
                f"{name}: state_version differs from {from_version}, which its context has, but it defines no migrate"
            )
        slot = self.slots[module]
        body = orjson.dumps({"hook": "migrate", "from_version": from_version})
        self.changes[slot] = dict(context)
        self.conversation.given[slot].set_context(context)
        result = yield from self._ask("migrate", slot, body[:-1] + b',"context":' + encode_context(context) + b"}")
        return self.changes[slot], self._error(module, "migrate", result)

    def _ask(self, what: str, slot: int, body: bytes) -> Steps:
        if self.host is not None:
            self.request = self.conversation.ask(what, slot)
            if what == "load":
                self.conversation.given[slot] = Given()
            self.link.write([Frame(Kind.LOAD if what == "load" else Kind.CALL, slot, body, first=self.request)])
            self.limit_s = min(self.patience_s, seconds(what, self.timeouts_s.get(slot)))
            came = yield Expect([("result", self.request)], self.limit_s)
            return came.get(("result", self.request))
        return None

    def _error(self, module: str, what: str, result: Result | None) -> str | None:
        if result is None:
            return f"{self.flow}/{module}: {self._why(what)}"
        if result.ok or result.error is None:
            return None
        return failure_sentence(f"{self.flow}/{module}", what, self.placed(module, result.error.plain()))

    def _why(self, what: str) -> str:
        doing = {"start": "its start", "load": "loading it", "migrate": "migrating its context"}[what]
        if self.host is not None:
            return f"a {self.key} host did not end {doing} within {self.limit_s:g} s"
        last = "".join(f"\n{line}" for line in self.stderr)
        return f"a {self.key} host died while {doing}: {self.link.killed_for or self.status}{last}"

    def _waited_s(self) -> float:
        """How long the host has waited for a processor: that is no part of what a load takes."""
        try:
            text = Path(f"/proc/{self.host.pid}/schedstat").read_text() if self.host is not None else "0 0 0"
        except OSError:
            return 0.0
        return int(text.split()[1]) / 1e9

    def receiveMsg_MigrateContexts(self, message: from_flow.MigrateContexts, _sender: ActorAddress) -> None:
        """Migrate these contexts, which are final, in the host that is there; then ContextsMigrated."""

        def done(result: tuple[dict[str, Context], tuple[str, ...]]) -> None:
            answer = to_flow.ContextsMigrated(flow=self.flow, key=self.key, contexts=result[0], errors=result[1])
            self.send(self.owner, answer)

        self._run(self._migrating(message.contexts), done)

    def _migrating(self, contexts: dict[str, tuple[int, Context]]) -> Steps:
        migrated, errors = {}, []
        for module, (from_version, context) in contexts.items():
            migrated[module], error = yield from self._migrate(module, from_version, context)
            if error is not None:
                errors.append(error)
        return migrated, tuple(errors)

    def _take(self, frame: Frame) -> None:
        conversation = self.conversation
        if frame.kind == Kind.COMMIT:
            self._commit(frame)
        elif not self.greeted:
            conversation.hello(frame)
            self.greeted = True
            self.operation.resolve("hello", True)
        elif frame.kind == Kind.RESULT:
            self.operation.resolve(("result", frame.first), conversation.result(frame)[2])
        elif frame.kind == Kind.LOG:
            bodies.entry(frame.body)
        else:
            raise ProtocolError(f"{Kind(frame.kind).name} in a trial")

    def _commit(self, frame: Frame) -> None:
        for slot, part in self.conversation.transaction.commit(frame):
            if slot in self.changes:  # what others say is of no use
                change_context(self.changes[slot], part.context)

    def receiveMsg_WakeupMessage(self, message: WakeupMessage, _sender: ActorAddress) -> None:
        """A step took too long, or it is time to look at what the host uses."""
        if callable(message.payload):
            message.payload()
            return
        operation, step = message.payload
        operation.time_up(step)

    def _exited(self, status: str) -> None:
        assert self.host is not None
        self.status, self.cpu_ms, self.host = status, self.host.cpu_s * 1000, None
        if self.ending:
            self._tell_closed()
            return
        self.operation.resolve("hello", None)
        self.operation.resolve(("result", self.request), None)

    def receiveMsg_EndTrial(self, _message: from_flow.EndTrial, _sender: ActorAddress) -> None:
        """Leave no process behind."""
        self.ending = True
        if self.host is not None:
            self.host.kill()
        else:
            self._tell_closed()

    def _tell_closed(self) -> None:
        self.send(self.owner, to_flow.TrialClosed(flow=self.flow, key=self.key, cpu_ms=self.cpu_ms))
        self.send(self.myAddress, ActorExitRequest())


def change_context(context: Context, changes: Mapping[bytes, bytes | None]) -> None:
    """As a commit says."""
    for key, value in changes.items():
        if value is None:
            context.pop(key, None)
        else:
            context[key] = value


def _nothing_counts() -> Progress:
    """What a load takes is no turn."""
    return Progress(commits=0, busy=False, working=False)

"""The runners of a deployment, as its front sees them: who is there, and what they are asked.

Thespian does not keep the order of what is on its way to one process at the same time, and freezes an actor that has 20
on their way to processes that do not take them. So a runner gets what waits for it in one piece, and the next one when
it has answered the Ping at the end of the last: then it has taken it, however long the other answers take.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace
from thespian.actors import ActorAddress

from actors.messages import client_to_runner as api
from actors.messages.dispatcher_to_front import RunnerCame, RunnerSilent, RunnerWent
from actors.messages.runner_to_client import Progress, Reply
from actors.system.job import Expect, Steps
from actors.system.port import Port

AT_ONCE = 32  # requests
TOGETHER = 15  # runners that have something on its way to them
WAIT_S = 30.0  # for a runner that is being started
LOOK_S = 1.0
READS = (  # asked again, if a runner has died before it has answered
    api.Ping, api.ListRuntimes, api.ListFlows, api.ListFlowsForRuntime, api.FlowState, api.DeadLetters, api.Audit,
    api.GetContext, api.Explain, api.LastReceipt, api.ListHeld, api.ListDependencies,
)  # fmt: skip
LOOKS = (api.ListFlows, api.FlowState, api.Audit, api.ListRunners)  # a runner that does not turn is shown as away


class RunnerAway(Reply, frozen=True, kw_only=True):
    """In place of an answer: the runner is not there, or has died before it answered. `error` says which."""


@dataclass(slots=True)
class _Asked:
    """A request to a runner."""

    request: Any
    done: Callable[[Reply], None]
    progress: Callable[[Progress], None]
    asked: float
    within_s: float | None

    @property
    def is_read(self) -> bool:
        """Whether another runner of the name can be asked in place of one that has died."""
        return isinstance(self.request, READS) and self.within_s is None

    @property
    def is_late(self) -> bool:
        """Whether it has taken so long that nobody shall wait any more."""
        return time.monotonic() - self.asked > (WAIT_S if self.within_s is None else self.within_s)


@dataclass(slots=True)
class RunnerSeen:
    """A runner. `is_silent`: it is up, and does not turn. `waiting` has not been sent, `under_way` not answered."""

    name: str
    runtimes: tuple[str, ...] | None
    pid: int = 0
    incarnation: int = 0
    is_up: bool = False
    is_silent: bool = False
    waiting: deque[_Asked] = field(default_factory=deque)
    under_way: dict[str, _Asked] = field(default_factory=dict)
    untaken: int = 0  # the number of the Ping that is on its way, with what goes before it


class Runners:
    """`relay` gives a runner requests, in order; `resolve` tells the steps that wait for it."""

    def __init__(
        self, port: Port, runners: Mapping[str, tuple[str, ...] | None], relay: Callable[[str, list[Any]], None],
        resolve: Callable[[Hashable, Any], None],
    ) -> None:  # fmt: skip
        self._port, self._relay, self._resolve = port, relay, resolve
        self.all = {name: RunnerSeen(name, runtimes) for name, runtimes in runners.items()}
        self._count = 0
        self._looks = False
        self.drained: set[str] = set()  # nothing is placed there by itself
        self.came: list[Callable[[str], None]] = []  # who is told of a runner that is there again

    @property
    def names(self) -> list[str]:
        """All of the deployment."""
        return list(self.all)

    def is_up(self, name: str) -> bool:
        """Whether it can be asked now."""
        return self.all[name].is_up

    def hold(self, name: str) -> None:
        """It is about to end, and comes back: what it is asked from now on waits for that."""
        self.all[name].is_up = False

    def add(self, name: str, runtimes: tuple[str, ...] | None) -> None:
        """It is about to come, or to be another one of the name."""
        self.all.setdefault(name, RunnerSeen(name, runtimes)).runtimes = runtimes

    def remove(self, name: str) -> None:
        """It has ended, for good."""
        runner = self.all.pop(name)
        self.drained.discard(name)
        for asked in (*runner.waiting, *runner.under_way.values()):
            self._give_up(asked, _left(name))

    # asking --------------------------------------------------------------------------------------------------------

    def ask(self, name: str, request: Any) -> Steps:
        """Returns the Reply of a runner: a RunnerAway if there is none. One that is being started is waited for."""
        return (yield from self.ask_all({name: request}))[name]

    def ask_all(
        self, requests: Mapping[str, Any], within_s: float | None = None,
        progress: Callable[[Progress], None] = lambda _: None, look_s: float | None = None, *, hasty: bool = False,
    ) -> Steps:  # fmt: skip
        """At the same time; returns the Reply of each runner, by name. `within_s`, `progress`: as of `put`. After
        `look_s` whoever has not answered is asked whether it still turns: what takes long may do so, but one that hangs
        is a RunnerAway. `hasty`: the first refusal is waited for, no more.
        """
        replies: dict[str, Reply] = {}
        key = object()

        def answered(name: str) -> Callable[[Reply], None]:
            def done(reply: Reply) -> None:
                replies.setdefault(name, reply)
                if over():
                    self._resolve(key, None)

            return done

        def over() -> bool:
            return len(replies) == len(requests) or (hasty and not all(reply.ok for reply in replies.values()))

        for name, request in requests.items():
            self.put(name, request, answered(name), progress, within_s)
        while not over():
            came = yield Expect([key], look_s)
            if not came:
                asked = [name for name in requests if name not in replies]
                turning = yield from self.ask_all(dict.fromkeys(asked, api.Ping()))
                for name in asked:
                    if not turning[name].ok:
                        answered(name)(turning[name])
        return {name: replies[name] for name in requests if name in replies}

    def put(
        self, name: str, request: Any, done: Callable[[Reply], None],
        progress: Callable[[Progress], None] = lambda _: None, within_s: float | None = None,
    ) -> None:  # fmt: skip
        """Ask a runner; `done` gets its Reply, once. The id of the request is not looked at. `within_s`: a runner that
        dies is not asked again, and an answer is not waited for any longer.
        """
        asked = _Asked(request, done, progress, time.monotonic(), within_s)
        if (runner := self.all.get(name)) is None:
            self._give_up(asked, _left(name))
            return
        if runner.is_silent and isinstance(request, LOOKS):
            self._give_up(asked, _hangs(name))
            return
        runner.waiting.append(asked)
        self._pump(runner)
        if not self._looks:
            self._looks = True
            self._port.wakeupAfter(LOOK_S, self._look)

    def _pump(self, runner: RunnerSeen) -> None:
        under_way = sum(one.untaken > 0 for one in self.all.values())
        if not runner.is_up or not runner.waiting or runner.untaken or under_way == TOGETHER:
            return
        some = [runner.waiting.popleft() for _ in range(min(AT_ONCE, len(runner.waiting)))]
        some.append(_Asked(api.Ping(), lambda _: None, lambda _: None, time.monotonic(), None))
        requests = []
        for asked in some:
            self._count += 1
            request_id = f"front-{self._count}"
            runner.under_way[request_id] = asked
            requests.append(replace(asked.request, request_id=request_id))
        runner.untaken = self._count
        self._relay(runner.name, requests)

    def _look(self) -> None:
        """Once a second, while anything is to be answered: who has waited long enough?"""
        for runner in self.all.values():
            for asked in [asked for asked in runner.waiting if asked.is_late]:
                runner.waiting.remove(asked)
                away = "does not take requests" if runner.is_up else "has not come back"
                self._give_up(asked, f"the runner {runner.name} {away} within {WAIT_S:g} s")
            for request_id, asked in list(runner.under_way.items()):
                if asked.is_late and (asked.is_read or asked.within_s is not None):
                    del runner.under_way[request_id]
                    self._give_up(asked, f"the runner {runner.name} has not answered in time")
        self._looks = any(runner.waiting or runner.under_way for runner in self.all.values())
        if self._looks:
            self._port.wakeupAfter(LOOK_S, self._look)

    def _give_up(self, asked: _Asked, error: str) -> None:
        away = {"away": True}
        asked.done(RunnerAway(request_id=asked.request.request_id, ok=False, value=False, error=error, data=away))

    # what comes ----------------------------------------------------------------------------------------------------

    def receiveMsg_Reply(self, message: Reply, _sender: ActorAddress) -> None:
        """Of a runner, unless nobody waits for it any more."""
        number = int(message.request_id.partition("-")[2])
        for runner in self.all.values():
            if number == runner.untaken:
                runner.untaken = 0
            if (asked := runner.under_way.pop(message.request_id, None)) is not None:
                asked.done(message)
        for runner in self.all.values():
            self._pump(runner)

    def receiveMsg_Progress(self, message: Progress, _sender: ActorAddress) -> None:
        """How far a runner is."""
        for runner in self.all.values():
            if (asked := runner.under_way.get(message.request_id)) is not None:
                asked.progress(message)

    def receiveMsg_RunnerCame(self, message: RunnerCame, _sender: ActorAddress) -> None:
        """It gets what waits for it."""
        runner = self.all[message.name]
        runner.pid, runner.incarnation, runner.is_up = message.pid, message.incarnation, True
        self._pump(runner)
        for tell in self.came:
            tell(runner.name)

    def receiveMsg_RunnerSilent(self, message: RunnerSilent, _sender: ActorAddress) -> None:
        """What it is asked waits; who only looks does not wait for it."""
        if (runner := self.all.get(message.name)) is None:
            return
        runner.is_silent = message.silent
        if message.silent:
            for request_id, asked in list(runner.under_way.items()):
                if isinstance(asked.request, LOOKS):
                    del runner.under_way[request_id]
                    self._give_up(asked, _hangs(runner.name))
            for asked in [asked for asked in runner.waiting if isinstance(asked.request, LOOKS)]:
                runner.waiting.remove(asked)
                self._give_up(asked, _hangs(runner.name))

    def receiveMsg_RunnerWent(self, message: RunnerWent, _sender: ActorAddress) -> None:
        """What it has been told to do may be done, or half done; what it has been asked, the next one is asked."""
        runner = self.all[message.name]
        under_way, runner.under_way = runner.under_way, {}
        runner.is_up, runner.is_silent, runner.untaken = False, False, 0
        again = [asked for asked in under_way.values() if asked.is_read]
        runner.waiting.extendleft(reversed(again))
        error = f"the runner {runner.name} has ended before it answered: what was asked for may be done, or not"
        for asked in under_way.values():
            if not asked.is_read:
                self._give_up(asked, error)
        for other in self.all.values():
            self._pump(other)


def _left(name: str) -> str:
    return f"the runner {name} is not of the deployment any more"


def _hangs(name: str) -> str:
    return f"the runner {name} does not turn: it hangs, and is ended soon, or goes on"

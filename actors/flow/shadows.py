"""Shadows of a flow's modules: other versions that get the same messages in hosts beside the flow (flow/shadow.py)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from msgspec import structs
from thespian.actors import ActorAddress, ActorExitRequest

from actors.definition import graph
from actors.definition.model import Module
from actors.definition.origin import placed
from actors.definition.ports import out_ports, port_problem
from actors.definition.reach import reach_of
from actors.definition.share import Share
from actors.flow.answers import FlowAnswers
from actors.flow.command import HostCommand, release
from actors.flow.debugger import Debugger
from actors.flow.hosts import Hosts
from actors.flow.jobs import FlowJobs
from actors.flow.letters import encode_message
from actors.flow.record import Attachment, FlowRecord
from actors.flow.taps import Taps
from actors.host.load import load_body
from actors.messages import client_to_runner as api
from actors.messages.flow_to_module import DescribeRecent, WitnessTurns
from actors.messages.flow_to_shadow import FinishShadow, StartShadow
from actors.messages.flow_to_trial import RunTrial, TrialModule
from actors.messages.module_to_flow import RecentDescribed
from actors.messages.runner_to_flow import TryModule
from actors.messages.shadow_to_flow import ShadowEnded, ShadowReady
from actors.messages.shadow_to_rehearsal import StartRehearsal
from actors.preparation.premises import Premises
from actors.state.segment import Handled
from actors.system.job import Expect, Steps
from actors.system.port import Port

AT_ONCE = 4  # of a flow: two hosts each
MAX_GIVEN = 1000
PATIENCE_S = 10.0  # for a load, a hook or a message of a shadow; a typed loop may have no end
FOR_RECENT_S = 2.0  # how long messages are waited for that no mailbox has seen: they come fused


def _wire(module: str, port: str) -> str:
    """Of messages that come from nowhere."""
    return f"shadow->{module}.{port}"


@dataclass(slots=True)
class _Shadow:
    """One that is there. `of`: the actor of its module, while that is witnessed."""

    request: api.ShadowModule
    client: ActorAddress
    module: str
    commands: dict[str, HostCommand]
    actor: ActorAddress
    of: ActorAddress | None = None
    sinks: list[Attachment] = field(default_factory=list)


class Shadows:
    """Of one flow: begun in a job, and taken away in one; between them they are on their own."""

    def __init__(
        self, record: FlowRecord, port: Port, premises: Premises, answers: FlowAnswers, jobs: FlowJobs, hosts: Hosts,
        taps: Taps, debugger: Debugger, numbers: Iterator[int],
    ) -> None:  # fmt: skip
        self._record, self._port, self._premises, self._answers = record, port, premises, answers
        self._jobs, self._hosts, self._taps, self._debugger, self._numbers = jobs, hosts, taps, debugger, numbers
        self._shadows: dict[int, _Shadow] = {}
        self._coming = 0  # that are being prepared

    # the API -------------------------------------------------------------------------------------------------------

    def receiveMsg_TryModule(self, message: TryModule, sender: ActorAddress) -> None:
        """Answered when it is over."""
        request = message.request
        module = self._answers.find_module(request, sender)
        if module is None:
            return
        if (problem := self._problem(request, module, message.share.modules.get(module))) is not None:
            self._answers.refuse(request, sender, problem)
            return
        try:
            self._given(request, module)
        except ValueError as error:
            self._answers.refuse(request, sender, str(error))
            return
        self._coming += 1

        def done(errors: tuple[str, ...]) -> None:
            self._coming -= 1
            if errors:
                self._answers.refuse(request, sender, "\n".join(errors), list(errors))

        self._jobs.add(
            lambda: self._preparing(request, sender, module, message.share), done, lambda error: done((error,))
        )

    def _problem(self, request: api.ShadowModule, module: str, new: Module | None) -> str | None:
        name, now = request.flow_module_id, self._record.share.modules[module]
        flow, problem = self._record.flow.id, None
        if new is None:
            problem = f"{name} cannot run here: its runtime is missing"
        elif graph.PAGES in (graph.host_key(now), graph.host_key(new)):
            problem = f"{name} runs in pages: it has no host beside which another version could run"
        elif self._record.feeds_itself(module):
            problem = f"{name} is a source: it gets no messages that another version could be tried on"
        elif request.given is None and not request.recent and self._record.state != "running":
            problem = f"{flow} is {self._record.state}: no messages come; startFlow comes first"
        elif len(request.given or ()) > MAX_GIVEN:
            problem = f"shadowModule: at most {MAX_GIVEN} messages can be given"
        elif len(self._shadows) + self._coming >= AT_ONCE:
            problem = f"{flow} has {AT_ONCE} shadows already: wait for the end of one"
        elif not request.yes and (reach := reach_of(now) or reach_of(new)) is not None:
            problem = f"{name} {reach}: what a shadow does there is as real as what it does itself; --yes allows it"
        return problem

    def receiveMsg_ShadowModule(self, message: api.ShadowModule, sender: ActorAddress) -> None:
        """Of a module that the runner has not found."""
        self._answers.find_module(message, sender)

    def receiveMsg_EndShadow(self, message: api.EndShadow, sender: ActorAddress) -> None:
        """They answer as if no more had been asked for."""
        module = self._answers.find_module(message, sender)
        if module is None:
            return
        found = [shadow for shadow in self._shadows.values() if shadow.module == module]
        if not found:
            self._answers.refuse(message, sender, f"{message.flow_module_id} has no shadow")
            return
        for shadow in found:
            self._port.send(shadow.actor, FinishShadow(why="it was ended"))
        self._answers.reply(message, sender)

    # begin ---------------------------------------------------------------------------------------------------------

    def _preparing(self, request: api.ShadowModule, client: ActorAddress, module: str, share: Share) -> Steps:
        record, commands = self._record, dict[str, HostCommand]()
        versions = {"now": record.share, "new": share}
        for name, version in versions.items():
            key = graph.host_key(version.modules[module])
            found, errors = yield from self._hosts.prepare(version, {key})
            if errors:
                release(commands)
                return errors
            commands[name] = found[key]
        recent: tuple[tuple[Handled, ...], dict[bytes, bytes]] | None = None
        if request.given is not None:
            recent = self._given(request, module), {}
        elif request.recent:
            self._port.send(record.modules[module], DescribeRecent())
            came = yield Expect([(RecentDescribed, module)])
            told: RecentDescribed = came[RecentDescribed, module]
            recent = told.messages, told.context
            if not told.messages and record.state == "running":
                request, recent = structs.replace(request, timeout_s=min(FOR_RECENT_S, request.timeout_s)), None
        number = next(self._numbers)
        from actors.flow.shadow import ShadowActor  # `runner run` starts without it

        actor = self._port.createActor(ShadowActor)
        self._shadows[number] = _Shadow(request, client, module, commands, actor)
        now, new = record.share.modules[module], share.modules[module]
        sides = {name: self._side(name, version, module, commands[name], request) for name, version in versions.items()}
        self._port.send(actor, StartShadow(
            flow=record.flow.id, module=module, number=number, request_id=request.request_id, client=client,
            now=sides["now"], new=sides["new"], recent=recent, ports=self._ports(module),
            migrates_from=now.state_version if now.state_version != new.state_version else None,
            messages=request.messages, timeout_s=request.timeout_s, shows_all=request.given is not None,
        ))  # fmt: skip
        return ()

    def _given(self, request: api.ShadowModule, module: str) -> tuple[Handled, ...]:
        """The messages of a request. Raises ValueError with a sentence."""
        found: list[Handled] = []
        for one in request.given or ():
            port = one.get("port", "in")
            if one.keys() - {"port", "message"} or "message" not in one or not isinstance(port, str):
                raise ValueError("shadowModule: `given` is a list of objects with `message` and `port`")
            if (problem := port_problem(self._record.share.modules[module], "in", port)) is not None:
                raise ValueError(f"{self._record.flow.id}: {problem}")
            found.append((_wire(module, port), port, encode_message(one["message"]), None))
        return tuple(found)

    def _side(
        self, name: str, share: Share, module: str, command: HostCommand, request: api.ShadowModule
    ) -> StartRehearsal:
        record, premises, flow = self._record, self._premises, share.flow
        its = replace(share.modules[module], retry=None, concurrency=1)  # a message at a time, and once
        key, slot = record.places[module]
        wires = {(port, wire): None for of, port, wire in record.plans[key].inputs.values() if of == slot}
        wires |= {
            (port, _wire(module, port)): None for port in ("in", *(one[1] for one in self._given(request, module)))
        }
        limits = replace(command.limits, offline=not request.yes)
        wired = {wire.from_port for wire in share.ends_of(module).outputs}
        return StartRehearsal(
            trial=RunTrial(
                flow=flow.id, key=graph.host_key(its), command=command.words,
                folder=premises.host_folder(flow.id, f"-{name}"), sweeper=premises.sweeper, env=command.env,
                limits=limits, placed=lambda of, error: placed(flow, of, error),
                modules=(TrialModule(
                    module=module, running=None, timeout_s=its.timeout_s, migrate=None,
                    new=load_body(flow.id, its, flow.max_turn_bytes, {}, premises.unit_id(its), command.secrets),
                ),),
            ),
            wires_in=tuple(wires), ports=tuple(sorted({*out_ports(its), *wired} - {"error"})),
            max_turn_bytes=flow.max_turn_bytes, patience_s=max(PATIENCE_S, its.timeout_s or 0.0),
        )  # fmt: skip

    def _ports(self, module: str) -> frozenset[str]:
        return frozenset(wire.from_port for wire in self._record.share.ends_of(module).outputs) - {"error"}

    def receiveMsg_ShadowReady(self, message: ShadowReady, _sender: ActorAddress) -> None:
        """It may see messages now."""
        if message.number in self._shadows:
            shadow = self._shadows[message.number]
            self._jobs.add(lambda: self._attaching(message.number), failed=lambda error: self._finish(shadow, error))

    def _attaching(self, number: int) -> Steps:
        shadow = self._shadows.get(number)
        if shadow is None:
            return
        actor = self._record.modules.get(shadow.module)
        if actor is None or any(other.of == actor for other in self._shadows.values()):
            self._finish(shadow, "another shadow of it is there" if actor else "the module was removed")
            return
        shadow.of = actor
        yield from self._debugger.watch(shadow.module, on=True)
        for port in sorted(self._ports(shadow.module)):
            shadow.sinks.append(self._taps.attach(shadow.module, port, shadow.actor))
        self._port.send(actor, WitnessTurns(shadow=shadow.actor))

    # end -----------------------------------------------------------------------------------------------------------

    def _finish(self, shadow: _Shadow, why: str) -> None:
        self._port.send(shadow.actor, FinishShadow(why=why))

    def receiveMsg_ShadowEnded(self, message: ShadowEnded, _sender: ActorAddress) -> None:
        """Take it away; then the client gets what it has found."""
        shadow = self._shadows[message.number]

        def done(error: str | None) -> None:
            errors = message.errors if error is None else (*message.errors, error)
            if errors:
                self._answers.refuse(shadow.request, shadow.client, "\n".join(errors), list(errors))
            else:
                self._answers.reply(shadow.request, shadow.client, message.value)

        self._jobs.add(lambda: self._detaching(message.number), lambda _: done(None), done)

    def _detaching(self, number: int) -> Steps:
        shadow = self._shadows.pop(number, None)
        if shadow is None:
            return
        release(shadow.commands)
        shadow.commands = {}
        if shadow.of is not None and shadow.of in self._record.modules.values():
            self._port.send(shadow.of, WitnessTurns(shadow=None))
        for sink in shadow.sinks:
            self._taps.detach(sink)
        if shadow.of is not None:
            yield from self._debugger.watch(shadow.module, on=False)
        yield from self._jobs.quiet()  # what is on its way to it comes first
        self._port.send(shadow.actor, ActorExitRequest())

    def after_update(self) -> None:
        """Of modules that were replaced or removed no more can be seen."""
        for shadow in self._shadows.values():
            if shadow.of is not None and self._record.modules.get(shadow.module) != shadow.of:
                self._finish(shadow, "an update has replaced the module")

    def end_all(self) -> None:
        """The flow is gone, and its modules are."""
        shadows, self._shadows = self._shadows, {}
        for shadow in shadows.values():
            release(shadow.commands)
            self._port.send(shadow.actor, ActorExitRequest())
            self._answers.refuse(shadow.request, shadow.client, f"{self._record.flow.id} has been removed")

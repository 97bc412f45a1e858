"""What a bridge does so that the modules of its host work: LOAD, WIRES, `start`, `stop`. Mixed into the Bridge actor.

Whatever is asked of a host gets a number; it knows what has been asked, and which modules are to work.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from thespian.actors import ActorAddress

from actors.host.link import Life
from actors.host.probation import Probation
from actors.messages import bridge_to_flow as to_flow
from actors.messages import bridge_to_module as to_module
from actors.messages import flow_to_bridge as from_flow
from actors.messages import module_to_bridge as from_module
from runtimes.frames import ALL_SLOTS, Frame, Kind
from runtimes.given import Given

log = logging.getLogger("runner.host")
# What is started, loaded or working: a module can be loaded.
RUNNING = (Life.LOADING, Life.LOADED, Life.OPENING, Life.OPEN)


class Service(Probation):
    """The part of the Bridge actor that lets modules work."""

    names: dict[int, str]  # of all members
    outputs: dict[int, tuple[int, str]]
    muted: bool
    owed: set[str]  # what the flow waits for
    patient: bool
    stop_errors: dict[str, str]  # module -> what its `stop` has raised
    adding: frozenset[int]  # slots that are loaded beside those that work, until the flow is told

    def new_service(self) -> None:
        """For a new host."""
        self.hooks: dict[int, frozenset[str]] = {}
        self.timeouts_s: dict[int, float | None] = {}  # of the modules' turns
        self.broken: dict[int, str] = {}  # slots that could not be loaded, and why
        self.started: set[int] = set()
        self.sources: set[int] = set()
        self.errors: list[str] = []  # of hooks
        self.entering: set[int] = set()  # slots whose StartModule is still to come
        self.start_calls: dict[int, from_module.StartModule] = {}
        self.retiring: frozenset[int] = frozenset()
        self.leaving: set[int] = set()  # slots that are being unloaded

    def receiveMsg_LoadModule(self, message: from_module.LoadModule, _sender: ActorAddress) -> None:
        """A module's code and context, for the host."""
        if self.life not in RUNNING or message.slot not in self.members or message.slot in self.leaving:
            return  # the host has died meanwhile, or the module has gone
        self.suspects[message.slot] = message.suspects
        self.timeouts_s[message.slot] = message.timeout_s
        self.conversation.given[message.slot] = Given(retry=message.retry, context=message.context)
        self.conversation.transaction.allow(message.max_turn_bytes)
        self._request("load", message.slot, Kind.LOAD, message.body)

    def _request(self, what: str, slot: int, kind: Kind, body: bytes = b"") -> None:
        request = self.conversation.ask(what, slot)
        self.expect(request, what, self.names[slot], self.timeouts_s[slot])
        self._write([Frame(kind, slot, body, first=request)])

    def _all_loaded(self) -> None:
        if self.life not in RUNNING or not self.hooks.keys() >= self.members.keys():
            return  # the others' LOAD is still to come
        if self.broken and (not self.serving or self.broken.keys() & self.serving):
            self._fail(list(self.broken.values()))
            return
        if self.broken:
            self._tell("loaded", to_flow.LoadFailed, errors=tuple(self.broken.values()))
        else:
            self._tell("loaded", to_flow.HostLoaded)
        if self.life is Life.LOADING:
            self.life = Life.LOADED
            if self.serving:
                self._start_modules()

    def _tell(self, owed: str, answer: type[Any], **fields: Any) -> None:
        if owed == "loaded":
            self.adding = frozenset()
        if owed in self.owed:
            self.owed.discard(owed)
            self.send(self.owner, answer(flow=self.flow, key=self.plan.key, **fields))

    def receiveMsg_ServeModules(self, message: from_flow.ServeModules, _sender: ActorAddress) -> None:
        """Exactly these modules are to work from now on."""
        self.plan, self.serving, self.patient = message.plan, frozenset(message.plan.modules), message.patient
        self.outputs.update(message.plan.outputs)
        self.owed.add("started")
        if self.life is Life.LOADED:
            self._start_modules()
        elif self.life is Life.OPEN:
            self._enter()
        elif self.life in (Life.NONE, Life.STOPPING):
            self._tell("started", to_flow.StartFailed, errors=(f"{self.flow}: the host {self.plan.key} has ended",))

    def _start_modules(self) -> None:
        """All of a host that has just been loaded."""
        self.life = Life.OPENING
        self.probation = any(self.suspects[slot] for slot in self.serving)
        self._enter()

    def _enter(self) -> None:
        """Start what is to work and does not yet."""
        entering = self.serving - self.started
        if broken := [self.broken[slot] for slot in entering if slot in self.broken]:
            self._tell("started", to_flow.StartFailed, errors=tuple(broken))
            return
        self.entering, self.start_calls = set(entering), {}
        self.unfusable = set()
        for slot in entering:
            self.send(self.members[slot], to_module.EnterService())
        if not entering:
            self._call_starts()

    def receiveMsg_StartModule(self, message: from_module.StartModule, _sender: ActorAddress) -> None:
        """How a module that enters is to be started."""
        if self.life in (Life.OPENING, Life.OPEN) and message.slot in self.entering:
            self.entering.discard(message.slot)
            self.start_calls[message.slot] = message
            self.unfusable |= message.waiting
            if not self.entering:
                self._call_starts()

    def _call_starts(self) -> None:
        # A wire that was fused still is; one into a module that is new here may be if nothing waits for it there. What
        # the `start` of an update sends must not run anybody's handler before the update stands.
        into = {wire for _, _, slot, _, wire in self.fusable if slot in self.start_calls}
        is_update = "started" in self.owed and not self.patient
        sending = {slot for slot in self.start_calls if is_update and "start" in self.hooks[slot]}
        early = {wire for slot, _, _, _, wire in self.fusable if slot in sending}
        fused = (self.fused | into - self.unfusable) & self.fusable_wires - early
        self.fused = frozenset() if self.probation or self.fragile else fused
        self.write_wires()
        if self.life is Life.OPENING:
            ping = self.conversation.ask("ping", ALL_SLOTS)
            self.expect(ping, "wires")
            self._write([Frame(Kind.PING, first=ping)])
        for slot in self.plan.modules:
            call = self.start_calls.get(slot)
            if call is None:
                continue
            if call.context is not None:
                self.conversation.given[slot].set_context(call.context)
            if call.context is not None or "start" in self.hooks[slot]:
                self._request("start", slot, Kind.CALL, call.body)
            else:
                self.started.add(slot)
        if not self.conversation.waits_for("start"):
            self._all_started()

    def _all_started(self) -> None:
        if self.life is Life.OPENING:
            self._open()
        elif self.life is Life.OPEN:
            for slot in self.serving - self.start_calls.keys():
                self.send(self.members[slot], to_module.EndDrain(fused=self.fused))
            self._let_work(self.start_calls)
            self._tell_started()

    def _open(self) -> None:
        if self.errors and "started" not in self.owed:
            self._fail(self.errors)
            return
        self.life = Life.OPEN
        self._let_work(self.serving)
        if self.retiring:
            self._retire()
        if self.serving - self.started and not self.errors:
            self._enter()
        else:
            self._tell_started()
        if self.probation:
            again = sum(self.suspects.values())
            what = "1 message is" if again == 1 else f"{again} messages are"
            log.info("%s: %s: %s delivered again, one at a time", self.flow, self.plan.key, what)
            self.probe_next()
        else:
            self.drain_to_fuse()

    def _let_work(self, slots: Iterable[int]) -> None:
        for slot in slots:
            if slot in self.started:
                self.send(
                    self.members[slot],
                    to_module.HostOpen(
                        source=slot in self.sources and not self.muted,
                        muted=slot in self.sources and self.muted,
                        probation=self.probation,
                        fused=self.fused,
                    ),
                )

    def _tell_started(self) -> None:
        errors, self.errors = self.errors, []
        if errors:
            self._tell("started", to_flow.StartFailed, errors=tuple(errors))
        else:
            self._tell("started", to_flow.ModulesStarted)

    def receiveMsg_RetireModules(self, message: from_flow.RetireModules, _sender: ActorAddress) -> None:
        """These work no more: `stop`, unless their host is dead anyway."""
        self.serving -= message.slots
        self.retiring = message.slots
        self.owed.add("retired")
        if self.life is not Life.OPENING:  # else when their `start` has ended
            self._retire()

    def _retire(self) -> None:
        retiring, self.retiring = self.retiring, frozenset()
        for slot in retiring & self.started if self.life is Life.OPEN else ():
            self.send(self.members[slot], to_module.Retired())
            self.call_stop("retire", slot)
        self.started -= retiring
        self.sources -= retiring
        self.suspects.update(dict.fromkeys(retiring, 0))
        if self.probing in retiring:
            self.probe_next()
        if not self.conversation.waits_for("retire"):
            self.tell_retired()

    def tell_retired(self) -> None:
        """Every `stop` that was asked for has ended."""
        if "retired" in self.owed:
            errors, self.stop_errors = self.stop_errors, {}
            self._tell("retired", to_flow.ModulesRetired, errors=errors)

    def receiveMsg_RestartSource(self, message: from_module.RestartSource, _sender: ActorAddress) -> None:
        """If the host has died meanwhile, or the module is to stop, that comes to the same."""
        if self.life is Life.OPEN and message.slot in self.started:
            self._request("restart", message.slot, Kind.CALL, message.body)

    def call_stop(self, what: str, slot: int) -> None:
        """Ask for the end of a module's work: its generator is closed, its hook called."""
        if "stop" in self.hooks[slot] or slot in self.sources:
            self._request(what, slot, Kind.CALL, b'{"hook":"stop"}')

    def _fail(self, errors: list[str]) -> None:
        """Give the host up for good; the flow stops."""
        self.life = Life.STOPPING
        self.owed -= {"loaded", "started"}
        self.send(self.owner, to_flow.HostFailed(flow=self.flow, key=self.plan.key, errors=tuple(errors)))
        if self.host is not None:
            self.host.kill()

    def receiveMsg_ChangePlan(self, message: from_flow.ChangePlan, _sender: ActorAddress) -> None:
        """An input or an output more; adding is safe at any time."""
        if self.life is Life.NONE:
            return  # StartHost brings the plan
        self.plan = message.plan
        self.outputs.update(self.plan.outputs)
        if self.life in (Life.OPENING, Life.OPEN):
            self.write_wires()

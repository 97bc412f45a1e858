"""What is done so that the modules of a host work: LOAD, `start`, `stop`, UNLOAD; and which of them work."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from thespian.actors import ActorAddress

from actors.definition.origin import Placed
from actors.error_text import error_text
from actors.host.fusing import Fusing
from actors.host.host import Host
from actors.host.life import RUNNING, HostLife, Life
from actors.host.load import failure_sentence
from actors.host.members import Members
from actors.host.orders import Orders
from actors.host.probation import Probation
from actors.host.reports import Reports
from actors.messages import bridge_to_flow as to_flow
from actors.messages import bridge_to_module as to_module
from actors.messages import flow_to_bridge as from_flow
from actors.messages import module_to_bridge as from_module
from runtimes.frames import Frame, Kind
from runtimes.given import Given
from runtimes.host_bodies import Result

log = logging.getLogger("runner.host")


class Service:
    """Of one start of a host."""

    def __init__(
        self, flow: str, life: HostLife, host: Host, orders: Orders, members: Members, probation: Probation,
        fusing: Fusing, reports: Reports, placed: Placed, *, muted: bool,
    ) -> None:  # fmt: skip
        """`placed` says where in the flow file an error is; `muted`: sources are not pulled."""
        self._flow = flow
        self._life = life
        self._host = host
        self._orders = orders
        self._members = members
        self._probation = probation
        self._fusing = fusing
        self._reports = reports
        self._placed = placed
        self._muted = muted
        self._waits_for = host.conversation.waits_for
        self._hooks: dict[int, frozenset[str]] = {}
        self._broken: dict[int, str] = {}  # slots that could not be loaded, and why
        self._started: set[int] = set()
        self._sources: set[int] = set()
        self._errors: list[str] = []  # of hooks
        self._stop_errors: dict[str, str] = {}  # module -> what its `stop` has raised
        self._entering: set[int] = set()  # slots whose StartModule is still to come
        self._start_calls: dict[int, from_module.StartModule] = {}
        self._waiting: set[str] = set()  # wires with messages in a mailbox: they have to run dry before they are fused
        self._retiring: frozenset[int] = frozenset()
        self._leaving: set[int] = set()  # slots that are being unloaded

    # loading -------------------------------------------------------------------------------------------------------

    def receiveMsg_LoadModule(self, message: from_module.LoadModule, _sender: ActorAddress) -> None:
        """A module's code and context, for the host."""
        slot = message.slot
        if self._life.now not in RUNNING or slot not in self._members.actors or slot in self._leaving:
            return  # the host has died meanwhile, or the module has gone
        self._probation.suspect(slot, message.suspects)
        given = Given(retry=message.retry, context=message.context)
        self._orders.load(slot, given, message.timeout_s, message.max_turn_bytes, message.body)

    def result(self, frame: Frame) -> None:
        """What was asked of a module has been done, or not."""
        what, slot, result = self._host.conversation.result(frame)
        self._orders.met(frame.first)
        if slot in self._members.actors:  # else it has left meanwhile
            self._take_result(what, slot, result)
        if not self._waits_for(what):
            self._all_done(what)

    def _take_result(self, what: str, slot: int, result: Result) -> None:
        module = self._members.names[slot]
        name = f"{self._flow}/{module}"
        error = None if result.error is None or result.ok else self._placed(module, result.error.plain())
        if what == "load":
            self._hooks[slot] = frozenset(result.hooks)
            if error is not None:
                self._broken[slot] = failure_sentence(name, "load", error)
        elif what == "start" and error is not None:
            self._errors.append(failure_sentence(name, "start", error))
        elif what == "restart":
            self._members.tell(slot, to_module.SourceRestarted(source=result.source, error=error))
        elif what in ("stop", "retire") and error is not None:
            self._stop_errors[module] = error_text(error)
        elif what == "start":
            self._started.add(slot)
            if result.source:
                self._sources.add(slot)
        elif what == "unload" and slot in self._leaving:
            self._forget(slot)

    def _all_done(self, what: str) -> None:
        if what == "load":
            self._all_loaded()
        elif what == "start":
            self._all_started()
        elif what == "retire":
            self._tell_retired()
        elif what == "stop":
            self._orders.end()
        elif what == "unload":
            self._all_unloaded()

    def _all_loaded(self) -> None:
        if self._life.now not in RUNNING or not self._hooks.keys() >= self._members.actors.keys():
            return  # the others' LOAD is still to come
        serving = self._members.serving
        if self._broken and (not serving or self._broken.keys() & serving):
            self.fail(list(self._broken.values()))
            return
        if self._broken:
            self.tell_loaded(to_flow.LoadFailed, errors=tuple(self._broken.values()))
        else:
            self.tell_loaded(to_flow.HostLoaded)
        if self._life.now is Life.LOADING:
            self._life.move("loaded")
            if serving:
                self._start_modules()

    def tell_loaded(self, kind: type[Any], **fields: Any) -> None:
        """Whether all are loaded, if the flow waits for that."""
        self._members.added()
        self._reports.settle("loaded", kind, **fields)

    # starting ------------------------------------------------------------------------------------------------------

    def receiveMsg_ServeModules(self, message: from_flow.ServeModules, _sender: ActorAddress) -> None:
        """Exactly these modules are to work from now on."""
        self._members.serve(message.plan)
        self._reports.owe_start(patient=message.patient)
        if self._life.now is Life.LOADED:
            self._start_modules()
        elif self._life.now is Life.OPEN:
            self._enter()
        elif self._life.now in (Life.NONE, Life.STOPPING):
            self._reports.settle("started", to_flow.StartFailed, errors=(f"{self._reports.title} has ended",))

    def _start_modules(self) -> None:
        """All of a host that has just been loaded."""
        self._life.move("serve")
        self._probation.begin()
        self._enter()

    def _enter(self) -> None:
        """Start what is to work and does not yet."""
        entering = self._members.serving - self._started
        if broken := [self._broken[slot] for slot in entering if slot in self._broken]:
            self._reports.settle("started", to_flow.StartFailed, errors=tuple(broken))
            return
        self._entering, self._start_calls, self._waiting = set(entering), {}, set()
        for slot in entering:
            self._members.tell(slot, to_module.EnterService())
        if not entering:
            self._call_starts()

    def receiveMsg_StartModule(self, message: from_module.StartModule, _sender: ActorAddress) -> None:
        """How a module that enters is to be started."""
        if self._life.now in (Life.OPENING, Life.OPEN) and message.slot in self._entering:
            self._entering.discard(message.slot)
            self._start_calls[message.slot] = message
            self._waiting |= message.waiting
            if not self._entering:
                self._call_starts()

    def _call_starts(self) -> None:
        # What the `start` of an update sends must not run anybody's handler before the update stands.
        is_update = self._reports.owes("started") and not self._reports.patient
        sending = {slot for slot in self._start_calls if is_update and "start" in self._hooks[slot]}
        self._fusing.begin(self._start_calls, sending, self._waiting, cautious=self._probation.under_way)
        if self._life.now is Life.OPENING:
            self._orders.ping()
        for slot in self._members.plan.modules:
            call = self._start_calls.get(slot)
            if call is None:
                continue
            if call.context is not None:
                self._host.conversation.given[slot].set_context(call.context)
            if call.context is not None or "start" in self._hooks[slot]:
                self._orders.ask("start", slot, Kind.CALL, call.body)
            else:
                self._started.add(slot)
        if not self._waits_for("start"):
            self._all_started()

    def _all_started(self) -> None:
        if self._life.now is Life.OPENING:
            self._open()
        elif self._life.now is Life.OPEN:
            for slot in self._members.serving - self._start_calls.keys():
                self._members.tell(slot, to_module.EndDrain(fused=self._fusing.fused))
            self._let_work(self._start_calls)
            self._tell_started()

    def _open(self) -> None:
        if self._errors and not self._reports.owes("started"):
            self.fail(self._errors)
            return
        self._life.move("open")
        self._let_work(self._members.serving)
        if self._retiring:
            self._retire()
        if self._members.serving - self._started and not self._errors:
            self._enter()
        else:
            self._tell_started()
        if self._probation.under_way:
            again = self._probation.count
            what = "1 message is" if again == 1 else f"{again} messages are"
            log.info("%s: %s: %s delivered again, one at a time", self._flow, self._members.plan.key, what)
            self._probation.go_on()
        else:
            self._fusing.drain()

    def _let_work(self, slots: Iterable[int]) -> None:
        for slot in slots:
            if slot in self._started:
                is_source = slot in self._sources
                opened = to_module.HostOpen(
                    source=is_source and not self._muted, muted=is_source and self._muted,
                    probation=self._probation.under_way, fused=self._fusing.fused,
                )  # fmt: skip
                self._members.tell(slot, opened)

    def _tell_started(self) -> None:
        errors, self._errors = self._errors, []
        if errors:
            self._reports.settle("started", to_flow.StartFailed, errors=tuple(errors))
        else:
            self._reports.settle("started", to_flow.ModulesStarted)

    def receiveMsg_RestartSource(self, message: from_module.RestartSource, _sender: ActorAddress) -> None:
        """If the host has died meanwhile, or the module is to stop, that comes to the same."""
        if self._life.now is Life.OPEN and message.slot in self._started:
            self._orders.ask("restart", message.slot, Kind.CALL, message.body)

    # stopping ------------------------------------------------------------------------------------------------------

    def receiveMsg_RetireModules(self, message: from_flow.RetireModules, _sender: ActorAddress) -> None:
        """These work no more: `stop`, unless their host is dead anyway."""
        self._members.retire(message.slots)
        self._retiring = message.slots
        self._reports.owe("retired")
        if self._life.now is not Life.OPENING:  # else when their `start` has ended
            self._retire()

    def _retire(self) -> None:
        retiring, self._retiring = self._retiring, frozenset()
        for slot in retiring & self._started if self._life.now is Life.OPEN else ():
            self._members.tell(slot, to_module.Retired())
            self._call_stop("retire", slot)
        self._started -= retiring
        self._sources -= retiring
        self._probation.acquit(retiring)
        if not self._waits_for("retire"):
            self._tell_retired()

    def _tell_retired(self) -> None:
        if self._reports.owes("retired"):
            errors, self._stop_errors = self._stop_errors, {}
            self._reports.settle("retired", to_flow.ModulesRetired, errors=errors)

    def stop(self) -> None:
        """Call `stop` of all that work, then ask the host to end."""
        for slot in self._started:
            self._call_stop("stop", slot)
        if not self._waits_for("stop"):
            self._orders.end()

    def _call_stop(self, what: str, slot: int) -> None:
        """Ask for the end of a module's work: its generator is closed, its hook called."""
        if "stop" in self._hooks[slot] or slot in self._sources:
            self._orders.ask(what, slot, Kind.CALL, b'{"hook":"stop"}')

    def fail(self, errors: list[str]) -> None:
        """Give the host up for good; the flow is stopped."""
        self._life.move("fail")
        self._reports.fail(errors)
        self._host.kill()

    def end(self, reason: str) -> dict[str, str]:
        """The host has ended: what was asked of it comes to an end as well. Returns what `stop` hooks have raised."""
        for slot in self._leaving.copy():
            self._forget(slot)
        self._reports.settle("removed", to_flow.MembersRemoved)
        requests = self._host.conversation.requests
        for what, slot in requests.values():
            if what in ("stop", "retire") and "stop" in self._hooks[slot]:
                self._stop_errors[self._members.names[slot]] = f"it has not returned: {reason}"
        requests.clear()
        self._tell_retired()
        return self._stop_errors

    # members come and leave ----------------------------------------------------------------------------------------

    def receiveMsg_AddMembers(self, message: from_flow.AddMembers, _sender: ActorAddress) -> None:
        """Load them beside the others."""
        self._members.add(message.names, message.members, message.secrets)
        self._reports.owe("loaded")
        if self._life.now in (Life.NONE, Life.STOPPING):
            self.tell_loaded(to_flow.LoadFailed, errors=(f"{self._reports.title} has ended",))
        elif self._life.now in RUNNING:
            for slot in message.members:
                self._members.tell(slot, self._members.host_up())

    def give_up_adding(self, reason: str) -> None:
        """The host has died. Twice while the same modules were loaded beside the others: they come no more."""
        if hopeless := self._members.hopeless():
            for slot in hopeless:
                self._forget(slot)
            error = f"{self._reports.title} died twice while the new versions were loaded: {reason}"
            self.tell_loaded(to_flow.LoadFailed, errors=(error,))

    def receiveMsg_RemoveMembers(self, message: from_flow.RemoveMembers, _sender: ActorAddress) -> None:
        """Unload what works no more. What never worked has nothing to say: a stuck host need not answer for it."""
        self._reports.owe("removed")
        running = self._life.now in RUNNING
        self._leaving = {slot for slot in message.slots if running and self._fusing.is_wired(slot)}
        for slot in message.slots:
            if running and slot in self._members.actors:
                self._orders.ask("unload", slot, Kind.UNLOAD)
            if slot not in self._leaving:
                self._forget(slot)
        self._all_unloaded()

    def _forget(self, slot: int) -> None:
        self._members.remove(slot)
        self._probation.forget(slot)
        self._fusing.forget(slot)
        self._host.conversation.forget(slot)
        self._hooks.pop(slot, None)
        self._broken.pop(slot, None)
        self._leaving.discard(slot)

    def _all_unloaded(self) -> None:
        if not self._leaving:
            self._reports.settle("removed", to_flow.MembersRemoved)
            self._all_loaded()

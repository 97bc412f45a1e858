"""What of a flow is written down while it is there: its definition, versions, letters, breakpoints; and its end.

What its modules do is written by themselves, if the flow is durable.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.definition import graph
from actors.definition.deliveries import MEMORY
from actors.definition.durability import KeptWires, is_durable
from actors.definition.model import Flow, FlowError
from actors.definition.places import listed
from actors.definition.share import Share
from actors.flow.journalled import OpenedJournal, unpacked
from actors.flow.kept_file import FORMAT
from actors.flow.moved import Moved, forget
from actors.flow.record import DeadLetter, FlowRecord, Version
from actors.links.crossed import Crossed
from actors.messages.from_journal import JournalEnded, JournalSynced
from actors.messages.to_journal import (
    AddJournal,
    EndJournal,
    EndUnit,
    GroupBegun,
    SyncJournal,
    WriteGroup,
)
from actors.preparation.premises import Premises
from actors.state.condition import Breakpoint
from actors.state.facts import States, facts_of
from actors.state.module import ModuleState
from actors.system.job import Expect, Steps
from actors.system.port import Port

if TYPE_CHECKING:
    from actors.journal.group import Recovered

log = logging.getLogger("runner.flow")


class FlowJournal:
    """Of one flow; of one that has no journal it writes nothing."""

    def __init__(self, record: FlowRecord, port: Port, premises: Premises) -> None:
        self._record, self._port, self._premises = record, port, premises
        self._versions: set[int] = set()  # those that are written

    def take(self, opened: OpenedJournal) -> None:
        """From now on everything is written."""
        from actors.journal.gathering import Gathering

        record, port, flow = self._record, self._port, self._record.flow.id
        assert self._premises.journals is not None
        actor = self._premises.journals.actor()
        record.journal = Gathering(
            opened.found,
            hand_out=lambda group: port.send(actor, WriteGroup(flow=flow, group=group)),
            dirty=lambda number: port.send(actor, GroupBegun(flow=flow, number=number)),
        )
        record.journal.keeps = KeptWires(record.flow)
        port.send(actor, AddJournal(flow=flow, gathering=record.journal, lock=opened.lock))
        self._fact("life", self._premises.life)
        for loss in opened.found.losses:
            log.error("%s: accepted: %s", flow, loss)

    def say_what_was_lost(self, opened: OpenedJournal) -> None:
        """The runner before has not ended in order."""
        record = self._record
        if opened.was_closed or "flow" not in opened.found.facts:
            return
        memory = [wire.id for wire in record.flow.wires if wire.delivery is MEMORY]
        if not is_durable(record.flow):
            record.lost = (
                f"{record.flow.id}: its runner died: what mailboxes and contexts held is gone (no wire is `disk`); "
                "dead letters, versions and breakpoints are here"
            )
        elif memory:
            record.lost = f"{record.flow.id}: its runner died: what waited on {listed(memory)} (`memory`) is gone"
        if record.lost is not None:
            log.warning("%s", record.lost)

    def problem(self, flow: Flow) -> str | None:
        """Why the flow cannot become that one while it runs."""
        record = self._record
        if is_durable(flow) == is_durable(record.flow):
            return self._changed_crossing(flow) if record.state == "running" else None
        if record.attached:
            return f"{flow.id}: whether it is durable cannot change while -i or -o are attached to it"
        if record.state == "running":
            return f"{flow.id}: whether it is durable cannot change while it runs; `runner stop {flow.id}` first"
        if record.journal is None:
            return f"{flow.id}: it was added without a journal; remove it first, or start the runner anew"
        return None

    def _changed_crossing(self, flow: Flow) -> str | None:
        """Of what is on its way to another runner neither end knows whether the other has it written down."""
        now = {wire.id: wire.delivery for wire in flow.wires}
        for wire in self._record.share.crossings.values():
            before, after = wire.delivery, now.get(wire.id, wire.delivery)
            if after is not before:
                change = f"cannot become `{after.name}` while it runs, since it leads to another runner"
                return f"{flow.id}: {wire.id} is `{before.name}` and {change}; `runner stop {flow.id}` first"
        return None

    def change_wires(self, flow: Flow) -> KeptWires | None:
        """At a quiet point: it is that flow now, or again. Returns what was kept, if that is not the same."""
        journal = self._record.durable_journal
        if journal is None:
            return None
        before, now = journal.keeps, KeptWires(flow)
        journal.keeps = now
        assert isinstance(before, KeptWires)
        return None if now.keeps_as(before) else before

    def restore(self, found: Recovered, states: States) -> None:
        """Versions, receipt and breakpoints, as they were."""
        record = self._record
        record.version = unpacked(found.facts.get("version"), record.version)
        record.receipt = json.loads(unpacked(found.facts.get("receipt"), "null"))
        written = sorted(unpacked(value)[0] for key, value in found.facts.items() if key.startswith("version/"))
        for number in written:
            _, document, left_out, contexts = unpacked(found.facts[f"version/{number}"])
            try:
                flow = self._premises.check(json.loads(document))
            except FlowError as error:
                log.warning("%s: version %d cannot be gone back to: %s", record.flow.id, number, error)
                continue
            share = self._premises.share_of(graph.without_modules(flow, left_out.keys()))
            record.versions.append(Version(number, share, left_out, contexts))
        self._versions = {*written}
        for module, view in unpacked(found.facts.get("breakpoints"), {}).items():
            if module in states:
                breakpoint = Breakpoint(view["when"], view["scope"], view["log"], view["timeoutS"])
                record.debug.breakpoints[module] = breakpoint
                states[module][0].set_breakpoint(breakpoint)

    # units ---------------------------------------------------------------------------------------------------------

    def unit(self, act: Callable[[], None]) -> None:
        """What `act` notes, and what those to whom it sends note, is one."""
        journal, place = self._record.journal, self._premises.journals
        if journal is None or place is None:
            act()
            return
        journal.begin()
        act()
        self._port.send(place.actor(), EndUnit(flow=self._record.flow.id))

    def end_unit(self) -> None:
        """What a module of a durable flow has begun is done."""
        if self._record.durable_journal is not None:
            self._record.durable_journal.end()

    # facts ---------------------------------------------------------------------------------------------------------

    def _fact(self, key: str, value: Any) -> None:
        import msgpack

        if self._record.journal is not None:
            self._record.journal.fact(key, None if value is None else msgpack.packb(value))

    def note_flow(self) -> None:
        """What it is now."""
        record = self._record
        self._fact("flow", (FORMAT, json.dumps(record.flow.document), record.left_out))

    def note_version(self) -> None:
        """Another version, and those that can be gone back to."""
        record = self._record
        self.note_flow()
        self._fact("version", record.version)
        self._fact("receipt", json.dumps(record.receipt))
        versions = {version.number: version for version in record.versions}
        for number in self._versions - versions.keys():
            self._fact(f"version/{number}", None)
        for number in versions.keys() - self._versions:
            version = versions[number]
            document = json.dumps(version.share.flow.document)
            self._fact(f"version/{number}", (number, document, version.left_out, version.contexts))
        self._versions = {*versions}

    def note_breakpoints(self) -> None:
        """All breakpoints that are set now."""
        self._fact("breakpoints", {name: it.view() for name, it in self._record.debug.breakpoints.items()})

    def note_letter(self, letter: DeadLetter) -> None:
        """A dead letter more."""
        error = json.dumps(letter.error)
        fields = (letter.id, letter.module, letter.port, letter.message, letter.headers, error, letter.time)
        self._fact(f"letter/{letter.id}", fields)
        self._fact("letters", self._record.dead_letter_count)

    def drop_letter(self, letter: DeadLetter) -> None:
        """A dead letter less: it is replayed, or dropped."""
        self._fact(f"letter/{letter.id}", None)

    def note_rebuilt(self, before: Share, states: States) -> None:
        """It is another one, and does not run; everything that its modules have stands in place of what was written."""
        from actors.module.notes import note_module

        record = self._record
        assert record.journal is not None
        record.journal.keeps = KeptWires(record.flow)
        self.note_flow()
        for wire in before.flow.wires:
            record.journal.clear(wire.id)
        for name, (state, numbers) in states.items():
            if name not in record.share.modules or not is_durable(record.flow):
                self._forget(name, state)
            else:
                note_module(record.journal, name, state, numbers)

    def note_moved(self, states: States, moved: Moved) -> None:
        """Modules have left or come since it was written: everything stands in place of that."""
        journal = self._record.journal
        assert journal is not None
        forget(journal, journal.found.facts)
        if not moved:
            return
        for wire in moved.void:
            journal.clear(wire)
        self.note_rebuilt(self._record.share, states)
        for name in moved.left:
            journal.forget_context(name)
            journal.fact(f"module/{name}", None)
        for key in journal.found.facts:
            if key.startswith("letter/"):
                journal.fact(key, None)
        for letter in self._record.dead_letters:
            self.note_letter(letter)
        self.note_breakpoints()

    def note_removed(self, module: str, state: ModuleState) -> None:
        """A module is no more; what waited there is in letters."""
        if self._record.durable_journal is not None:
            self._forget(module, state)

    def _forget(self, module: str, state: ModuleState) -> None:
        assert self._record.journal is not None
        for wire in state.mailbox.wires:
            self._record.journal.clear(wire)
        self._record.journal.forget_context(module)
        self._record.journal.fact(f"module/{module}", None)

    def note_running(self, running: bool) -> None:
        """Whether it is to run again after a crash."""
        self._fact("running", True if running else None)

    def note_open(self, is_open: bool) -> None:
        """Whether what is to come may be lost: a runner that dies while it is open has not ended in order."""
        self._fact("closed", None if is_open else True)
        if is_open:
            self._fact("left", None)

    def note_left(self, states: States, ends: Crossed) -> None:
        """At an orderly end of a durable flow: what waits on wires that are not `disk`, and the sessions of pages. A
        crash loses that.
        """
        journal = self._record.journal
        assert journal is not None
        found = [fact for name, (state, numbers) in states.items() for fact in facts_of(name, state, numbers)]
        left = [fact for fact in found if fact[0] == "messages" and not journal.keeps[fact[2]]]
        left += [fact for fact in ends.facts() if not journal.keeps[fact[1]]]
        self._fact("left", left or None)
        self._fact("sessions", self._record.sessions or None)

    def view(self) -> dict[str, Any] | None:
        """What it takes on the disk, as the API shows it; None without a journal."""
        place, journal = self._premises.journals, self._record.journal
        if place is None or journal is None:
            return None
        path = place.folder / f"{self._record.flow.id}.db"
        sizes = [file.stat().st_size if file.exists() else 0 for file in (path, Path(f"{path}-wal"))]
        return {
            "file": str(path), "bytes": sizes[0], "logBytes": sizes[1], "groups": journal.durable_number,
            "gatheredBytes": journal.gathered_bytes, "versions": len(self._record.versions),
            "deadLetters": len(self._record.dead_letters), "durable": self._record.durable_journal is not None,
        }  # fmt: skip

    # the end -------------------------------------------------------------------------------------------------------

    def ask_noted(self, facts: dict[str, Any]) -> list[Any]:
        """Returns what is to be waited for until they are durable."""
        for key, value in facts.items():
            self._fact(key, value)
        return self._ask_synced()

    def _ask_synced(self) -> list[Any]:
        place, flow = self._premises.journals, self._record.flow.id
        if self._record.journal is None or place is None:
            return []
        self._port.send(place.actor(), SyncJournal(flow=flow))
        return [(JournalSynced, flow)]

    def syncing(self) -> Steps:
        """Until all that has happened is durable."""
        yield Expect(self._ask_synced())

    def removing(self) -> Steps:
        """Nothing of it is left."""
        yield from self._ending(remove=True)

    def leaving(self) -> Steps:
        """What is durable stays."""
        yield from self.syncing()
        yield from self._ending(remove=False)

    def _ending(self, remove: bool) -> Steps:
        place, flow = self._premises.journals, self._record.flow.id
        if self._record.journal is not None and place is not None:
            self._record.journal = None
            self._port.send(place.actor(), EndJournal(flow=flow, remove=remove))
            yield Expect([(JournalEnded, flow)])

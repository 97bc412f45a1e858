"""What a flow is while it is there, and how its modules are laid out over hosts."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thespian.actors import ActorAddress

from actors.counted import counted
from actors.definition.durability import is_durable
from actors.definition.hosting import HostPlan, Layout, WireIn, lay_out
from actors.definition.model import Flow
from actors.definition.origin import placed
from actors.definition.ports import Side
from actors.definition.share import Crossing, Share
from actors.error_text import ErrorLog
from actors.flow.command import HostCommand
from actors.links.crossed import Crossed
from actors.state.activity import Activity
from actors.state.condition import Breakpoint
from actors.state.module import ModuleState
from actors.state.tracing import Tracing

if TYPE_CHECKING:
    from actors.journal.gathering import Gathering

MAX_VERSIONS = 5
MAX_DEAD_LETTERS = 10_000
MAX_DEAD_LETTER_BYTES = 64 << 20


_STATES = {  # state, event -> state
    ("stopped", "start"): "starting",
    ("failed", "start"): "starting",
    ("starting", "started"): "running",
    ("starting", "ended"): "stopped",
    ("running", "stop"): "stopping",
    ("stopping", "ended"): "stopped",
    # it cannot go on, and its hosts have ended
    ("stopped", "fail"): "failed",
    ("stopping", "fail"): "failed",
    ("failed", "fail"): "failed",
    # a job that has raised may have left it neither here nor there: its hosts are ended, then it has failed
    **{(state, "break"): "stopping" for state in ("stopped", "starting", "running", "stopping", "failed")},
}


@dataclass(slots=True)
class DeadLetter:
    """A message that could not be handled; `message` is encoded."""

    id: str
    module: str
    port: str
    message: bytes
    headers: bytes | None
    error: dict[str, Any]
    time: float


@dataclass(slots=True)
class Attachment:
    """A feed (side "in"), a sink or a tap ("out"): it stays attached when the flow's actors are replaced.

    `runner`: the one that has the other end, if it is the end here of a wire of the flow that crosses.
    """

    side: Side
    module: str
    port: str
    wire: str
    actor: ActorAddress
    runner: str | None = None

    @property
    def crossing(self) -> Crossing | None:
        """Which end of which wire between runners it is, if it is one."""
        return None if self.runner is None else Crossing(self.wire, self.side, self.runner)


@dataclass(slots=True)
class Debug:
    """What the debugger has set on a flow. It survives updates and restarts of hosts."""

    breakpoints: dict[str, Breakpoint] = field(default_factory=dict)  # by module
    paused_by: str | None = None  # why the flow, or a part of it, is paused
    paused_modules: frozenset[str] = frozenset()
    whole: str | None = None  # why all of it is, also what is elsewhere
    stepping: bool = False
    watched: set[str] = field(default_factory=set)  # modules whose messages a shadow is to see
    shown: set[tuple[str, str]] = field(default_factory=set)  # module, port: written for the steps alone
    plans: dict[str, HostPlan] = field(default_factory=dict)  # as they were when that was seen to
    hits: set[str] = field(default_factory=set)  # modules that are held at their breakpoint
    errors: dict[str, str] = field(default_factory=dict)  # module -> what went wrong with its `when` at the last hit
    timeout_s: float = 0.0  # the pause ends by itself after so long without a debugging call; 0: never
    resumed_by_itself: str | None = None
    calls: int = 0  # so far; a timer that finds another number is too old

    @property
    def barred(self) -> frozenset[str] | None:
        """The modules into which no wire is fused; None: no wire at all."""
        return None if self.stepping else frozenset(self.breakpoints) | self.watched


@dataclass(frozen=True, slots=True)
class Version:
    """An earlier version of a flow, with every module's context when it was replaced."""

    number: int
    share: Share
    left_out: dict[str, str]
    contexts: dict[str, dict[bytes, bytes]]


@dataclass(slots=True)
class FlowRecord:
    """One flow: what of it is here, its actors, its state, what is attached to it and what it could not handle."""

    share: Share
    left_out: dict[str, str]  # optional modules and why they are left out
    state: str = "stopped"
    failed_for: tuple[str, ...] = ()
    modules: dict[str, ActorAddress] = field(default_factory=dict)
    bridges: dict[str, ActorAddress] = field(default_factory=dict)
    plans: dict[str, HostPlan] = field(default_factory=dict)
    commands: dict[str, HostCommand] = field(default_factory=dict)  # of the hosts that run
    places: dict[str, tuple[str, int]] = field(default_factory=dict)  # module -> host key, slot
    activity: Activity = field(default_factory=Activity)
    attached: list[Attachment] = field(default_factory=list)
    input_numbers: dict[str, int] = field(default_factory=dict)
    dead_letters: deque[DeadLetter] = field(default_factory=deque)
    dead_letter_bytes: int = 0
    dead_letter_count: int = 0
    errors: ErrorLog = field(default_factory=ErrorLog)
    sources: set[str] = field(default_factory=set)  # modules whose `start` has returned one
    source_errors: dict[str, str] = field(default_factory=dict)  # of those that have failed for good
    watcher: ActorAddress | None = None
    mute_sources: bool = False
    debug: Debug = field(default_factory=Debug)
    version: int = 1
    versions: deque[Version] = field(default_factory=lambda: deque(maxlen=MAX_VERSIONS))  # those before, oldest first
    waves: int = 0  # single steps so far
    phase: str = ""  # of the update under way
    receipt: dict[str, Any] | None = None
    kept: Path | None = None  # the file it goes on from, until it has started
    sessions: tuple[Any, ...] = ()  # of pages, that are to go on
    crossed: Crossed = field(default_factory=Crossed)  # what ends of wires between runners are to go on from
    journal: Gathering | None = None  # what is written down of it while it runs
    lost: str | None = None  # what went with the runner that had it before, if that did not end in order
    older: dict[str, str] = field(default_factory=dict)  # wire -> what one of its ends has and the other does not
    taken_lost: dict[tuple[str, str], int] = field(default_factory=dict)  # wire, runner -> messages that are gone there
    tracing: Tracing = field(init=False)

    def __post_init__(self) -> None:
        self.tracing = Tracing(self.flow.id)

    @property
    def flow(self) -> Flow:
        """All of it, also what is elsewhere."""
        return self.share.flow

    def ends(self, side: Side) -> list[Attachment]:
        """What is attached to in-ports, or to out-ports."""
        return [end for end in self.attached if end.side == side]

    @property
    def durable_journal(self) -> Gathering | None:
        """Where its modules write what they do; None if it is not durable."""
        return self.journal if is_durable(self.flow) else None

    @property
    def losses(self) -> str | None:
        """What was lost, here and by other runners, in words."""
        said = [] if self.lost is None else [self.lost]
        said += [self.taken_lost_words(*which, count) for which, count in self.taken_lost.items()]
        said += self.older.values()
        return "\n".join(said) or None

    def taken_lost_words(self, wire: str, runner: str, count: int) -> str:
        """That so many messages of a wire, at most, have gone with a runner."""
        what = f"at most {counted(count, 'message')} {'was' if count == 1 else 'were'} lost"
        return f"{self.flow.id}: {wire}: {what} in {runner}, which has begun anew: they were taken and not finished"

    def move(self, event: str) -> None:
        """To the next state, by the table above."""
        try:
            self.state = _STATES[self.state, event]
        except KeyError:
            raise RuntimeError(f"{self.flow.id}: {event} while {self.state}") from None

    def fail(self, errors: tuple[str, ...]) -> None:
        """It is stopped, for these reasons."""
        self.move("fail")
        self.failed_for = errors

    def placed(self, module: str, error: dict[str, Any]) -> dict[str, Any]:
        """An ERROR with its places as the flow file has them now."""
        return placed(self.flow, module, error)

    def forget_source(self, module: str) -> None:
        """Whatever works there now, says what it is."""
        self.sources.discard(module)
        self.source_errors.pop(module, None)

    def feeds_itself(self, module: str) -> bool:
        """Whether it is a source that gets no messages: no wire leads to it."""
        fed = self.share.ends_of(module).inputs or any(feed.module == module for feed in self.ends("in"))
        return module in self.sources and not fed


def lay_out_record(record: FlowRecord, share: Share, moved: Collection[str] = (), kept: Collection[str] = ()) -> Layout:
    """The numbers of `share` with what is attached; in the hosts `kept`, modules that are not `moved` keep theirs."""
    return lay_out(
        share,
        inputs=[(feed.module, feed.port, feed.wire) for feed in _outside(record, share, "in")],
        outputs=[(sink.module, sink.port) for sink in _outside(record, share, "out")],
        before={key: record.plans[key] for key in kept},
        moved=moved,
    )


def _outside(record: FlowRecord, share: Share, side: Side) -> list[Attachment]:
    return [end for end in record.ends(side) if end.module in share.modules and end.runner is None]


@dataclass(frozen=True, slots=True)
class Tables:
    """Which actor is at the other end of every wire: per module wire -> feeder, and port -> (target, wire) in order.

    A wire whose other end is on another runner is not in them: who carries it is attached, as feeds and sinks are.
    """

    feeders: dict[str, dict[str, ActorAddress]]
    targets: dict[str, dict[str, list[tuple[ActorAddress, str]]]]

    def ends_of(self, module: str) -> tuple[Any, Any]:
        """A module's two tables, None if it is not here."""
        return self.feeders.get(module), self.targets.get(module)


def tables(record: FlowRecord, share: Share, actors: dict[str, ActorAddress]) -> Tables:
    """The tables of `share` when its modules are `actors`, with what is attached to the record."""
    feeders: dict[str, dict[str, ActorAddress]] = {module: {} for module in share.modules}
    targets: dict[str, dict[str, list[tuple[ActorAddress, str]]]] = {module: {} for module in share.modules}
    for wire in share.wires:
        if wire.from_module in share.modules and wire.to_module in share.modules:
            feeders[wire.to_module][wire.id] = actors[wire.from_module]
            targets[wire.from_module].setdefault(wire.from_port, []).append((actors[wire.to_module], wire.id))
    for end in record.attached:
        if end.crossing is not None and end.crossing not in share.crossings:
            continue  # of the version before or after this one
        if end.module in share.modules and end.side == "in":
            feeders[end.module][end.wire] = end.actor
        elif end.module in share.modules:
            targets[end.module].setdefault(end.port, []).append((end.actor, end.wire))
    return Tables(feeders, targets)


def orphan_wires(state: ModuleState, known: dict[str, WireIn]) -> dict[str, str]:
    """Wires that a taken-over mailbox still has messages of but the flow has no more, and their ports."""
    mailbox = state.mailbox
    segments = [*mailbox.window, *mailbox.ready, *mailbox.held]
    return {s.wire: mailbox.wires[s.wire].port for s in segments if s.wire not in known}

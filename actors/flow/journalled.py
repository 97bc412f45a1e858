"""What a journal has of a flow: locked and read when the flow is added, before it has any actors."""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.definition import graph
from actors.definition.durability import is_durable
from actors.definition.model import Flow, FlowError
from actors.definition.share import Share
from actors.definition.wire_names import is_sink, target_of
from actors.flow.kept import Kept
from actors.flow.kept_file import FORMAT, KeptFlow, take_fact
from actors.flow.moved import Moved
from actors.flow.record import DeadLetter
from actors.links.crossed import receiving_key, sending_key
from actors.preparation.premises import Premises
from actors.state import facts
from runtimes import locks
from runtimes.frames import REDELIVERED, split

if TYPE_CHECKING:
    from actors.journal.group import Body, Recovered


DYING_S = 5.0  # the runner before was killed, and may be a while about it; one that does not turn for 10 s hangs


@dataclass(frozen=True, slots=True)
class OpenedJournal:
    """`lock`: the descriptor that keeps other runners away; `found`: what is in it."""

    path: Path
    lock: int
    found: Recovered

    @property
    def was_closed(self) -> bool:
        """Whether the runner before has ended in order."""
        return "closed" in self.found.facts


def open_journal(premises: Premises, flow: Flow) -> OpenedJournal | None:
    """The journal of a flow that is to have one. Raises FlowError if it is in use, or damaged."""
    place = premises.journals
    if place is None or not (place.every_flow or is_durable(flow)):
        return None
    from actors.journal.store import JournalError, recover, remove, wait_for_writer  # SQLite: 5 ms

    place.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = place.folder / f"{flow.id}.db"
    lock = _lock(path, flow.id, DYING_S if place.every_flow else 0.0)
    try:
        wait_for_writer(path)
        if place.fresh:
            remove(path)
        return OpenedJournal(path, lock, recover(path, place.accept_loss))
    except JournalError as error:
        os.close(lock)
        raise FlowError([f"{flow.id}: {error}; --accept-loss goes on with what is left"]) from None


def _lock(path: Path, flow_id: str, patience_s: float) -> int:
    fd = os.open(path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    end = time.monotonic() + patience_s
    while not (is_ours := locks.seize(fd)) and time.monotonic() < end:
        time.sleep(0.02)
    if is_ours:
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
        return fd
    pid = os.pread(fd, 20, 0).decode()
    os.close(fd)
    raise FlowError([f"{flow_id}: it runs already (process {pid}), with the journal {path}"])


def find_journalled(premises: Premises, opened: OpenedJournal, wanted: Flow) -> Kept | None:
    """The flow as it was, if it is in the journal; with what has moved, if it is `wanted` there. Raises FlowError if it
    cannot be taken up.
    """
    found = opened.found
    if "flow" not in found.facts:
        return None
    kept = KeptFlow()
    format_, document, kept.left_out = unpacked(found.facts["flow"])
    try:
        if format_ != FORMAT:
            raise FlowError([f"it has format {format_}, this version reads {FORMAT}"])
        document = json.loads(document)
        moved = Moved.find(found, document, wanted, premises.name)
        kept.document = moved.document(document, wanted, premises.name)
        flow = premises.check(kept.document)
    except FlowError as error:
        still = f"what is durable of the flow is still in {opened.path}; without that file it starts anew"
        raise FlowError([*error.problems, still]) from None
    share = premises.share_of(graph.without_modules(flow, kept.left_out.keys()))
    for name in (*share.modules, *moved.left):
        facts.take_module(kept.states, name, *unpacked(found.facts.get(f"module/{name}"), ({}, {})))
    kept.dead_letter_count = unpacked(found.facts.get("letters"), 0)
    letters = [_letter(value) for key, value in found.facts.items() if key.startswith("letter/")]
    kept.dead_letters = sorted((one for one in letters if one.module not in moved.left), key=lambda one: one.time)
    for (module, key), value in found.contexts.items():
        if module in kept.states:
            facts.take_context(kept.states, module, key, value)
    _take_ends(kept, found, share)
    if moved:
        moved.drop_bodies(found, share)
        moved.settle(kept, found, share)
    _take_bodies(kept, found, 0 if opened.was_closed else REDELIVERED)
    if opened.was_closed:
        kept.sessions = list(unpacked(found.facts.get("sessions"), ()))
        for fact in unpacked(found.facts.get("left"), ()):
            if not moved.touches(fact):
                take_fact(kept, fact)
    for state, _ in kept.states.values():
        state.mailbox.count_accepted()
    return Kept(opened.path, share, kept, in_journal=True, moved=moved)


def _letter(value: bytes) -> DeadLetter:
    name, module, port, message, headers, error, at = unpacked(value)
    return DeadLetter(name, module, port, message, headers, json.loads(error), at)


def _take_ends(kept: KeptFlow, found: Recovered, share: Share) -> None:
    """What the ends of wires to and from other runners have known."""
    for crossing, wire in share.crossings.items():
        if crossing.side == "out":
            said = unpacked(found.facts.get(sending_key(wire.id)), 0)
            epoch, known = (said, None) if isinstance(said, int) else said
            kept.crossed.take_sending(wire.id, epoch, found.consumed.get(wire.id, 0), known=known)
        elif (known := unpacked(found.facts.get(receiving_key(wire.id)))) is not None:
            kept.crossed.take_receiving(wire.id, *known)


def _take_bodies(kept: KeptFlow, found: Recovered, flag: int) -> None:
    """Into the mailboxes, and to the ends of wires to other runners; what is for outputs is left in `found`. A module
    may have just been removed.
    """
    for wire, through in found.consumed.items():
        kept.input_numbers[wire] = through
    rest: list[Body] = []
    for body in found.bodies:
        wire, flags, skip, count, first, data = body
        module, port = target_of(wire)
        kept.input_numbers[wire] = max(kept.input_numbers.get(wire, 0), first + count)
        if wire in kept.crossed.sending:
            kept.crossed.take_sent(wire, flags, skip, count, first, bytes(data))
        elif is_sink(wire):
            rest.append(body)
        elif module in kept.states:
            facts.take_messages(kept.states, module, wire, port, flags | flag, skip, count, first, bytes(data))
        else:
            _bury(kept, body)
    found.bodies = rest
    kept.leaving = sum(body.count for body in rest)


def _bury(kept: KeptFlow, body: Body) -> None:
    error = {"type": "ModuleRemoved", "message": "the module was removed while this message was queued"}
    module, port = target_of(body.wire)
    messages, headers = split(bytes(body.body), body.flags)
    for at in range(body.skip, body.skip + body.count):
        kept.dead_letter_count += 1
        name = f"{kept.document['id']}/{kept.dead_letter_count}"
        kept.dead_letters.append(
            DeadLetter(name, module, port, messages[at], headers[at] if headers else None, error, 0.0)
        )


def unpacked(value: bytes | None, default: Any = None) -> Any:
    """What a fact says."""
    import msgpack

    return default if value is None else msgpack.unpackb(value, use_list=False, strict_map_key=False)


def flows_in(folder: Path, life: str) -> dict[str, tuple[dict[str, Any], bool] | None]:
    """The flows that a runner had when it died: their documents, and whether they ran; None: that cannot be read, or is
    of another life of the deployment.
    """
    from actors.journal.store import facts_of, wait_for_writer

    flows: dict[str, tuple[dict[str, Any], bool] | None] = {}
    for path in sorted(folder.glob("*.db")):
        wait_for_writer(path)
        facts = facts_of(path, ("flow", "running", "life"))
        flows[path.stem] = None
        if "flow" in facts and unpacked(facts.get("life"), "") == life:
            document = json.loads(unpacked(facts["flow"])[1])
            flows[path.stem] = document, "running" in facts
    return flows


def forget_journal(premises: Premises, flow_id: str) -> bool:
    """Remove the journal of a flow that is not here; False if there is none."""
    place = premises.journals
    if place is None or not (place.folder / f"{flow_id}.db").is_file():
        return False
    from actors.journal.store import remove

    with contextlib.suppress(FlowError):
        lock = _lock(path := place.folder / f"{flow_id}.db", flow_id, 0.0)
        remove(path)
        os.close(lock)
        return True
    return False

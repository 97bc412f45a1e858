"""What a journal has of a flow: locked and read when the flow is added, before it has any actors."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.definition import graph
from actors.definition.durability import is_durable
from actors.definition.model import Flow, FlowError
from actors.definition.validation import check_flow
from actors.definition.wire_names import is_sink, target_of
from actors.flow.kept import Kept
from actors.flow.kept_file import FORMAT, KeptFlow
from actors.flow.record import DeadLetter
from actors.preparation.premises import Premises
from actors.state import facts
from runtimes import locks
from runtimes.frames import REDELIVERED, split

if TYPE_CHECKING:
    from actors.journal.group import Body, Recovered


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
    lock = _lock(path, flow.id)
    try:
        wait_for_writer(path)
        if place.fresh:
            remove(path)
        return OpenedJournal(path, lock, recover(path, place.accept_loss))
    except JournalError as error:
        os.close(lock)
        raise FlowError([f"{flow.id}: {error}; --accept-loss goes on with what is left"]) from None


def _lock(path: Path, flow_id: str) -> int:
    fd = os.open(path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    if locks.seize(fd):
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
        return fd
    pid = os.pread(fd, 20, 0).decode()
    os.close(fd)
    raise FlowError([f"{flow_id}: it runs already (process {pid}), with the journal {path}"])


def find_journalled(premises: Premises, opened: OpenedJournal) -> Kept | None:
    """The flow as it was, if it is in the journal. Raises FlowError if it cannot be taken up."""
    found = opened.found
    if "flow" not in found.facts:
        return None
    kept = KeptFlow()
    format_, document, kept.left_out = unpacked(found.facts["flow"])
    try:
        if format_ != FORMAT:
            raise FlowError([f"it has format {format_}, this version reads {FORMAT}"])
        kept.document = json.loads(document)
        flow = check_flow(kept.document, runtimes=premises.runtimes)
    except FlowError as error:
        still = f"what is durable of the flow is still in {opened.path}; without that file it starts anew"
        raise FlowError([*error.problems, still]) from None
    share = premises.share_of(graph.without_modules(flow, kept.left_out.keys()))
    for name in share.modules:
        facts.take_module(kept.states, name, *unpacked(found.facts.get(f"module/{name}"), ({}, {})))
    kept.dead_letter_count = unpacked(found.facts.get("letters"), 0)
    letters = [_letter(value) for key, value in found.facts.items() if key.startswith("letter/")]
    kept.dead_letters = sorted(letters, key=lambda letter: letter.time)
    for (module, key), value in found.contexts.items():
        if module in kept.states:
            facts.take_context(kept.states, module, key, value)
    _take_bodies(kept, found, 0 if opened.was_closed else REDELIVERED)
    for state, _ in kept.states.values():
        state.mailbox.count_accepted()
    return Kept(opened.path, share, kept, in_journal=True)


def _letter(value: bytes) -> DeadLetter:
    name, module, port, message, headers, error, at = unpacked(value)
    return DeadLetter(name, module, port, message, headers, json.loads(error), at)


def _take_bodies(kept: KeptFlow, found: Recovered, flag: int) -> None:
    """Into the mailboxes; what is for outputs is left in `found`. A module may have just been removed."""
    for wire, through in found.consumed.items():
        kept.input_numbers[wire] = through
    rest: list[Body] = []
    for body in found.bodies:
        wire, flags, skip, count, first, data = body
        module, port = target_of(wire)
        kept.input_numbers[wire] = max(kept.input_numbers.get(wire, 0), first + count)
        if is_sink(wire):
            rest.append(body)
        elif module in kept.states:
            facts.take_messages(
                kept.states, module, wire, port, flags | flag, skip, count, first, bytes(data)
            )  # fmt: skip
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


def forget_journal(premises: Premises, flow_id: str) -> bool:
    """Remove the journal of a flow that is not here; False if there is none."""
    place = premises.journals
    if place is None or not (place.folder / f"{flow_id}.db").is_file():
        return False
    from actors.journal.store import remove

    with contextlib.suppress(FlowError):
        lock = _lock(path := place.folder / f"{flow_id}.db", flow_id)
        remove(path)
        os.close(lock)
        return True
    return False

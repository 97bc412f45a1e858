"""The file that keeps a flow while its runner is down: everything but the actors. Knows neither actors nor hosts.

A file is a stream of msgpack arrays, each a fact of its own with its kind in front, the last one `end`. So whoever
wants to note facts while the flow runs can append the same ones; reading would stay as it is.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from actors.flow.record import DeadLetter, FlowRecord
from actors.links import crossed
from actors.links.crossed import Crossed
from actors.state import facts
from actors.state.facts import Fact, States

FORMAT = 1


class KeptFlowError(Exception):
    """A file that cannot be read; the message says why."""


@dataclass(slots=True)
class KeptFlow:
    """What a file says of a flow. `document`: the flow as it was; `left_out`: the modules it went without."""

    document: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    input_numbers: dict[str, int] = field(default_factory=dict)
    dead_letter_count: int = 0
    dead_letters: list[DeadLetter] = field(default_factory=list)
    states: States = field(default_factory=dict)
    crossed: Crossed = field(default_factory=Crossed)
    breakpoints: dict[str, dict[str, Any]] = field(default_factory=dict)  # by module, as the API shows them
    sessions: list[Any] = field(default_factory=list)  # of pages
    leaving: int = 0  # messages that have left its modules, for outputs that have not got them yet

    def add(self, other: KeptFlow) -> None:
        """What is known of other modules of the same flow."""
        self.input_numbers |= other.input_numbers
        self.dead_letters += other.dead_letters
        self.states |= other.states
        self.crossed.sending |= other.crossed.sending
        self.crossed.receiving |= other.crossed.receiving
        self.breakpoints |= other.breakpoints
        self.sessions += other.sessions


def is_worth_keeping(record: FlowRecord, states: States) -> bool:
    """Whether anything has happened yet."""
    return bool(record.dead_letters or record.sessions) or facts.has_done_anything(states)


def write_kept(path: Path, record: FlowRecord, states: States, ends: Crossed) -> None:
    """Write the whole file or nothing, durably."""
    import msgpack  # not needed by `runner run`

    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = path.with_suffix(".unfinished")
    packer = msgpack.Packer()
    try:
        with open(unfinished, "wb", opener=_private) as file:
            for fact in _facts(record, states, ends):
                file.write(packer.pack(fact))
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
    except OSError:
        unfinished.unlink(missing_ok=True)  # the next flow may find room
        raise
    _sync_folder(path.parent)


def remove_kept(path: Path) -> None:
    """The flow has gone on from it, or is removed."""
    path.unlink(missing_ok=True)
    _sync_folder(path.parent)


def read_kept(path: Path) -> KeptFlow:
    """Read a file; raises KeptFlowError, also if its end is missing."""
    kept = KeptFlow()
    try:
        with path.open("rb") as file:
            for fact in _stream(file):
                if fact[0] == "end":
                    return kept
                take_fact(kept, fact)
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise KeptFlowError(f"{type(error).__name__}: {error}") from None
    raise KeptFlowError("its end is missing")


def take_fact(kept: KeptFlow, fact: Fact) -> None:
    """One of them, to what those before it have said. Raises LookupError or TypeError if it is none."""
    if (take := facts.READ.get(fact[0])) is not None:
        take(kept.states, *fact[1:])
    elif (take := crossed.READ.get(fact[0])) is not None:
        take(kept.crossed, *fact[1:])
    else:
        _READ[fact[0]](kept, *fact[1:])


def _stream(file: IO[bytes]) -> Iterator[Fact]:
    import msgpack

    facts: Iterator[Fact] = msgpack.Unpacker(file, use_list=False, max_buffer_size=0, strict_map_key=False)
    return facts


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


# the facts -------------------------------------------------------------------------------------------------------


def letter_fact(letter: DeadLetter) -> Fact:
    """All of a dead letter."""
    error = json.dumps(letter.error)
    return "letter", letter.id, letter.module, letter.port, letter.message, letter.headers, error, letter.time


def _facts(record: FlowRecord, states: States, ends: Crossed) -> Iterator[Fact]:
    """In an order in which each can be understood at once."""
    yield "flow", FORMAT, time.time(), json.dumps(record.flow.document), record.left_out
    yield "inputs", record.input_numbers
    for name, (state, numbers) in states.items():
        yield from facts.facts_of(name, state, numbers)
    yield from ends.facts()
    yield "letters", record.dead_letter_count
    yield from map(letter_fact, record.dead_letters)
    yield from (("session", session) for session in record.sessions)
    yield ("end",)


def _take_flow(kept: KeptFlow, format_: int, _time: float, document: str, left_out: dict[str, str]) -> None:
    if format_ != FORMAT:
        raise ValueError(f"it has format {format_}, this version reads {FORMAT}")
    kept.document, kept.left_out = json.loads(document), left_out


def _take_inputs(kept: KeptFlow, numbers: dict[str, int]) -> None:
    kept.input_numbers = numbers


def _take_letters(kept: KeptFlow, count: int) -> None:
    kept.dead_letter_count = count


def _take_letter(
    kept: KeptFlow, id_: str, module: str, port: str, message: bytes, headers: bytes | None, error: str, at: float
) -> None:
    kept.dead_letters.append(DeadLetter(id_, module, port, message, headers, json.loads(error), at))


def _take_breakpoint(kept: KeptFlow, module: str, view: dict[str, Any]) -> None:
    kept.breakpoints[module] = view


def _take_session(kept: KeptFlow, session: Any) -> None:
    kept.sessions.append(session)


_READ: dict[str, Callable[..., None]] = {
    "flow": _take_flow, "inputs": _take_inputs, "letters": _take_letters, "letter": _take_letter,
    "breakpoint": _take_breakpoint, "session": _take_session,
}  # fmt: skip

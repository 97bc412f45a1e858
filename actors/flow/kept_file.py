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
    leaving: int = 0  # messages that have left its modules, for outputs that have not got them yet


def is_worth_keeping(record: FlowRecord, states: States) -> bool:
    """Whether anything has happened yet."""
    return bool(record.dead_letters) or facts.has_done_anything(states)


def write_kept(path: Path, record: FlowRecord, states: States) -> None:
    """Write the whole file or nothing, durably."""
    import msgpack  # not needed by `runner run`

    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = path.with_suffix(".unfinished")
    packer = msgpack.Packer()
    try:
        with open(unfinished, "wb", opener=_private) as file:
            for fact in _facts(record, states):
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
                if (take := facts.READ.get(fact[0])) is not None:
                    take(kept.states, *fact[1:])
                else:
                    _READ[fact[0]](kept, *fact[1:])
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise KeptFlowError(f"{type(error).__name__}: {error}") from None
    raise KeptFlowError("its end is missing")


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


def _facts(record: FlowRecord, states: States) -> Iterator[Fact]:
    """In an order in which each can be understood at once."""
    yield "flow", FORMAT, time.time(), json.dumps(record.flow.document), record.left_out
    yield "inputs", record.input_numbers
    for name, (state, numbers) in states.items():
        yield from facts.facts_of(name, state, numbers)
    yield "letters", record.dead_letter_count
    for letter in record.dead_letters:
        error = json.dumps(letter.error)
        yield "letter", letter.id, letter.module, letter.port, letter.message, letter.headers, error, letter.time
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


_READ: dict[str, Callable[..., None]] = {
    "flow": _take_flow, "inputs": _take_inputs, "letters": _take_letters, "letter": _take_letter,
}  # fmt: skip

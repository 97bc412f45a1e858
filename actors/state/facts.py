"""A module's state as facts and back: what a file, a journal or another runner can have of it. Pure.

A fact is a tuple with its kind in front, of what msgpack can write: ("module", name, numbers, accounts),
("context", name, key, value), ("messages", name, wire, port, flags, skip, count, first, body).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from actors.definition.hosting import WireIn
from actors.state.module import ModuleState
from actors.state.segment import Segment

Fact = tuple[Any, ...]
States = dict[str, tuple[ModuleState, dict[str, int]]]  # module -> its state, and the next number of each out-port


def facts_of(name: str, state: ModuleState, numbers: dict[str, int]) -> Iterator[Fact]:
    """In an order in which each can be understood at once."""
    yield "module", name, numbers, state.accounts()
    for key, value in state.context.items():
        yield "context", name, key, value
    for s in state.mailbox.waiting():
        yield "messages", name, s.wire, state.mailbox.wires[s.wire].port, s.flags, s.skip, s.count, s.first, s.body


def take_module(states: States, name: str, numbers: dict[str, int], accounts: dict[str, int]) -> None:
    """The first fact of a module."""
    state = ModuleState()
    state.keep_accounts(accounts)
    states[name] = state, numbers


def take_context(states: States, name: str, key: bytes, value: bytes) -> None:
    """A key of its context."""
    states[name][0].context[key] = value


def take_messages(
    states: States, name: str, wire: str, port: str, flags: int, skip: int, count: int, first: int, body: bytes
) -> None:
    """Messages that wait in its mailbox."""
    mailbox = states[name][0].mailbox
    mailbox.add_wires({wire: WireIn(0, port)})  # the channel is the new host's affair
    mailbox.keep(Segment(wire, body, flags, skip, count, first, time.monotonic()))


READ: dict[str, Callable[..., None]] = {"module": take_module, "context": take_context, "messages": take_messages}


def has_done_anything(states: States) -> bool:
    """Whether there is anything that a new module would not have."""
    return any(state.context or any(state.accounts().values()) for state, _ in states.values())

"""What a gateway asks of a flow, beside the API: messages and taps as bytes, which nobody decodes.

They go the way of the API's requests, but no client can name them.
"""

from __future__ import annotations

from dataclasses import dataclass

from actors.messages.client_to_runner import Command, Request
from actors.messages.parameters import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class SendBatch(Command):
    """Send encoded messages to an in-port of a module, all or none; `headers`: as many, encoded, or none. For a visitor
    only where messages of pages go.
    """

    flow_module_id: Text
    port: Text
    messages: list[bytes]
    headers: list[bytes] | None = None
    for_visitor: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TapLines(Request):
    """As TapPort, for ReadTapLines: only bytes are limited, nobody decodes the messages. A visitor sees what all pages
    may.
    """

    flow_module_id: Text
    port: Text
    for_visitor: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTapLines(Request):
    """As ReadTap, of which nothing is shortened: the value is (encoded messages, how many were dropped after them)."""

    tap_id: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinPage(Request):
    """A page joins a flow, or comes back; `flow_module_id`: of any of its browser modules, `hello`: what it says first.
    The value is {session, client, socket}.
    """

    flow_module_id: Text
    hello: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OfPage(Request):
    """Base of what is asked for a page; `session`, `socket` as JoinPage gave them. Refused once a newer socket has the
    session, or it has ended: `data` is then {"ended": true}.
    """

    flow_module_id: Text
    session: Text
    socket: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SayPage(OfPage):
    """What a page has done: frames. Answered when the flow has room for more."""

    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPage(OfPage):
    """The next frames for a page; answered when there are any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeavePage(OfPage):
    """The socket of a page has gone; `for_good`: the page, too."""

    for_good: bool

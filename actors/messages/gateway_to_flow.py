"""What a gateway asks of a flow, beside the API: messages and taps as bytes, which nobody decodes.

They go the way of the API's requests, but no client can name them.
"""

from __future__ import annotations

from actors.messages.client_to_runner import Command, Request
from actors.messages.parameters import Text


class SendBatch(Command, frozen=True, kw_only=True):
    """Send encoded messages to an in-port of a module, all or none; `headers`: as many, encoded, or none. For a visitor
    only where messages of pages go.
    """

    flow_module_id: Text
    port: Text
    messages: list[bytes]
    headers: list[bytes] | None = None
    for_visitor: bool = False


class TapLines(Request, frozen=True, kw_only=True):
    """As TapPort, for ReadTapLines: only bytes are limited, nobody decodes the messages. A visitor sees what all pages
    may.
    """

    flow_module_id: Text
    port: Text
    for_visitor: bool = False


class ReadTapLines(Request, frozen=True, kw_only=True):
    """As ReadTap, of which nothing is shortened: the value is (encoded messages, how many were dropped after them)."""

    tap_id: Text


class JoinPage(Request, frozen=True, kw_only=True):
    """A page joins a flow, or comes back; `flow_module_id`: of any of its browser modules, `hello`: what it says first.
    The value is {session, client, socket}.
    """

    flow_module_id: Text
    hello: bytes


class OfPage(Request, frozen=True, kw_only=True):
    """Base of what is asked for a page; `session`, `socket` as JoinPage gave them. Refused once a newer socket has the
    session, or it has ended: `data` is then {"ended": true}.
    """

    flow_module_id: Text
    session: Text
    socket: int


class SayPage(OfPage, frozen=True, kw_only=True):
    """What a page has done: frames. Answered when the flow has room for more."""

    data: bytes


class ReadPage(OfPage, frozen=True, kw_only=True):
    """The next frames for a page; answered when there are any."""


class ReadPackage(Request, frozen=True, kw_only=True):
    """A file of what browser modules import from npm, of an environment that LOAD has named. The value is its bytes."""

    flow_module_id: Text
    environment: Text
    file: Text


class LeavePage(OfPage, frozen=True, kw_only=True):
    """The socket of a page has gone; `for_good`: the page, too."""

    for_good: bool

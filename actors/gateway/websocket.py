"""One WebSocket: bytes in, whole text messages out, and the other way. `websockets` knows RFC 6455, this has what it
leaves to its user: fragments are joined, text is UTF-8, sizes have limits. No sockets, no clock.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus

from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol

from actors.gateway.http import Head, HttpError

MAX_MESSAGE_BYTES = 4 << 20
MAX_FRAGMENTS = 1024
PROTOCOL = "runner.v1"
_silent = logging.getLogger("runner.gateway.websocket")
_silent.setLevel(logging.CRITICAL + 1)  # what strangers do wrong is no event


class WebSocket:
    """A connection that speaks WebSocket, from its handshake on."""

    def __init__(self, head: Head, origins: Sequence[str], *, binary: bool = False) -> None:
        """Raises HttpError if the handshake is none. Without an Origin it is no browser. `binary`: messages are bytes,
        not text.
        """
        self._kind, self._wrong = (Opcode.BINARY, Opcode.TEXT) if binary else (Opcode.TEXT, Opcode.BINARY)
        allowed = [None, *map(Origin, origins)]
        offered = [Subprotocol(PROTOCOL)] if "sec-websocket-protocol" in head.headers else None
        self._protocol = ServerProtocol(
            origins=allowed, subprotocols=offered, max_size=MAX_MESSAGE_BYTES, logger=_silent
        )
        self._fragments: list[bytes] = []
        self._fragment_bytes = 0
        self._protocol.receive_data(Request("/", Headers(head.headers)).serialize())  # it reads it by itself
        request = next(iter(self._protocol.events_received()), None)
        if not isinstance(request, Request):
            raise HttpError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "a header is too long")
        response = self._protocol.accept(request)
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            reason = self._protocol.handshake_exc
            text = str(reason) if isinstance(reason, InvalidHandshake) else "the handshake is refused"
            told = {name: value for name, value in response.headers.raw_items() if name.lower() == "upgrade"}
            raise HttpError(HTTPStatus(response.status_code), text, told)
        self._protocol.send_response(response)

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._protocol.state is State.OPEN

    @property
    def is_ending(self) -> bool:
        """Whether nothing more than the end of the connection is to come."""
        return self._protocol.close_expected()

    @property
    def close_code(self) -> int | None:
        """What the client has ended it with."""
        return self._protocol.close_rcvd.code if self._protocol.close_rcvd is not None else None

    def feed(self, data: bytes) -> list[bytes]:
        """Bytes that have come; the messages that they complete. What breaks the rules closes the connection."""
        self._protocol.receive_data(data)
        messages = []
        for frame in self._protocol.events_received():
            if not self.is_open or not isinstance(frame, Frame):
                break
            if frame.opcode is self._wrong:
                self._protocol.fail(CloseCode.UNSUPPORTED_DATA, f"only {self._kind.name.lower()} is understood here")
            elif frame.opcode in (self._kind, Opcode.CONT):
                self._fragments.append(bytes(frame.data))
                self._fragment_bytes += len(frame.data)
                if len(self._fragments) > MAX_FRAGMENTS or self._fragment_bytes > MAX_MESSAGE_BYTES:
                    self._protocol.fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
                elif frame.fin:
                    message, self._fragments, self._fragment_bytes = b"".join(self._fragments), [], 0
                    if self._kind is Opcode.BINARY or _is_text(message):
                        messages.append(message)
                    else:
                        self._protocol.fail(CloseCode.INVALID_DATA, "not UTF-8")
        return messages

    def say(self, message: bytes) -> None:
        """A message; nothing if the end has begun."""
        if self.is_open and self._kind is Opcode.BINARY:
            self._protocol.send_binary(message)
        elif self.is_open:
            self._protocol.send_text(message)

    def ping(self) -> None:
        """The client shall answer."""
        if self.is_open:
            self._protocol.send_ping(b"")

    def close(self, code: int, reason: str) -> None:
        """Begin the end; the client answers, or is waited for no longer."""
        if self.is_open:
            self._protocol.send_close(code, reason.encode()[:120].decode(errors="ignore"))

    def said(self) -> bytes:
        """What is to be sent."""
        return b"".join(self._protocol.data_to_send())


def _is_text(message: bytes) -> bool:
    try:
        message.decode()
    except UnicodeDecodeError:
        return False
    return True

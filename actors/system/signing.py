"""Sealed messages for Thespian's TCP transport: nothing is unpickled before it has been opened (system/sealing.py).

Thespian listens on every interface, unpickles whatever it reads, takes any length, and keeps connections that say
nothing for seven minutes. `install` changes that for this process and all it forks; it must run before the first
multiprocTCPBase ActorSystem.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import pickle
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from thespian.actors import ActorAddress
from thespian.system.transport import IPBase, TCPTransport, streamBuffer

from actors.system.gate import Gate
from actors.system.lobby import MAX_STRANGERS, STRANGER_S, Lobby
from actors.system.sealing import ANYBODY, NOTHING, KeyFile, Opened, Opener, RefusedError, Sealer
from actors.system.turnstile import MAX_FROM_ONE

MAX_MESSAGE_BYTES = 64 << 20
MAX_LENGTH_DIGITS = 20
ACCEPTED_AT_ONCE = 64
MAX_STRANGER_BYTES = MAX_MESSAGE_BYTES + (1 << 20)  # that all of them have sent
SAID_S = 1.0
_Transport = TCPTransport.TCPTransport
_init, _send, _acknowledged = _Transport.__init__, _Transport._next_XMIT_2, _Transport._check_XMIT_4_done
_read, _received = _Transport._handleReadableIncoming, _Transport._addedDataToIncoming
_inherited = _Transport.childResetFileNumList
_original_init = IPBase.IPActorAddress.__init__
log = logging.getLogger("runner.control")


class CappedBuffer(streamBuffer.ReceiveBuffer):
    """Thespian's receive buffer, which takes any announced length, with a limit."""

    def addMore(self, buf: bytes) -> None:
        """Add what was read; raises ValueError (the connection is then closed) for a length that is none."""
        try:
            super().addMore(buf)
        except TypeError as error:  # Thespian stumbles over its own log line
            raise ValueError("no length in front of a message") from error
        if self._size is None:
            if len(self._buf) > MAX_LENGTH_DIGITS:
                raise ValueError("no length in front of a message")
        elif not 0 <= self._size <= MAX_MESSAGE_BYTES:
            raise ValueError(f"a message of {self._size} bytes was announced, at most {MAX_MESSAGE_BYTES} are taken")

    @property
    def bytes(self) -> int:
        """Of a message that is not complete, or was not looked at."""
        return len(self._buf)


class SealedBuffer(CappedBuffer):
    """Opens what it has received, once: Thespian asks twice for a message that crosses an acknowledgement."""

    answered = NOTHING  # the message that an acknowledgement has to be for

    def __init__(self, opener: Opener) -> None:
        super().__init__(opener)
        self.id: bytes | None = None  # of the message, if somebody who has the key sent it
        self._found: Any = None

    def completed(self) -> tuple[Any, bytes] | None:
        """The message and what came behind it, None if it is not all there; raises RefusedError."""
        if self._size is None or self._blen != self._size:
            return None
        if self._found is None:
            self._found = (self._opened(self._deserialize.unseal(self._buf)),)
        return self._found[0], self._extra

    def _opened(self, message: Opened) -> Any:
        self.id = message.id
        if message.answers == NOTHING:
            self._deserialize.admit(message)
        elif message.answers != self.answered:
            raise RefusedError("it acknowledges another message")
        return pickle.loads(message.body)


class _Serializer:
    """In place of the pickle module in Thespian's transport, which hands `loads` to its buffers."""

    loads: Opener  # of this process's address


class _Hooks:
    """In place of methods of Thespian's transport, each with that transport as its first argument."""

    def __init__(self, keys: KeyFile, address: str) -> None:
        self._keys, self._sealer, self._address = keys, Sealer(keys), address
        self._pid = 0
        self._said: dict[str, float] = {}  # when something was logged of a source last

    def start(self, transport: Any, *arguments: Any) -> None:
        """It has an address now; those of the process that this one was forked from are none of ours."""
        _init(transport, *arguments)
        transport.socket.setblocking(False)
        transport.lobby = lobby = Lobby(Gate(transport.socket, self._address))
        transport._incomingSockets[lobby.socket.fileno()] = lobby
        if self._pid != os.getpid():
            self._pid, _Serializer.loads = os.getpid(), Opener(self._keys)
        _Serializer.loads.addresses.add(_tag(transport.myAddress))

    # sending -------------------------------------------------------------------------------------------------------

    def serialize(self, transport: Any, intent: Any) -> bytes:
        """It is sealed when it is sent: it may wait before."""
        intent.id = self._sealer.new_id()
        intent.plain = pickle.dumps((transport.myAddress, intent.message), pickle.HIGHEST_PROTOCOL)
        return bytes(intent.plain)

    def send(self, transport: Any, intent: Any) -> bool:
        """The first byte goes, or goes once more after a connection was lost."""
        if intent.amtSent == 0:
            intent.serMsg = _framed(self._sealer.seal(intent.plain, intent.id, _tag(intent.targetAddr)))
        return bool(_send(transport, intent))

    def acknowledged(self, transport: Any, intent: Any, data: bytes) -> bool:
        """What came may be the acknowledgement of this message only."""
        intent.ackbuf.answered = intent.id
        try:
            return bool(_acknowledged(transport, intent, data))
        except (RefusedError, ValueError) as error:
            self._say(intent, error)
            intent.backoffPause(True)
            intent.stage = transport._XMITStepRetry
            return bool(transport._nextTransmitStep(intent))

    # receiving -----------------------------------------------------------------------------------------------------

    def accept(self, transport: Any) -> None:
        """All that have come, if they do not come too often: Thespian takes one, and looks at all it has anew for each.
        With too many that have not said anything, the one that is silent for longest goes.
        """
        lobby, now = transport.lobby, time.monotonic()
        kind = TCPTransport.TCPIncomingPersistent if hasattr(transport, "_openSockets") else TCPTransport.TCPIncoming
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                client, (source, *_) = transport.new_socket(transport.socket.accept)
            except OSError:  # nobody else has come, or he has gone again
                break
            if not lobby.gate.admits(source, now):
                client.close()
                self._say_of(source, f"it makes more than {MAX_FROM_ONE} connections in a second, or others do")
                continue
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            lobby.add(kind(ActorAddress(None), client), now + STRANGER_S)
        transport._check_indicators()
        for stranger in lobby.too_many():
            self._say(stranger, f"{MAX_STRANGERS} connections have not sent a message yet")
            stranger.close()

    def read(self, transport: Any, incoming: Any, **how: Any) -> Any:
        """More of a message; of those that have not sent one yet, of a few."""
        if incoming is not transport.lobby:
            return _read(transport, incoming, **how)
        lobby = transport.lobby
        lobby.gate.look(time.monotonic())
        for stranger in lobby.too_late():
            self._say(stranger, f"it has not sent a message in {STRANGER_S:g} s")
            stranger.close()
        for stranger, ends in lobby.ready():
            if lobby.bytes + stranger._rData.bytes > MAX_STRANGER_BYTES:
                self._say(stranger, "too much has come that is not a whole message")
                stranger.close()
            elif _read(transport, stranger, **how) is not None:
                lobby.add(stranger, ends)
                lobby.rest()
        return lobby

    def inherited(self, transport: Any) -> list[int]:
        """The descriptors that a child has to close."""
        return [*_inherited(transport), *transport.lobby.descriptors]

    def received(self, transport: Any, incoming: Any, *how: Any, **more: Any) -> Any:
        """All of a message may be there: then what is to be answered is made for it. Strangers get no answer."""
        if incoming.receivedAllData():
            try:
                incoming.data  # noqa: B018 (it is opened)
            except (RefusedError, ValueError) as error:
                self._say(incoming, error)
            except Exception:
                log.exception("a message of this deployment cannot be read")
            answers = incoming._rData.id
            for name, packet in (("ackMsg", streamBuffer.ackPacket), ("ackDataErrMsg", streamBuffer.ackDataErrPacket)):
                setattr(TCPTransport, name, self._answer(packet, answers) if answers else b"")
        return _received(transport, incoming, *how, **more)

    def _answer(self, packet: str, answers: bytes) -> bytes:
        return _framed(self._sealer.seal(pickle.dumps(packet), self._sealer.new_id(), answers=answers))

    def _say(self, connection: Any, why: object) -> None:
        try:
            source = connection.socket.getpeername()[0]
        except (OSError, AttributeError):
            source = "somebody who has gone"
        self._say_of(source, why)

    def _say_of(self, source: str, why: object) -> None:
        """Once a second of each source."""
        now = time.monotonic()
        if now - self._said.get(source, -SAID_S) >= SAID_S:
            self._said = {other: when for other, when in self._said.items() if now - when < SAID_S} | {source: now}
            log.warning("a control message from %s was refused: %s", source, why)


def _tag(address: Any) -> bytes:
    """Of an actor's address, for the inside of a message."""
    host, port = address.addressDetails.sockname[:2]
    return hashlib.blake2b(f"{host}:{port}".encode(), digest_size=len(ANYBODY)).digest()


def _framed(sealed: bytes) -> bytes:
    return b"%d>" % len(sealed) + sealed


def install(key_file: Path, address: str = "127.0.0.1") -> None:
    """Seal and open every message with the keys of a file, cap lengths and strangers, listen on `address` only;
    inherited by fork. Raises OSError, KeyFileError.
    """
    hooks = _Hooks(KeyFile(key_file), address)
    TCPTransport.serializer = _Serializer
    TCPTransport.ReceiveBuffer = SealedBuffer
    for name, hook in (
        ("__init__", hooks.start), ("serializer", hooks.serialize), ("_next_XMIT_2", hooks.send),
        ("_check_XMIT_4_done", hooks.acknowledged), ("_acceptNewIncoming", hooks.accept),
        ("_handleReadableIncoming", hooks.read), ("_addedDataToIncoming", hooks.received),
        ("childResetFileNumList", hooks.inherited),
    ):  # fmt: skip
        setattr(_Transport, name, functools.partialmethod(_call, hook))

    def init(self: Any, af: Any, socktype: Any, proto: Any, baseaddr: Any, port: Any, external: Any = False) -> None:
        # Without an address Thespian asks the routing table for its "public" one.
        known = baseaddr if baseaddr not in (None, "", "0.0.0.0") else address
        _original_init(self, af, socktype, proto, known, port, external)
        self.bindname = (address, self.bindname[1])

    IPBase.IPActorAddress.__init__ = init


def _call(transport: Any, hook: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    return hook(transport, *arguments, **named)

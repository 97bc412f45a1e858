"""Authenticated messages for Thespian's TCP transport: nothing is unpickled before its signature has been checked.

Thespian listens on every interface and unpickles whatever it reads. `install` changes that for this process and all
it forks; it must run before the first multiprocTCPBase ActorSystem. It keeps secrets from nobody and does not stop
replays: both come with runners on several machines.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import pickle
import secrets
from pathlib import Path
from typing import Any

from thespian.system.transport import IPBase, TCPTransport, streamBuffer

KEY_BYTES = 32
SIGNATURE_BYTES = hashlib.sha256().digest_size
MAX_MESSAGE_BYTES = 64 << 20
MAX_LENGTH_DIGITS = 20
_original_init = IPBase.IPActorAddress.__init__


class UnsignedMessageError(Exception):
    """What arrived was not sent by anybody who has the key."""


class SignedPickle:
    """In place of the pickle module: `dumps` puts an HMAC-SHA256 in front, `loads` checks it before it unpickles."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def dumps(self, value: Any) -> bytes:
        """The signature and the pickled value."""
        body = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
        return hmac.digest(self._key, body, "sha256") + body

    def loads(self, data: bytes) -> Any:
        """The value; raises UnsignedMessageError and unpickles nothing if the signature is wrong."""
        signature, body = data[:SIGNATURE_BYTES], data[SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, hmac.digest(self._key, body, "sha256")):
            raise UnsignedMessageError(f"a message of {len(data)} bytes without a valid signature was refused")
        return pickle.loads(body)


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


def make_key(path: Path) -> bytes:
    """A new key in a new file that only its owner can read."""
    key = secrets.token_bytes(KEY_BYTES)
    path.unlink(missing_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(key)
    return key


def install(key: bytes, address: str = "127.0.0.1") -> None:
    """Sign and check every message, cap lengths, listen on `address` only; inherited by fork."""
    signed = SignedPickle(key)
    TCPTransport.serializer = signed
    # Made at import with plain pickle: no receiver would take it now, and every send would wait for ever.
    TCPTransport.ackMsg = streamBuffer.toSendBuffer(streamBuffer.ackPacket, signed.dumps)
    TCPTransport.ackDataErrMsg = streamBuffer.toSendBuffer(streamBuffer.ackDataErrPacket, signed.dumps)
    TCPTransport.ReceiveBuffer = CappedBuffer

    def init(self: Any, af: Any, socktype: Any, proto: Any, baseaddr: Any, port: Any, external: Any = False) -> None:
        # Without an address Thespian asks the routing table for its "public" one.
        known = baseaddr if baseaddr not in (None, "", "0.0.0.0") else address
        _original_init(self, af, socktype, proto, known, port, external)
        self.bindname = (address, self.bindname[1])

    IPBase.IPActorAddress.__init__ = init

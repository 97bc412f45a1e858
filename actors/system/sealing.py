"""Sealed messages between processes: encrypted, for one actor, once, now. Knows nothing of Thespian and of sockets.

A key file has a line `ROLE ID HEX` for each key: messages are sealed with that of the role `current`, those of the
others are opened as well, so a key can be replaced while everything runs. It is read again when it has changed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import struct
import time
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CURRENT, NEXT, PREVIOUS = "current", "next", "previous"
KEY_BYTES, ID_BYTES, NONCE_BYTES = 32, 4, 12
WINDOW_S = 30.0  # clocks of machines have to agree within it
REMEMBERED_S = 360.0  # Thespian sends a message again for 5 minutes if its acknowledgement was lost
MAX_REMEMBERED = 1 << 16
ANYBODY = bytes(8)
NOTHING = bytes(NONCE_BYTES)
_HEAD = struct.Struct(f"<8sq{NONCE_BYTES}s{NONCE_BYTES}s")  # target, sent at (us), id, the id that is answered


class RefusedError(Exception):
    """It is not opened, or not handed on. A sentence that has nothing of the message in it."""


class KeyFileError(Exception):
    """A control key that is none. A whole sentence."""


class Key(NamedTuple):
    """A line of a key file."""

    role: str
    id: bytes
    key: bytes


class Opened(NamedTuple):
    """A message of somebody who has the key. `answers`: it acknowledges the message with that id."""

    id: bytes
    target: bytes
    sent_us: int
    answers: bytes
    body: bytes


def new_key(role: str = CURRENT) -> Key:
    """A key that nobody has yet."""
    return Key(role, secrets.token_bytes(ID_BYTES), secrets.token_bytes(KEY_BYTES))


def read_keys(path: Path) -> list[Key]:
    """The keys of a file. Raises OSError, KeyFileError."""
    keys = []
    for number, line in enumerate(path.read_text("ascii", "replace").splitlines(), 1):
        try:
            role, id, key = line.split()
            found = Key(role, bytes.fromhex(id), bytes.fromhex(key))
        except ValueError:
            raise KeyFileError(f"{path}:{number}: not a key; a line is `{CURRENT} ID KEY`, in hex") from None
        if role not in (CURRENT, NEXT, PREVIOUS) or (len(found.id), len(found.key)) != (ID_BYTES, KEY_BYTES):
            raise KeyFileError(f"{path}:{number}: not a key of {KEY_BYTES} bytes with an id of {ID_BYTES}")
        keys.append(found)
    if [key.role for key in keys].count(CURRENT) != 1:
        raise KeyFileError(f"{path}: one key has to be `{CURRENT}`")
    return keys


def key_lines(keys: list[Key]) -> bytes:
    """The text of a key file with these."""
    return "".join(f"{key.role} {key.id.hex()} {key.key.hex()}\n" for key in keys).encode()


class KeyFile:
    """The keys of a file, as they are now."""

    def __init__(self, path: Path) -> None:
        """Raises OSError, KeyFileError."""
        self._path = path
        self._stamp: tuple[int, ...] = ()
        self._looked = 0.0
        self._read()

    def _read(self) -> None:
        found = self._path.stat()
        stamp = (found.st_mtime_ns, found.st_ino)
        if stamp != self._stamp:
            keys = read_keys(self._path)
            self.current = next(key.id for key in keys if key.role == CURRENT)
            self.ciphers = {key.id: AESGCM(key.key) for key in keys}
            self._stamp = stamp

    def look(self) -> None:
        """Once a second: is it another file? If it cannot be read, the keys stay as they are."""
        now = time.monotonic()
        if now - self._looked >= 1.0:
            self._looked = now
            self.look_now()

    def look_now(self) -> None:
        """As `look`, at once."""
        with contextlib.suppress(OSError, KeyFileError):  # it is being replaced, or gone with the deployment
            self._read()


class Sealer:
    """Seals what this process sends."""

    def __init__(self, keys: KeyFile) -> None:
        self._keys = keys
        self._pid, self._prefix, self._count = 0, b"", 0

    def new_id(self) -> bytes:
        """A number that was never used before with any key, by this process or another: also a message's name."""
        if self._pid != os.getpid() or self._count == 0xFFFFFFFF:  # a fork goes on with the counter of its parent
            self._pid, self._prefix, self._count = os.getpid(), secrets.token_bytes(NONCE_BYTES - 4), 0
        self._count += 1
        return self._prefix + self._count.to_bytes(4, "big")

    def seal(self, body: bytes, id: bytes, target: bytes = ANYBODY, answers: bytes = NOTHING) -> bytes:
        """Sent now. `id`: the same if the same message is sent once more, which is sealed anew for it."""
        self._keys.look()
        key, nonce = self._keys.current, self.new_id()
        head = _HEAD.pack(target, time.time_ns() // 1000, id, answers)
        return key + nonce + self._keys.ciphers[key].encrypt(nonce, head + body, key)


class Opener:
    """Opens what comes to addresses of one process. Nothing is handed on twice, or that was sent before this began."""

    def __init__(self, keys: KeyFile, *addresses: bytes) -> None:
        self._keys, self.addresses = keys, set(addresses)
        self._seen: OrderedDict[bytes, int] = OrderedDict()  # id -> sent at
        self._floor_us = time.time_ns() // 1000 - 1  # what was sent until then may have been seen

    def unseal(self, data: bytes) -> Opened:
        """Of somebody who has the key; raises RefusedError."""
        key, nonce = data[:ID_BYTES], data[ID_BYTES : ID_BYTES + NONCE_BYTES]
        if key not in self._keys.ciphers:
            self._keys.look_now()
        try:
            plain = self._keys.ciphers[key].decrypt(nonce, data[ID_BYTES + NONCE_BYTES :], key)
            target, sent_us, id, answers = _HEAD.unpack_from(plain)
        except (KeyError, InvalidTag, ValueError, struct.error):
            raise RefusedError("it is not sealed with a key of this deployment") from None
        return Opened(id, target, sent_us, answers, plain[_HEAD.size :])

    def admit(self, message: Opened) -> None:
        """It is for this address, of now, and new; raises RefusedError."""
        now = time.time_ns() // 1000
        age_s = (now - message.sent_us) / 1e6
        if message.target not in self.addresses:
            raise RefusedError("it was sent to another actor")
        if abs(age_s) > WINDOW_S:
            when = f"{age_s:.0f} s ago" if age_s > 0 else f"in {-age_s:.0f} s"
            raise RefusedError(f"it was sent {when}: is it old, or do the machines' clocks differ?")
        if message.id in self._seen:
            raise RefusedError("it came a second time")
        if message.sent_us <= self._floor_us:
            raise RefusedError("it was sent before this process began")
        self._seen[message.id] = message.sent_us
        while self._seen and next(iter(self._seen.values())) < now - REMEMBERED_S * 1e6:
            self._seen.popitem(last=False)
        if len(self._seen) > MAX_REMEMBERED:
            self._floor_us = max(self._floor_us, self._seen.popitem(last=False)[1])

"""At a listening socket: whoever comes too often is turned away by the kernel, before this process hears of it.

Otherwise each of his connections costs a turn of an actor, in which it is closed. Connections that are there go on.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import socket
import struct

from actors.system.turnstile import Turnstile

MAX_SHUT_OUT = 100  # sources that are told apart; of more than that nobody comes in, but for this machine
_ATTACH_FILTER, _DETACH_FILTER = 26, 27  # of setsockopt
_LOAD_SOURCE = (0x20, 0, 0, 0xFFF00000 + 12)  # of the packet's IPv4 header, in the instructions of classic BPF
_NEXT_IF_IT_IS, _DROP, _TAKE = 0x15, (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF)
_Step = tuple[int, int, int, int]


class Gate:
    """Of one listening socket. Whoever is on this machine passes: `own` is the address that it listens on."""

    def __init__(self, listener: socket.socket, own: str) -> None:
        self.until = math.inf  # when it has to be looked at
        self._listener, self._own, self._turnstile = listener, own, Turnstile(own)
        self._shut_out: set[str] = set()

    def admits(self, source: str, now: float) -> bool:
        """Whether a connection from there, now (monotonic, s), may be looked at."""
        if self._turnstile.admits(source, now):
            return True
        self.until = int(now) + 1.0
        self._shut_out.add(source)
        steps = [_LOAD_SOURCE]
        with contextlib.suppress(OSError):  # not an IPv4 address, or the kernel has no filters: he is heard, and closed
            if self._turnstile.is_full or len(self._shut_out) > MAX_SHUT_OUT:
                steps += [*_if(self._own, _TAKE), _DROP]
            else:
                steps += [*(step for one in self._shut_out for step in _if(one, _DROP)), _TAKE]
            program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
            value = struct.pack("HP", len(steps), ctypes.addressof(program))
            self._listener.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, value)
        return False

    def look(self, now: float) -> None:
        """When it is `until`: everybody may come again."""
        if now >= self.until:
            self.until = math.inf
            self._shut_out.clear()
            with contextlib.suppress(OSError):  # there is none
                self._listener.setsockopt(socket.SOL_SOCKET, _DETACH_FILTER, 0)


def _if(source: str, then: _Step) -> list[_Step]:
    return [(_NEXT_IF_IT_IS, 0, 1, int.from_bytes(socket.inet_aton(source), "big")), then]

"""What is in a pipe."""

from __future__ import annotations

import fcntl
import sys
import termios


def waiting_bytes(fd: int) -> int:
    """How much can be read from it now."""
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder)

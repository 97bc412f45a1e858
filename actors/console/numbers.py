"""Numbers on the command line: what is none, or is out of its range, is refused with what is wanted."""

from __future__ import annotations

from argparse import ArgumentTypeError

MAX_SECONDS = 31_536_000  # that of actors/messages/parameters.py, which takes longer to import than `runner --version`
MAX_PORT = 65_535


def seconds(text: str) -> float:
    """Seconds from 0 to MAX_SECONDS."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= MAX_SECONDS:  # also nan
        raise ArgumentTypeError(f"a number of seconds from 0 to {MAX_SECONDS:,} is wanted, not {text[:40]!r}")
    return value


def count(text: str) -> int:
    """A whole number from 1."""
    try:
        value = int(text) if len(text) < 20 else 0
    except ValueError:
        value = 0
    if not 1 <= value < 2**63:
        raise ArgumentTypeError(f"a whole number from 1 is wanted, not {text[:40]!r}")
    return value


def address(text: str) -> tuple[str, int]:
    """HOST:PORT; port 0 is any that is free."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > MAX_PORT:
        raise ArgumentTypeError(f"HOST:PORT is wanted, such as 127.0.0.1:8080, not {text[:40]!r}")
    return host.removeprefix("[").removesuffix("]"), int(port)


def port(text: str) -> int:
    """A TCP port; 0 is any that is free."""
    if not (text.isascii() and text.isdecimal()) or int(text) > MAX_PORT:
        raise ArgumentTypeError(f"a port from 0 to {MAX_PORT} is wanted, not {text[:40]!r}")
    return int(text)

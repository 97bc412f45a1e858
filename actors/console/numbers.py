"""Numbers on the command line: what is none, or is out of its range, is refused with what is wanted."""

from __future__ import annotations

from argparse import ArgumentTypeError

MAX_SECONDS = 31_536_000  # that of actors/messages/parameters.py, which takes longer to import than `runner --version`


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

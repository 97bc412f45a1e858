"""What copying.c has."""

from typing import Any

def copy_plain(value: Any, room: int) -> Any:
    """A copy of plain JSON whose text has `room` bytes at most; None if that is not sure."""

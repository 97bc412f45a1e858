"""Errors that no new try mends. A module says so by the name of what it raises, which every language can. Pure."""

from __future__ import annotations

from typing import Any

NAMES = frozenset({"PermanentError", "PERMANENT-ERROR"})  # the second is what Lisp makes of permanent-error


def is_permanent(error: dict[str, Any]) -> bool:
    """Whether a message, or a source, with this error is not tried again, whatever the flow file says."""
    return error.get("type") in NAMES

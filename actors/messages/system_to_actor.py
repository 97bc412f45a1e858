"""What the in-process system tells an actor."""

from __future__ import annotations

from typing import NamedTuple


class Ready(NamedTuple):
    """A watched descriptor is ready; `events` as epoll gives them."""

    fd: int
    events: int


class QuietPoint(NamedTuple):
    """No message is pending anywhere in the system, and none will come in until this one's effects have run."""

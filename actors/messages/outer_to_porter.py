"""What the outer runner tells its porter, inside the in-process system."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from thespian.actors import ActorAddress

from actors.messages.client_to_runner import Request
from actors.messages.owner_to_runner import CloseJournals, ShutDown
from actors.messages.runner_to_client import Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Carry:
    """Send `request` to `runner`; `done` gets the reply."""

    request: Request | ShutDown | CloseJournals
    runner: ActorAddress
    done: Callable[[Reply], None]

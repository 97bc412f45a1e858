"""What an actor between processes tells the porter in its in-process system."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct
from thespian.actors import ActorAddress

from actors.messages.runner_to_client import Progress, Reply


class Carry(Struct, frozen=True, kw_only=True):
    """Send `request`, which has a `request_id`, to an inner actor; `done` gets the reply, `progress` what is said
    meanwhile.
    """

    request: Any
    to: ActorAddress
    done: Callable[[Reply], None]
    progress: Callable[[Progress], None]

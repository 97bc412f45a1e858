"""A module's data, which the parts of its actor share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thespian.actors import ActorAddress

from actors.definition.hosting import WireIn
from actors.messages.flow_to_module import ConfigureModule
from actors.module.step import Step
from actors.state.mailbox import WINDOW_MESSAGES
from actors.state.module import ModuleState

if TYPE_CHECKING:
    from actors.module.notes import Notes


class ModuleRecord:
    """What an actor was told that it is stays as it is, but for its state: that changes its actor in an update."""

    def __init__(self, message: ConfigureModule, owner: ActorAddress) -> None:
        self.owner = owner  # the flow's actor
        self.bridge = message.bridge
        self.activity = message.activity  # of the flow
        self.flow = message.flow
        self.module = message.module
        self.name = f"{message.flow}/{message.module.id}"  # for people
        self.slot = message.slot  # in its host
        self.unit = message.unit
        self.max_turn_bytes = message.max_turn_bytes
        self.placed = message.placed
        self.notes: Notes | None = None  # if the flow is durable
        self.step: Step | None = None  # while one is under way; of Steps
        self.take(message.state or ModuleState(), message.wires_in)

    def take(self, state: ModuleState, wires_in: dict[str, WireIn]) -> None:
        """Go on from a state; tell it what the flow file says of the module."""
        self.state = state
        retry, timed = self.module.retry, self.module.timeout_s is not None
        state.configure(
            slot=self.slot, wires=wires_in, retry_times=retry.times if retry else None,
            backoff_s=retry.backoff_s if retry else 0.0, announce=timed,
            window_messages=self.module.concurrency if timed else WINDOW_MESSAGES,
        )  # fmt: skip

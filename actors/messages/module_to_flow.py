"""What a module tells its flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from msgspec import Struct

if TYPE_CHECKING:
    from actors.state.module import ModuleState
    from actors.state.segment import Handled


class OfModule(Struct, frozen=True, kw_only=True):
    """Base of what is said of one module, by its name. A job of the flow may wait for it."""

    by: ClassVar[str] = "module"
    flow: str
    module: str


class ModuleStopped(OfModule, frozen=True, kw_only=True):
    """Nothing of the module is at the host any more."""

    reason: str


class ModuleDescribed(Struct, frozen=True, kw_only=True):
    """Figures of one module, and of the wires that lead to it; the keys are flowState's."""

    request_id: str
    module: str
    figures: dict[str, Any]
    wires: dict[str, dict[str, Any]]


class ModuleDry(OfModule, frozen=True, kw_only=True):
    """Nothing is left on the wires that had to run dry, and nothing of the module is at the host."""


class ContextDescribed(OfModule, frozen=True, kw_only=True):
    """A module's context as of its last commit, encoded."""

    context: dict[bytes, bytes]


class RecentDescribed(OfModule, frozen=True, kw_only=True):
    """What a module had last, the oldest first: (wire, port, message, headers), encoded; and its context now."""

    messages: tuple[Handled, ...]
    context: dict[bytes, bytes]


class ModuleHandedOver(OfModule, frozen=True, kw_only=True):
    """The state of a module on its way to its successor, and the next number of each out-port."""

    state: ModuleState
    numbers: dict[str, int]


class StateDescribed(OfModule, frozen=True, kw_only=True):
    """The state of a module, which it keeps, and the next number of each out-port. Nobody is to change either."""

    state: ModuleState
    numbers: dict[str, int]


class BreakpointReached(OfModule, frozen=True, kw_only=True):
    """The oldest message of the module is held; `error`: what went wrong with `when`."""

    message: bytes
    error: str | None


class StepTaken(OfModule, frozen=True, kw_only=True):
    """What the module did in a wave, as singleStepFlow answers it; None: there was nothing to do."""

    by: ClassVar[str] = "part"
    wave: int
    result: dict[str, Any] | None

    @property
    def part(self) -> tuple[str, int]:
        """Which part of which wave that was."""
        return self.module, self.wave


class HeldDescribed(OfModule, frozen=True, kw_only=True):
    """The messages that wait in the module's mailbox, as listHeld answers them."""

    held: list[dict[str, Any]]


class DeadLettered(OfModule, frozen=True, kw_only=True):
    """A message that could not be handled. `message` is encoded; `error` has type, message and more; `message_id`: if
    it is known.
    """

    port: str
    message: bytes
    headers: bytes | None
    error: dict[str, Any]
    message_id: str | None = None


class SourceRaised(OfModule, frozen=True, kw_only=True):
    """A source ended with an error. `again_s`: seconds until it is started again; None: it is not."""

    error: dict[str, Any]
    again_s: float | None


class SourceBegun(OfModule, frozen=True, kw_only=True):
    """The module's `start` has returned a source."""


class MailboxOverrun(OfModule, frozen=True, kw_only=True):
    """A feedback wire has reached its hard cap; the flow has to pause."""

    wire: str


class FlowIdle(Struct, frozen=True, kw_only=True):
    """No message is anywhere in the flow, and no source or feed is left."""

    flow: str


class OldestTold(Struct, frozen=True, kw_only=True):
    """When the oldest message came that is waiting or under way there, by the monotonic clock; infinite: none is."""

    number: int
    arrived: float

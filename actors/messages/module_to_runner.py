"""What a module tells the runner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actors.state.module import ModuleState


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleStopped:
    """Nothing of the module is at the host any more."""

    flow: str
    module: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleDescribed:
    """Figures of one module; the keys are flowState's."""

    request_id: str
    module: str
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleDry:
    """Nothing is left on the wires that had to run dry, and nothing of the module is at the host."""

    flow: str
    module: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextDescribed:
    """A module's context as of its last commit, encoded."""

    flow: str
    module: str
    context: dict[bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleHandedOver:
    """The state of a module on its way to its successor, and the next number of each out-port."""

    flow: str
    module: str
    state: ModuleState
    numbers: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakpointReached:
    """The oldest message of the module is held; `error`: what went wrong with `when`."""

    flow: str
    module: str
    message: bytes
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTaken:
    """What the module did in a wave, as singleStepFlow answers it; None: there was nothing to do."""

    flow: str
    module: str
    wave: int
    result: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldDescribed:
    """The messages that wait in the module's mailbox, as listHeld answers them."""

    flow: str
    module: str
    held: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLettered:
    """A message that could not be handled. `message` is encoded; `error` has type, message and more."""

    flow: str
    module: str
    port: str
    message: bytes
    headers: bytes | None
    error: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRaised:
    """A source ended with an error. `again_s`: seconds until it is started again; None: it is not."""

    flow: str
    module: str
    error: dict[str, Any]
    again_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceBegun:
    """The module's `start` has returned a source."""

    flow: str
    module: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxOverrun:
    """A feedback wire has reached its hard cap; the flow has to pause."""

    flow: str
    module: str
    wire: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowIdle:
    """No message is anywhere in the flow, and no source or feed is left."""

    flow: str

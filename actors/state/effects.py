"""What the Module actor has to do for its ModuleState, besides sending frames."""

from __future__ import annotations

from typing import NamedTuple


class HoldsChanged(NamedTuple):
    """Feeders have to be held or may go on: `must_hold(wire)` says which."""


class Stopped(NamedTuple):
    """The host holds nothing of this module any more, for `reason`."""

    reason: str


class Drained(NamedTuple):
    """Nothing of the draining wires is left in mailbox and window, and the host holds nothing."""

    reason: str


class RetryLater(NamedTuple):
    """Call retry_due() after `backoff_s`; `info`: the ERROR that it is for."""

    backoff_s: float
    info: bytes


class Failed(NamedTuple):
    """A message whose error goes to the error port, or else to the dead letters. `port` is the in-port."""

    message: bytes
    headers: bytes | None
    port: str
    info: bytes
    deaths: int = 0


class SourceFailed(NamedTuple):
    """A source raised; there is no message."""

    info: bytes


class Overrun(NamedTuple):
    """A feedback wire reached its hard cap."""

    wire: str


class BreakpointHit(NamedTuple):
    """The head of the mailbox is held (or, if `only_log`, goes on); `error`: what went wrong with `when`."""

    message: bytes
    only_log: bool
    error: str | None


class Probed(NamedTuple):
    """The message under probation is done; `left` more of this module are suspect."""

    left: int


Effect = HoldsChanged | Stopped | Drained | RetryLater | Failed | SourceFailed | Overrun | Probed | BreakpointHit

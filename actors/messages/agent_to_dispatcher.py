"""What the agent of a machine tells the dispatcher on their line, beside what its runners say."""

from __future__ import annotations

from msgspec import Struct


class RunnerThere(Struct, frozen=True, kw_only=True):
    """A runner that takes requests."""

    name: str
    pid: int
    incarnation: int


class MachineReport(Struct, frozen=True, kw_only=True):
    """First on a line: the runners of the deployment that are up on the machine."""

    machine: str
    runners: tuple[RunnerThere, ...]


class RunnerEnded(Struct, frozen=True, kw_only=True):
    """The process of a runner has ended, whichever way."""

    name: str


class MachineLeaves(Struct, frozen=True, kw_only=True):
    """The agent ends, in order: first its runners."""

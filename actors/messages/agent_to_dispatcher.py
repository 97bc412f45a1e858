"""What the agent of a machine tells the dispatcher on their line, beside what its runners say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerThere:
    """A runner that takes requests."""

    name: str
    pid: int
    incarnation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineReport:
    """First on a line: the runners of the deployment that are up on the machine."""

    machine: str
    runners: tuple[RunnerThere, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerEnded:
    """The process of a runner has ended, whichever way."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineLeaves:
    """The agent ends, in order: first its runners."""

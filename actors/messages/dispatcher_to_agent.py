"""What the dispatcher tells the agent of another machine, on their line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from actors.messages.dispatcher_to_runner import HostRunner


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRunner:
    """Start a runner. Folders, keys and addresses of `order` are for the agent to say; the runner is the one with this
    `number` on its machine, from 0. Answered with RunnerHosted, and RunnerEnded when its process has ended.
    """

    order: HostRunner
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TellRunner:
    """Hand this on to a runner; what it says comes back on the line."""

    runner: str
    message: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class KillRunner:
    """End its process by force."""

    runner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineRefused:
    """Not on a line: the agent is not one of this deployment, for this reason."""

    reason: str

"""What the dispatcher tells the agent of another machine, on their line."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from actors.messages.dispatcher_to_runner import HostRunner


class StartRunner(Struct, frozen=True, kw_only=True):
    """Start a runner. Folders, keys and addresses of `order` are for the agent to say; the runner is the one with this
    `number` on its machine, from 0. Answered with RunnerHosted, and RunnerEnded when its process has ended.
    """

    order: HostRunner
    number: int


class TellRunner(Struct, frozen=True, kw_only=True):
    """Hand this on to a runner; what it says comes back on the line."""

    runner: str
    message: Any


class KillRunner(Struct, frozen=True, kw_only=True):
    """End its process by force."""

    runner: str


class MachineRefused(Struct, frozen=True, kw_only=True):
    """Not on a line: the agent is not one of this deployment, for this reason."""

    reason: str

"""What starts a host."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace

from actors.definition.limits import HostLimits


@dataclass(frozen=True, slots=True)
class HostCommand:
    """What starts a host, what it may use, and the descriptors that keep what it needs from being removed."""

    words: tuple[str, ...]
    env: dict[str, str] = field(repr=False)
    secrets: dict[str, str] = field(repr=False)  # reference in a module's config -> what it stands for
    limits: HostLimits
    holds: tuple[int, ...] = ()

    def with_holds_of(self, other: HostCommand) -> tuple[HostCommand, HostCommand]:
        """Both, each with what the other one holds."""
        return replace(self, holds=other.holds), replace(other, holds=self.holds)

    def release(self) -> None:
        """No host is started with it any more."""
        for fd in self.holds:
            os.close(fd)


def release(commands: dict[str, HostCommand]) -> None:
    """What these commands hold may be removed from now on."""
    for command in commands.values():
        command.release()

"""What the process in a container tells the actor that stands for it, before all else."""

from __future__ import annotations

from msgspec import Struct


class ContainerBegun(Struct, frozen=True, kw_only=True):
    """It is there; both have to be of the same version."""

    version: str
    pid: int

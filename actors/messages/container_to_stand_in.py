"""What the process in a container tells the actor that stands for it, before all else."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerBegun:
    """It is there; both have to be of the same version."""

    version: str
    pid: int

"""What the preparation actor tells the runner."""

from __future__ import annotations

from dataclasses import dataclass

from runtimes.environments import Recipe
from runtimes.making import Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """All recipes are made, or `failure` says why that one (`failed`) is not.

    `holds`: descriptors that keep what was made from being removed; whoever gets them closes them.
    """

    flow: str
    key: str
    holds: tuple[int, ...] = ()
    failed: Recipe | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparationClosed:
    """No process is left."""

"""What the preparation actor tells the runner or a flow, whoever has asked."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from runtimes.environments import Recipe
from runtimes.making import Failure


class Prepared(Struct, frozen=True, kw_only=True):
    """All recipes are made, or `failure` says why that one (`failed`) is not.

    `holds`: descriptors that keep what was made from being removed; whoever gets them closes them.
    """

    by: ClassVar[str] = "key"
    flow: str
    key: str
    holds: tuple[int, ...] = ()
    failed: Recipe | None = None
    failure: Failure | None = None


class PreparationClosed(Struct, frozen=True, kw_only=True):
    """No process is left."""

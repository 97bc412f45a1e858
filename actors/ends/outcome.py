"""What a run of the embedded session comes to; filled while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Outcome:
    """`over`: nothing more will be added. `errors` are sentences; `state`: the last answer of flowState, if shown;
    `ended`: the flow had nothing more to do, nobody had to end it.

    `status`: the exit status if that is no matter of the errors.
    """

    over: bool = False
    ended: bool = False
    status: int | None = None
    errors: list[str] = field(default_factory=list)
    bad_lines: dict[str, int] = field(default_factory=dict)  # by the name of the input
    dead_letters: list[dict[str, Any]] = field(default_factory=list)
    state: dict[str, Any] | None = None
    left_out: dict[str, str] = field(default_factory=dict)  # optional modules, and why

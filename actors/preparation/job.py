"""What is being made, and for whom."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from thespian.actors import ActorAddress

from actors.preparation.command import Command
from runtimes.environments import Recipe
from runtimes.making import STDERR_LINES, Making


@dataclass(slots=True, eq=False)
class Request:
    """Somebody who waits for recipes to be made, one after the other; `holds` keep those that are."""

    client: ActorAddress
    flow: str
    key: str
    left: deque[Recipe]
    progress: tuple[ActorAddress, str] | None  # who is told what the command prints
    holds: list[int] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Job:
    """One folder that is to be made, and who waits for it."""

    recipe: Recipe
    waiting: list[Request]
    making: Making | None = None  # None: it has not begun
    command: Command | None = None
    sizing: bool = False  # the command has succeeded, its result is being measured
    stderr: deque[str] = field(default_factory=lambda: deque(maxlen=STDERR_LINES))
    progress: str = ""  # its last line

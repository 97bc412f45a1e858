"""A flow as its runner has told it last, and how its figures have been. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

State = dict[str, Any]

STALE_S = 2.5  # without a word; figures come at least each second
HISTORY = 120  # seconds


@dataclass(slots=True)
class Picture:
    """`door`: the socket of its runner, `runner`: what that is called.

    `state`: as flowState has it; another object whenever anything in it has changed. `came`: on the monotonic clock.

    `document`: the flow as listFlows has it, of version `documented`. `ended`: why nothing comes any more.
    """

    door: str
    runner: str
    flow: str
    state: State | None = None
    came: float = 0.0
    ended: str | None = None
    document: State = field(default_factory=dict)
    documented: int | None = None
    history: dict[str, deque[float]] = field(
        default_factory=dict
    )  # messages of each second, by module: what comes, of a source what it sends
    sampled: float = 0.0

    def take(self, now: float, change: State, whole: bool) -> None:
        """A flowFigures notification, or a flowState."""
        self.state = change if whole or self.state is None else merged(self.state, change)
        self.came, self.ended = now, None
        if now - self.sampled >= 1.0:
            self.sampled = now if now - self.sampled > 2.0 else self.sampled + 1.0
            self._sample(self.state)

    def _sample(self, state: State) -> None:
        modules = state["modules"]
        for name in self.history.keys() - modules.keys():
            del self.history[name]
        for name, its in modules.items():
            self.history.setdefault(name, deque(maxlen=HISTORY)).append(its["outPerS" if its["source"] else "inPerS"])

    def age(self, now: float) -> float | None:
        """Seconds since it was told, if that is so long that the figures are not those of now."""
        age = now - self.came
        return age if self.state is not None and (age > STALE_S or self.ended is not None) else None

    @property
    def version(self) -> int | None:
        """Of the flow; None: nothing is known yet."""
        return None if self.state is None else self.state["version"]

    def document_is_old(self) -> bool:
        """Whether the flow has changed since its document was read."""
        return self.version is not None and self.version != self.documented and self.ended is None

    def frozen(self) -> Picture:
        """As it is now, for good."""
        return replace(self, history={name: values.copy() for name, values in self.history.items()})


_BY_NAME = (
    "modules",
    "wires",
    "hosts",
    "away",
    "leftOut",
    "breakpoints",
)  # what is null in these is no more; elsewhere it is null


def merged(known: State, change: State, by_name: bool = False) -> State:
    """A JSON merge patch applied to a flow's state; `known` stays as it is."""
    result = dict(known)
    for name, value in change.items():
        before = result.get(name)
        if value is None and by_name:
            result.pop(name, None)
        elif isinstance(value, dict) and isinstance(before, dict):
            result[name] = merged(before, value, name in _BY_NAME)
        else:
            result[name] = value
    return result

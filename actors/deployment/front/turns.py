"""What concerns a whole flow is done one after the other, flow by flow."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Hashable
from typing import Any

from actors.system.job import Expect, Steps


class Turns:
    """Of all flows. `resolve` tells the steps that wait."""

    def __init__(self, resolve: Callable[[Hashable, Any], None]) -> None:
        self._resolve = resolve
        self._waiting: dict[str, deque[object]] = {}  # by flow; the first is under way

    @property
    def flows(self) -> Collection[str]:
        """Those of which something is under way."""
        return list(self._waiting)

    def of(self, flow_id: str, steps: Callable[[], Steps]) -> Steps:
        """These steps, when all before them have ended; returns what they return."""
        return (yield from self.of_all([flow_id], steps))

    def of_all(self, flows: Collection[str], steps: Callable[[], Steps]) -> Steps:
        """Of several flows at once: whoever comes later comes later in all of them, so no two wait for each other."""
        turn = object()
        for flow in flows:
            self._waiting.setdefault(flow, deque()).append(turn)
        while any(self._waiting[flow][0] is not turn for flow in flows):
            yield Expect([turn])
        try:
            return (yield from steps())
        finally:
            for flow in flows:
                waiting = self._waiting[flow]
                waiting.popleft()
                if waiting:
                    self._resolve(waiting[0], None)
                else:
                    del self._waiting[flow]

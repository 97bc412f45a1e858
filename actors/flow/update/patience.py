"""How long an update waits: as long as what it waits for gets on."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from actors.definition.plan import behind
from actors.flow.update.means import Means
from actors.flow.update.plan import Plan
from actors.messages.bridge_to_flow import HostLoaded
from actors.messages.module_to_flow import ModuleDescribed
from actors.system.job import Expect, Steps

Awaited = tuple[type, str]  # the class of a message, and who sends it
_FIGURES = "figures"


class Patience:
    """Of one update: it has no limit of its own but `drain_timeout_s` without progress."""

    def __init__(self, means: Means, plan: Plan) -> None:
        self._means, self._plan = means, plan

    def until(self, keys: Iterable[Awaited]) -> Steps:
        """They have come, or none has got on for `drain_timeout_s`. Returns what came and what did not."""
        missing = set(keys)
        all_came: dict[Any, Any] = {}
        before: Any = None
        while missing:
            came: dict[Any, Any] = {_FIGURES: []}
            if self._means.record.modules:
                self._means.figures.gather(False, lambda answers: self._means.jobs.resolve(_FIGURES, answers))
                came = yield Expect([_FIGURES], also=missing)
            figures = {a.module: a.figures for a in came.pop(_FIGURES) if isinstance(a, ModuleDescribed)}
            all_came |= came
            missing -= came.keys()
            now = self._progress(missing, figures)
            if missing and now == before:
                break
            before = now
            came = yield Expect(missing, timeout_s=self._plan.old.flow.drain_timeout_s)
            all_came |= came
            missing -= came.keys()
        return all_came, frozenset(missing)

    def _progress(self, missing: Iterable[Awaited], figures: dict[str, dict[str, Any]]) -> float:
        """Another number than before if those that are waited for have done anything: modules that are to run dry (if
        a full mailbox holds one, what comes behind it), and hosts that are to load. A new host has limits of its own.
        """
        old = self._plan.old
        hosts = {name for kind, name in missing if kind is HostLoaded}
        if hosts - self._plan.kept:
            return time.monotonic()
        modules = {name for kind, name in missing if kind is not HostLoaded}
        modules |= {module for module, (key, _) in old.places.items() if key in hosts}
        held = {module for module in modules & figures.keys() if "target" in figures[module]["stops"]}
        modules |= behind(old.flow, held)
        return float(sum(figures[module]["handled"] for module in modules & figures.keys()))

"""What a deployment file says of runners that is not as it is, and what becomes of a flow by that. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from actors.console.client import Outcome

Settings = dict[str, Any]  # of a runner, as a deployment's `settings` have it


class RunnerChange(NamedTuple):
    """`before`, `now`: its settings, None if it is not there."""

    name: str
    before: Settings | None
    now: Settings | None

    @property
    def does(self) -> str:
        """What becomes of it: start, restart or end."""
        return "start" if self.before is None else "end" if self.now is None else "restart"

    @property
    def fields(self) -> list[str]:
        """Which of its settings have changed."""
        before, now = self.before or {}, self.now or {}
        return [field for field in now if now[field] != before.get(field)]

    @property
    def narrows(self) -> bool:
        """Whether it loses runtimes, and gains none: what it has of them has to leave it before."""
        before, now = (self.before or {})["runtimes"], (self.now or {})["runtimes"]
        return now is not None and (before is None or set(now) < set(before))

    def words(self, plan: bool) -> str:
        """What is done, or would be."""
        done = {
            "start": ("started", "would be started"),
            "restart": ("started again", "would be started again"),
            "end": ("drained and ended", "would be drained and ended"),
        }[self.does][plan]
        return done if self.does != "restart" else f"{done} ({', '.join(self.fields)})"

    def keep_in(self, settings: dict[str, Settings]) -> None:
        """It is so now."""
        if self.now is None:
            settings.pop(self.name)
        else:
            settings[self.name] = self.now


class RunnerChanges:
    """Those of a deployment: what is started, or gains, comes before its flows; what loses, or ends, after them."""

    def __init__(self, before: dict[str, Settings], now: dict[str, Settings]) -> None:
        self.fresh = [RunnerChange(name, None, its) for name, its in now.items() if name not in before]
        changed = [RunnerChange(name, before[name], its) for name, its in now.items() if before.get(name, its) != its]
        self.wider = [change for change in changed if not change.narrows]
        self.narrower = [change for change in changed if change.narrows]
        self.gone = [RunnerChange(name, its, None) for name, its in before.items() if name not in now]

    @property
    def all(self) -> list[RunnerChange]:
        """In the order in which they are done."""
        return [*self.fresh, *self.wider, *self.narrower, *self.gone]

    def __bool__(self) -> bool:
        return bool(self.all)

    def said(self) -> list[str]:
        """Where that cannot be."""
        words = {"start": "is new", "end": "is not there any more", "restart": "has other settings"}
        return [f"the runner {change.name} {words[change.does]}" for change in self.all]

    def concern(self, document: dict[str, Any]) -> bool:
        """Whether a flow has something on a runner that is not yet as it is to be: then it cannot be tried there."""
        coming = {change.name for change in (*self.fresh, *self.wider)}
        return any(module.get("runner") in coming for module in document["modules"].values())


def rough_plan(before: dict[str, Any] | None, document: dict[str, Any]) -> Outcome:
    """What an update would do by the documents alone."""
    known = {} if before is None else before["modules"]
    rows = {name: _row(known.get(name), module) for name, module in document["modules"].items()}
    rows |= {name: {"did": "removed"} for name in known if name not in document["modules"]}
    return Outcome(ok=True, receipt={"modules": rows})


def _row(before: dict[str, Any] | None, now: dict[str, Any]) -> dict[str, Any]:
    if before is None:
        return {"did": "added", "runner": now["runner"]}
    did = "untouched" if {**before, "runner": now["runner"]} == now else "replaced"
    if before["runner"] == now["runner"]:
        return {"did": did}
    return {
        "did": "moved" if did == "untouched" else did, "runner": now["runner"], "movedFrom": before["runner"]
    }  # fmt: skip

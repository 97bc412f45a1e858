"""What several runners say of one flow, put together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from actors.deployment.desired import DesiredFlow

AWAY = "away"
Said = Mapping[str, Any]  # by runner
_STORAGE_SUMS = ("bytes", "logBytes", "groups", "gatheredBytes", "deadLetters", "versions")


def merged_state(flow: DesiredFlow, said: Said, away: Mapping[str, str]) -> dict[str, Any]:
    """The figures of a flow. `away`: the runners that have not answered, and why not."""
    parts: dict[str, Any] = {runner: said[runner] for runner in flow.runners if runner in said}
    modules: dict[str, Any] = {}
    hosts: dict[str, Any] = {}
    for runner, part in parts.items():
        hosts |= {f"{runner}:{key}": {**host, "runner": runner} for key, host in part["hosts"].items()}
        for name, figures in part["modules"].items():
            of_host = {"host": f"{runner}:{figures['host']}"} if figures.get("host") is not None else {}
            modules[name] = {**figures, **of_host, "runner": runner}
    here = list(parts.values())
    lost = [f"{runner}: {part['lost']}" for runner, part in parts.items() if part["lost"]]
    return {
        "id": flow.id,
        "state": state_of([*(part["state"] for part in here), *(AWAY for _ in away)]),
        "debug": _debug([part["debug"] for part in here]),
        "errors": [f"{runner}: {error}" for runner, part in parts.items() for error in part["errors"]]
        + list(away.values()),
        "modules": {name: modules[name] for name in flow.places if name in modules},
        "lastPauseMs": max((p for part in here if (p := part["lastPauseMs"]) is not None), default=None),
        "wires": {wire: figures for part in here for wire, figures in part["wires"].items()},
        "hosts": hosts,
        "leftOut": {name: reason for part in here for name, reason in part["leftOut"].items()},
        "deadLetters": sum(part["deadLetters"] for part in here),
        "lost": "\n".join(lost) or None,
        "storage": _storage({runner: part["storage"] for runner, part in parts.items() if part["storage"]}),
        "tracing": _tracing([part["tracing"] for part in here]),
        "away": {name: runner for name, runner in flow.places.items() if runner in away},
        "version": flow.version,
    }  # fmt: skip


def state_of(states: Iterable[str]) -> str:
    """That of a flow: the one of all its runners, or each of theirs."""
    return ", ".join(dict.fromkeys(states)) or AWAY


def _debug(views: list[dict[str, Any]]) -> dict[str, Any]:
    paused = [view["pausedBy"] for view in views if view["pausedBy"] is not None]
    resumed = [view["resumedByItself"] for view in views if view["resumedByItself"] is not None]
    return {
        "pausedBy": next(iter(paused), None),
        "pausedModules": sorted(module for view in views for module in view["pausedModules"]),
        "hits": sorted(module for view in views for module in view["hits"]),
        "breakpoints": {module: one for view in views for module, one in view["breakpoints"].items()},
        "resumedByItself": next(iter(resumed), None),
    }


def _tracing(views: list[dict[str, Any]]) -> dict[str, Any]:
    share = next((view["share"] for view in views if view["share"] is not None), None)
    return {"share": share, **{name: sum(view[name] for view in views) for name in ("spansSent", "spansDropped")}}


def _storage(by_runner: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    if not by_runner:
        return None
    sums = {name: sum(one[name] for one in by_runner.values()) for name in _STORAGE_SUMS}
    return {**sums, "durable": any(one["durable"] for one in by_runner.values()), "runners": by_runner}

"""Flow states as the API has them, made up."""

from __future__ import annotations

from typing import Any


def module(**more: Any) -> dict[str, Any]:
    return {
        "runtime": "python3", "version": "python3@0123abcd", "link": "open", "stops": [], "heldBy": [], "accepted": 0,
        "completed": 0, "queued": 0, "dropped": 0, "deadLettered": 0, "mailbox": 0, "inFlight": 0, "mailboxBytes": 0,
        "handled": 0, "sent": 0, "errors": 0, "unwired": 0, "busyMs": 0.0, "latencyMs": {"p50": None, "p99": None},
        "lastError": None, "source": None,
        "contextBytes": 0, "inPerS": 0.0, "outPerS": 0.0, "busyPerS": 0.0, "host": "python3",
    } | more  # fmt: skip


def host(*modules: str, **more: Any) -> dict[str, Any]:
    return {
        "host": "python3", "runtime": "python3", "life": "open", "starts": 1, "pid": 7, "modules": list(modules),
        "memoryMb": 12.5, "cpuS": 1.0, "cpuPerS": 0.25,
    } | more  # fmt: skip


def flow(modules: dict[str, Any], **more: Any) -> dict[str, Any]:
    debug = {"pausedBy": None, "pausedModules": [], "breakpoints": {}, "resumedByItself": None, "hits": []}
    return {
        "id": "f", "version": 1, "state": "running", "debug": debug, "errors": [], "modules": modules, "wires": {},
        "hosts": {"python3": host(*modules)}, "leftOut": {}, "deadLetters": 0, "lost": None, "storage": None,
    } | more  # fmt: skip

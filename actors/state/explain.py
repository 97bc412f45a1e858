"""What holds a flow back, or what is wrong with it, in sentences; the first begins with the module that causes it.

Pure. It knows what flowState knows, so the answer is the same for one runner and for several.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from actors.counted import counted
from actors.definition.places import listed
from actors.definition.wire_names import is_sink, target_of
from actors.error_text import error_text

FULL_CORE = 0.9  # of a processor: a host that uses so much is at its limit
AT_WORK = 0.5  # of its time: a module that is busy for so long is what the flow waits for
ASLEEP_S = 3.0  # a page that does nothing for so long of what waits for it
State = dict[str, Any]


def explain(state: State) -> list[str]:
    """`state`: as flowState has it, with rates. Never empty: if nothing is wrong, that is what it says."""
    troubles = [*_not_running(state), *_sources(state), *_away(state), *_hosts(state), *_held_back(state)]
    troubles += [*_retries(state), *_standing(state, troubles), *_letters(state), *_pages(state)]
    return [*(troubles or [_all_is_well(state)]), *_remarks(state)]


def _not_running(state: State) -> Iterator[str]:
    flow, debug = state["id"], state["debug"]
    if debug["pausedBy"] is not None:
        yield _paused(state)
    elif state["errors"]:
        yield from state["errors"]
    elif state["state"] == "stopped":
        yield f"{flow} is stopped; `runner start {flow}` starts it"


def _paused(state: State) -> str:
    flow, debug = state["id"], state["debug"]
    where = f"{listed(debug['hits'])}: " if debug["hits"] else ""
    part = [module for module in state["modules"] if module in debug["pausedModules"]]
    what = f"{listed(part)} of {flow}" if part and len(part) < len(state["modules"]) else flow
    said = f"{where}{what} is paused by {debug['pausedBy']}; `runner step {flow}` or `runner resume {flow}` goes on"
    away = [f"`runner unbreak {flow}/{module}`" for module in debug["hits"] if module in debug["breakpoints"]]
    return said + (f" to its next message, {listed(away)} takes the breakpoint away" if away else "")


def _sources(state: State) -> Iterator[str]:
    for name, figures in state["modules"].items():
        source = figures["source"]
        if source is not None and "error" in source:
            what = {"failed": "its source has failed", "restarting": "its source is started again"}
            said = what.get(source["state"], f"its source was started again {counted(source['restarts'], 'time')}")
            yield f"{name}: {said}: {error_text(source['error'])}"


def _away(state: State) -> Iterator[str]:
    runners: dict[str, list[str]] = {}
    for module, runner in state.get("away", {}).items():
        runners.setdefault(runner, []).append(module)
    for runner, modules in runners.items():
        yield f"{listed(modules)}: the runner {runner} is away"


def _hosts(state: State) -> Iterator[str]:
    for host in state["hosts"].values():
        if host["life"] != "open" and state["state"] == "running":
            yield f"{listed(host['modules'])}: the host is {host['life']}, started {counted(host['starts'], 'time')}"


def _held_back(state: State) -> Iterator[str]:
    """The ends of all chains of modules of which each waits for the next."""
    held: dict[str, set[str]] = {}  # by who holds: the modules that wait for it
    sinks: dict[str, set[str]] = {}
    for name, figures in state["modules"].items():
        for wire in figures["heldBy"]:
            if is_sink(wire):
                sinks.setdefault(wire, set()).add(name)
            else:
                held.setdefault(target_of(wire)[0], set()).add(name)
    for wire, waiting in sinks.items():
        place = wire.partition("->")[0]
        yield f"{place}: whoever reads its output (-o) does not read; {_wait(_all_before(waiting, held))} for that"
    for module, waiting in held.items():
        if module in state["modules"] and not state["modules"][module]["heldBy"]:
            figures = state["modules"][module]
            held_back = counted(len(_all_before(waiting, held)), "module")
            yield f"{module} holds {held_back} back: {figures['queued']:,} waiting{_at_work(state, module)}"
        elif module not in state["modules"]:
            yield f"{module}, on another runner, holds {_wait(_all_before(waiting, held), verb=False)} back"


def _all_before(waiting: set[str], held: dict[str, set[str]]) -> set[str]:
    found, left = set[str](), [*waiting]
    while left:
        module = left.pop()
        if module not in found:
            found.add(module)
            left += held.get(module, ())
    return found


def _wait(modules: set[str], verb: bool = True) -> str:
    names = listed(sorted(modules))
    return f"{names} {'waits' if len(modules) == 1 else 'wait'}" if verb else names


def _at_work(state: State, module: str) -> str:
    """What a module does with its time."""
    figures = state["modules"][module]
    said = ""
    if figures["handled"]:
        said += f", {figures['busyMs'] / figures['handled']:,.3g} ms a message"
    host = state["hosts"].get(figures.get("host"))
    if host is not None and host.get("cpuPerS") is not None:
        at = "its host is" if len(host["modules"]) == 1 else f"its host, with {len(host['modules'])} modules, is"
        said += f", {at} at {host['cpuPerS']:.0%} of a core"
        if host["cpuPerS"] >= FULL_CORE:
            said += ": it is at its limit"
    if "retry" in figures["stops"]:
        said += ", it tries a message again"
    return said


def _retries(state: State) -> Iterator[str]:
    for name, figures in state["modules"].items():
        if "retry" in figures["stops"]:
            last = figures.get("lastError")
            yield f"{name} tries a message again{'' if last is None else f': {error_text(last)}'}"


def _standing(state: State, troubles: list[str]) -> Iterator[str]:
    """Modules that have something to do and end no turn; where something else is wrong, that may be why."""
    if troubles or state["state"] != "running":
        return
    for name, its in state["modules"].items():
        if its["inFlight"] and not its["inPerS"] and not its.get("busyPerS") and not its["stops"]:
            yield f"{name} has ended no turn of late: {its['queued']:,} waiting{_at_work(state, name)}"


def _letters(state: State) -> Iterator[str]:
    flow = state["id"]
    dead = {name: its["deadLettered"] for name, its in state["modules"].items() if its["deadLettered"]}
    if state["deadLetters"]:
        where = listed(dead) if dead else flow
        errors = [its["lastError"] for name, its in state["modules"].items() if name in dead and its.get("lastError")]
        last = max(errors, key=lambda error: float(error["time"]), default=None)
        said = "" if last is None else f"; the last error is {error_text(last)}"
        yield f"{where}: {counted(state['deadLetters'], 'dead letter')}; `runner dead list {flow}` shows them{said}"


def _pages(state: State) -> Iterator[str]:
    """Messages wait for pages that are away, or whose tab or machine is asleep; no module waits for them."""
    clients = [
        client for host in state["hosts"].values() for client in host.get("clients", ()) if client.get("waiting")
    ]
    away = [(client["awayS"], client) for client in clients if not client["here"]]
    idle = [(client["idleS"], client) for client in clients if client["here"] and client["idleS"] >= ASLEEP_S]
    for some, what, why in (
        (away, "has been away", ""), (idle, "has done nothing", ": its tab or its machine is asleep, or busy"),
    ):  # fmt: skip
        if some:
            count = sum(client["waiting"] for _, client in some)
            modules = listed(dict.fromkeys(module for _, client in some for module in client["waitingFor"]))
            wait = counted(count, "message") + (" waits" if count == 1 else " wait")
            longest, one = max(some, key=lambda found: float(found[0]))
            more = f" and {counted(len(some) - 1, 'other page')}" if some[1:] else ""
            yield f"{modules}: {wait} for the page {one['name']}{more}, which {what} for {longest:.0f} s{why}"


def _remarks(state: State) -> Iterator[str]:
    """What does not hold anything back, and may be meant."""
    for name, figures in state["modules"].items():
        if figures["unwired"]:
            what = counted(figures["unwired"], "message")
            yield f"{name} has sent {what} to ports that no wire leads from"
    for name, reason in state["leftOut"].items():
        yield f"{name} is left out: {reason}"
    for name in state["debug"]["breakpoints"]:
        if state["debug"]["pausedBy"] is None:
            yield f"{name} has a breakpoint; `runner unbreak {state['id']}/{name}` takes it away"


def _computes(state: State, its: State) -> bool:
    """Whether a source works all the time; most wait for a clock, a file or a device."""
    return (state["hosts"].get(its.get("host"), {}).get("cpuPerS") or 0.0) >= AT_WORK


def _all_is_well(state: State) -> str:
    modules = {name: its for name, its in state["modules"].items() if its["source"] is None or _computes(state, its)}
    busiest = max(modules, key=lambda name: modules[name].get("busyPerS") or 0.0, default=None)
    busy = 0.0 if busiest is None else modules[busiest].get("busyPerS") or 0.0
    if busiest is not None and busy >= AT_WORK:
        return f"{busiest} is what the flow waits for: busy for {busy:.0%} of its time{_at_work(state, busiest)}"
    rate = sum(its["inPerS"] for its in state["modules"].values())
    if rate < 1:
        return f"{state['id']}: nothing is wrong, and nothing comes in"
    return f"{state['id']}: nothing holds it back, {rate:,.0f} messages a second"

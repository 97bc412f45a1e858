"""What stands above the views of a flow: its sentence, and a line of its totals. Pure."""

from __future__ import annotations

from typing import Any

from actors.console.text import short
from actors.console.view.drawing import Line, mebibytes, share
from actors.console.view.picture import Picture, State
from actors.counted import counted
from actors.state.explain import explain

GAP = " "


def sentence(picture: Picture) -> str:
    """The first that `runner why` says; before it why the figures are not those of now."""
    if picture.state is None:
        return f"{picture.flow}: nothing is known of it yet"
    if picture.ended is not None:
        return f"{picture.flow}: {picture.ended}; what is shown is the last that was known"
    return explain(picture.state)[0]


def totals(state: State) -> dict[str, Any]:
    """Of all modules and hosts of a flow; a host counts once."""
    modules, hosts = state["modules"].values(), state["hosts"].values()
    sums = {name: sum(its[name] for its in modules) for name in ("inPerS", "queued", "errors", "unwired", "completed")}
    sums["cpu"] = sum(host.get("cpuPerS") or 0.0 for host in hosts)
    sums["memory"] = sum(host.get("memoryMb") or 0.0 for host in hosts)
    return sums


def flow_line(picture: Picture, frozen: bool, now: float, width: int) -> Line:
    """Name, state, version, totals; what there is no room for is left out, the least telling first."""
    state = picture.state
    if state is None:
        return [(picture.flow, "bold")]
    sums, dead, flow = totals(state), state["deadLetters"], [(state["id"], "bold")]
    n = {name: f"{short(value):>5}" for name, value in sums.items()}  # of one width: what follows stays where it is
    parts: list[tuple[int, Line]] = [
        (0, [*flow, (" FROZEN", "warn")] if frozen else [*flow]), (1, [flow_word(picture, now)]),
        (10, [(f"v{state['version']}", "dim")]), (11, [(counted(len(state["modules"]), "module"), "")]),
        (2, [(f"{n['inPerS']}/s", "")]), (3, [(f"{n['queued']} wait", "")]),
        (4, [(f"{n['errors']} err", "bad" if sums["errors"] else "dim")]),
        (5, [(f"{short(dead):>5} dead", "bad" if dead else "dim")]),
        *([(7, [(f"{n['unwired']} unwired", "warn")])] if sums["unwired"] else []),
        (8, [(f"cpu {share(sums['cpu']):>4}", "")]), (9, [(f"mem {mebibytes(sums['memory']):>5}", "")]),
    ]  # fmt: skip
    left, shown = width + len(GAP), set[int]()
    for rank, part in sorted(parts, key=lambda one: one[0]):
        size = len(GAP) + sum(len(text) for text, _ in part)
        if size <= left or not rank:
            shown.add(rank)
            left -= size
    return [span for rank, part in parts if rank in shown for span in (*part, (GAP, ""))][:-1]


def flow_word(picture: Picture, now: float) -> tuple[str, str]:
    """The state of a flow in a word or two; stale figures say so."""
    state = picture.state
    if picture.ended is not None:
        return picture.ended, "bad"
    if state is None:
        return "?", "dim"
    if (age := picture.age(now)) is not None:
        return f"STALE {age:.0f} s", "bad"
    if state["debug"]["pausedBy"] is not None:
        return "‖ paused", "warn"
    word = str(state["state"])
    return (f"● {word}", "good") if word == "running" else (word, "warn")

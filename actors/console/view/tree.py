"""A flow as a tree: each module below the first that feeds it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

MAX_DEPTH = 6


def wires_of(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    """`(module.port, module.port, delivery)` of each wire of a flow's document; the delivery class as it is written."""
    found = []
    for wire in document.get("wires", ()):
        if isinstance(wire, str):
            start, _, end = wire.partition("->")
            found.append((_whole(start, "out"), _whole(end, "in"), ""))
        else:
            found.append((_whole(wire["from"], "out"), _whole(wire["to"], "in"), wire.get("delivery") or ""))
    return found


def _whole(place: str, port: str) -> str:
    module, _, named = place.strip().partition(".")
    return f"{module}.{named or port}"


def tree(modules: Iterable[str], document: dict[str, Any]) -> dict[str, str]:
    """By module, in the order of the tree: what stands in front of its name. A lone follower is not indented."""
    names = list(modules)
    followers: dict[str, list[str]] = {name: [] for name in names}
    fed = set()
    for start, end, _ in wires_of(document):
        source, target = start.partition(".")[0], end.partition(".")[0]
        if source in followers and target in followers and source != target:
            if target not in followers[source]:
                followers[source].append(target)
            fed.add(target)
    found: dict[str, str] = {}
    for name in [*(name for name in names if name not in fed), *names]:  # those of a cycle that nothing feeds come last
        _add(name, "", "", followers, found)
    return found


def _add(root: str, mark: str, below: str, followers: dict[str, list[str]], found: dict[str, str]) -> None:
    """Without recursion: chains may be long."""
    left = [(root, mark, below)]
    while left:
        name, mark, below = left.pop()
        if name in found:
            continue
        found[name] = mark
        after = [one for one in followers[name] if one not in found]
        if len(after) == 1:
            left.append((after[0], f"{below}↓ ", below))
        elif len(below) < 2 * MAX_DEPTH:
            last = len(after) - 1
            left += [
                (one, f"{below}{'└ ' if at == last else '├ '}", f"{below}{'  ' if at == last else '│ '}")
                for at, one in reversed(list(enumerate(after)))
            ]
        else:
            left += [(one, f"{below}… ", below) for one in reversed(after)]

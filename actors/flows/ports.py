"""Which ports a module has: a misspelt one is found before a message goes astray. Pure.

What a module declares is all it has. Of one that declares nothing the text tells: a port is known if its name stands
there as a whole string literal, in the forms of any language ('x', "x", `x`, :x, %w[x]), or in one of its `files`.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from actors.flows.places import nearest

if TYPE_CHECKING:
    from actors.flows.model import Module

Side = Literal["in", "out"]
MAX_SEARCHED, MAX_NAMES = 256 << 10, 200  # characters of a module, names of it, for `out_ports`
ALWAYS = {"in": ("in", "error"), "out": ("out", "error")}
_NAME = r"[A-Za-z_][A-Za-z0-9_-]{0,63}"
_QUOTED = re.compile(rf"""(['"`])({_NAME})\1""")
_SYMBOL = re.compile(rf"(?<![\w:'\")\]]):({_NAME})(?![\w:?!-])")
_WORDS = re.compile(r"%[wWiI](?:\[([^\]]*)\]|\(([^)]*)\)|\{([^}]*)\}|<([^>]*)>)")


def port_problem(module: Module, side: Side, port: str) -> str | None:
    """Why a module has no such port, as a sentence without a place; None if it has it."""
    declared = module.ports_in if side == "in" else module.ports_out
    head = f"module {module.id!r} has no {side}-port {port!r}"
    if declared is not None:
        known = declared if side == "in" else (*declared, "error")
        return None if port in known else f"{head}; {nearest(port, known)}"
    if port in ALWAYS[side]:
        return None
    named = _literals((module.code, *module.files.values()))
    if port in named:
        return None
    close = get_close_matches(port, sorted({*named, ALWAYS[side][0]}), n=1)
    if close:
        return f"{head}; did you mean {close[0]!r}? (`ports` declares names that it makes when it runs.)"
    return f"{head}: nothing in its text is called that, and its `ports` does not declare it."


def out_ports(module: Module) -> tuple[str, ...]:
    """The ports that a module may send to, as far as they are known; not `error`, on which the runner sends."""
    if module.ports_out is not None:
        return module.ports_out
    texts = (module.code, *module.files.values())
    named = _literals(texts) if sum(map(len, texts)) <= MAX_SEARCHED else frozenset[str]()
    return ("out", *sorted(named - {"out", "error"})[:MAX_NAMES])


@lru_cache(maxsize=256)
def _literals(texts: tuple[str, ...]) -> frozenset[str]:
    """Every name that is a whole string literal somewhere in these texts, comments included."""
    found: set[str] = set()
    for text in texts:
        found.update(name for _, name in _QUOTED.findall(text))
        found.update(_SYMBOL.findall(text))
        for groups in _WORDS.findall(text):
            found.update(word for group in groups for word in group.split())
    return frozenset(found)

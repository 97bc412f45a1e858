"""Which ports a module has: a misspelt one is found before a message goes astray. Pure.

What a module declares is all it has. Of one that declares nothing the text tells: a port is known if its name stands
there, or in one of its `files`, as a whole string literal in the forms of any language: 'x', "x", `x`, and :x.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from actors.definition.places import closest, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from actors.definition.model import Module

Side = Literal["in", "out"]
ALWAYS = {"in": ("in", "error"), "out": ("out", "error")}
MAX_SEARCHED, MAX_NAMES = 256 << 10, 200  # characters of a module in which names are looked for, names of it
_QUOTED = re.compile(r"""(['"`])([A-Za-z_][A-Za-z0-9_-]{0,63})\1""")
_SYMBOL = re.compile(r"(?<![\w:'\")\]]):([A-Za-z_]\w{0,63})(?![\w:?!-])")  # no `a?b:c`, `x[1:c]`, `A::c`, `"key":c`


def place_problem(modules: Mapping[str, Module], side: Side, module: str, port: str) -> str | None:
    """Why there is no such module, or it has no such port, as `port_problem` says it."""
    if module not in modules:
        return f"there is no module {module!r}; {nearest(module, modules)}"
    return port_problem(modules[module], side, port)


def port_problem(module: Module, side: Side, port: str) -> str | None:
    """Why a module has no such port, as a sentence without a place; None if it has it."""
    declared = module.ports_in if side == "in" else module.ports_out
    head = f"module {module.id!r} has no {side}-port {port!r}"
    if declared is not None:
        known = declared if side == "in" else (*declared, "error")
        return None if port in known else f"{head}; {nearest(port, known)}"
    texts = (module.code, *module.files.values())
    if port in ALWAYS[side] or any(_stands_in(text, port) for text in texts):
        return None
    if close := closest(port, {*_names(texts), *ALWAYS[side]}):
        return f"{head}; did you mean {close!r}? (`ports` declares names that it makes when it runs.)"
    return f"{head}: nothing in its text is called that, and its `ports` does not declare it."


def out_ports(module: Module) -> tuple[str, ...]:
    """The ports that a module may send to, as far as they are known; not `error`, on which the runner sends."""
    if module.ports_out is not None:
        return module.ports_out
    named = _names((module.code, *module.files.values()))
    return ("out", *sorted(named - {"out", "error"})[:MAX_NAMES])


def _stands_in(text: str, port: str) -> bool:
    """Whether a name is a whole string literal somewhere in a text, comments included."""
    if any(f"{quote}{port}{quote}" in text for quote in "'\"`"):
        return True
    return f":{port}" in text and any(found[1] == port for found in _SYMBOL.finditer(text))


@lru_cache(maxsize=256)
def _names(texts: tuple[str, ...]) -> frozenset[str]:
    """Every name that is a whole literal; none of texts that are very long."""
    if sum(map(len, texts)) > MAX_SEARCHED:
        return frozenset()
    return frozenset(
        name for text in texts for name in (*(found for _, found in _QUOTED.findall(text)), *_SYMBOL.findall(text))
    )

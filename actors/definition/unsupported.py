"""What a flow may say and this version does not do: refused where it would be wrong to go on, else warned of. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from actors.definition.places import FieldPath, dotted
from actors.definition.schema import Problem

_REFERENCE = re.compile(r"\$\{(?:env|file):[^}]*\}")


def reference_problems(path: FieldPath, raw: dict[str, Any]) -> Iterator[Problem]:
    """Until secrets are resolved: a module would get the reference itself, and take it for the password."""
    waiting = [((*path, name), raw[name]) for name in ("config", "env") if name in raw]
    while waiting:
        where, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [((*where, key), item) for key, item in value.items()]
        elif isinstance(value, list):
            waiting += [((*where, index), item) for index, item in enumerate(value)]
        elif isinstance(value, str) and (found := _REFERENCE.search(value)):
            yield Problem(where, f"{dotted(where)}: {found[0]} is not replaced by what it names yet; write the value.")


def warnings(document: dict[str, Any], *, alone: bool = True) -> list[str]:
    """Sentences about fields of a checked flow that have no effect; `alone`: there is no other runner."""
    said = ["`tracing` has no effect yet"] if document.get("tracing") else []
    if not alone:
        return said
    return said + [
        f"{dotted(('modules', module, 'runner'))} has no effect: there is one runner only"
        for module, raw in document["modules"].items() if raw.get("runner") is not None
    ]  # fmt: skip

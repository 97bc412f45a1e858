"""What a flow may say and this version does not do: warned of. Pure."""

from __future__ import annotations

from typing import Any

from actors.definition.graph import PAGES
from actors.definition.places import dotted


def warnings(document: dict[str, Any], *, alone: bool = True) -> list[str]:
    """Sentences about fields of a checked flow that have no effect; `alone`: there is no other runner."""
    modules = document["modules"].items()
    found = [
        f"{dotted(('modules', module, 'retry'))} has no effect: a page does not try again"
        for module, raw in modules if raw.get("runtime") == PAGES and raw.get("retry") is not None
    ]  # fmt: skip
    if alone:
        found += [
            f"{dotted(('modules', module, 'runner'))} has no effect: there is one runner only"
            for module, raw in modules if raw.get("runner") is not None
        ]  # fmt: skip
    return found

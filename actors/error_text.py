"""ERROR objects of PROTOCOL.md as text for people; those of one kind are said once, then counted."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, NamedTuple

from actors.log_subject import about

MAX_KINDS = 1_000  # of a flow that are told apart
log = logging.getLogger("runner.flow")


class Kind(NamedTuple):
    """What makes two errors alike."""

    module: str
    type: str
    place: str


def place_of(error: dict[str, Any], column: bool = True) -> str:
    """`file:line:column`, as far as it is known."""
    place = error.get("file") or ""
    if error.get("line"):
        place += f":{error['line']}" + (f":{error['column']}" if column and error.get("column") else "")
    return place


def error_text(error: dict[str, Any]) -> str:
    """Place, type and message in a sentence."""
    place = place_of(error)
    return f"{place + ': ' if place else ''}{error['type']}: {error['message']}"


def kind_of(module: str, error: dict[str, Any]) -> Kind:
    """The kind of an error of a module."""
    return Kind(module, error["type"], place_of(error, column=False))


def more(count: int) -> str:
    """The words for the others of a kind."""
    return f"... {count:,} more like it"


def by_kind(letters: Iterable[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Dead letters as the API shows them, those of a kind together, in the order of their first ones."""
    kinds: dict[Kind, list[dict[str, Any]]] = {}
    for letter in letters:
        kinds.setdefault(kind_of(letter["flowModuleId"], letter["error"]), []).append(letter)
    return list(kinds.values())


class ErrorLog:
    """The errors of one flow in the runner's log."""

    def __init__(self) -> None:
        self._more: dict[Kind, int] = {}  # since that was said

    def take(self, module: str, what: str, error: dict[str, Any], message_id: str | None = None) -> bool:
        """Log the first of its kind, with its stack; else count it. Whether `say_rest` has something to say only now.

        `module` is of the form flow/module, `what` says what has happened; `message_id`: to which, if that is known.
        """
        kind = kind_of(module, error)
        if kind not in self._more and len(self._more) >= MAX_KINDS:
            kind = Kind(module, "another error", "")
        if kind not in self._more:
            self._more[kind] = 0
            stack = "".join(f"\n  {line}" for line in (error.get("stack") or "").rstrip().split("\n") if line)
            flow_id, _, module_id = module.partition("/")
            subject = about(flow_id, module_id, message_id)
            log.error("%s: %s: %s%s", module, what, error_text(error), stack, extra=subject)
            return False
        is_first = not any(self._more.values())
        self._more[kind] += 1
        return is_first

    def say_rest(self) -> None:
        """How many of each kind have come that were not logged."""
        for kind, count in self._more.items():
            if count:
                self._more[kind] = 0
                place = f"{kind.place}: " if kind.place else ""
                log.error("%s: %s%s: %s", kind.module, place, kind.type, more(count))

"""`/in/FLOW/MODULE.PORT` and `/out/FLOW/MODULE.PORT`: which port an address means."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

from actors.gateway.http import HttpError


class Place(NamedTuple):
    """A port of a module, `flow/module`."""

    flow_module_id: str
    port: str


def place_of(path: str, prefix: str, port: str) -> Place:
    """Of an address below `prefix`; without a port it is `port`. Raises HttpError."""
    flow, slash, rest = path.removeprefix(prefix).partition("/")
    module, dot, named = rest.partition(".")
    if not flow or not slash or not module or "/" in rest or (dot and not named):
        raise HttpError(HTTPStatus.NOT_FOUND, f"an address here is {prefix}FLOW/MODULE.PORT")
    return Place(f"{flow}/{module}", named or port)

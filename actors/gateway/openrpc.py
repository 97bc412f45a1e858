"""GET /openrpc.json: the Runner API as an OpenRPC 1.3 document, generated from its request classes. Pure.

https://spec.open-rpc.org
"""

from __future__ import annotations

from typing import Any

import msgspec

from actors import __version__
from actors.messages.client_to_runner import REQUESTS, Command
from actors.messages.parameters import parameters


def openrpc() -> dict[str, Any]:
    """The whole document, to be written as JSON."""
    return {
        "openrpc": "1.3.2",
        "info": {"title": "Runner API", "version": __version__},
        "methods": [_method(name, kind) for name, kind in sorted(REQUESTS.items())],
    }


def _method(name: str, kind: Any) -> dict[str, Any]:
    params = [
        {"name": one.camel, "required": one.is_needed, "schema": msgspec.json.schema(one.type)}
        for one in parameters(kind)
    ]  # fmt: skip
    schema = {"type": "boolean"} if issubclass(kind, Command) else {}
    return {
        "name": name, "summary": kind.__doc__, "paramStructure": "either", "params": params,
        "result": {"name": "result", "schema": schema},
    }  # fmt: skip

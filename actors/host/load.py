"""What a host is told of a module at LOAD (PROTOCOL.md section 4) and `start`; what it says when that fails. Pure."""

from __future__ import annotations

from typing import Any

import orjson

from actors.definition.model import Module
from actors.definition.references import replaced
from actors.error_text import error_text

Context = dict[bytes, bytes]


def load_body(
    flow: str, module: Module, max_turn_bytes: int, context: Context, unit: str | None, secrets: dict[str, str]
) -> bytes:
    """The body of LOAD; `unit` only for a module that was compiled; `secrets`: reference in `config` -> text."""
    ports = None if module.ports_out is None else {"in": module.ports_in or ("in",), "out": module.ports_out}
    fixed = {
        "flow": flow, "module": module.id, "name": module.name, "code": module.code, "files": module.files,
        "config": replaced(module.config, secrets), "ports": ports, "concurrency": module.concurrency,
        "retry": module.retry is not None, "version": module.state_version, "max_turn_bytes": max_turn_bytes,
    }  # fmt: skip
    if unit is not None:
        fixed["unit"] = unit
    return orjson.dumps(fixed)[:-1] + b',"context":' + encode_context(context) + b"}"


def start_body(source_turns: int, context: Context | None) -> bytes:
    """The body of CALL for `start`; the context, if the host has not got it yet."""
    encoded = orjson.dumps({"hook": "start", "turns": source_turns})
    return encoded if context is None else encoded[:-1] + b',"context":' + encode_context(context) + b"}"


def encode_context(context: Context) -> bytes:
    """A context as a JSON object; its values are encoded already."""
    return b"{" + b",".join(orjson.dumps(key.decode()) + b":" + value for key, value in context.items()) + b"}"


def failure_sentence(name: str, what: str, error: dict[str, Any]) -> str:
    """An ERROR of the protocol as a sentence with its place."""
    doing = {"load": "cannot be loaded", "start": "start failed", "migrate": "migrate failed"}[what]
    return f"{name} {doing}: {error_text(error)}"


def source_failure(name: str, error: dict[str, Any]) -> str:
    """That a source has failed for good, or is started again."""
    return f"{name}: the source failed: {error_text(error)}"

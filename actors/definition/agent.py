"""Agent files: reads and checks what `runner agent` is given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from actors.definition.machines import CONTROL_PORT, bind_problems
from actors.definition.model import FlowError
from actors.definition.places import dotted
from actors.definition.schema import Problem, json_problems, schema_problems
from actors.definition.text_files import text_of
from actors.definition.yaml_text import read_text


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """Of a machine. `leader`: address and port; `data_port` 0: any; `state` None: as the command line has it."""

    name: str
    address: str
    leader: tuple[str, int]
    control_port: int
    data_port: int
    keys: Path
    state: Path | None
    log_level: str
    log_format: str


@cache
def agent_schema() -> dict[str, Any]:
    """The JSON Schema of an agent file; `runner schema agent` prints it."""
    schema: dict[str, Any] = json.loads(files("actors.definition").joinpath("agent.schema.json").read_text("utf-8"))
    return schema


def read_agent(path: Path) -> AgentSettings:
    """The settings of a file; FlowError has every problem, each with its place."""
    document, places = read_text(text_of(path, str(path)), str(path))
    problems = [*json_problems(document), *schema_problems(document, agent_schema())]
    if not problems:
        problems += _problems(document)
    if problems:
        raise FlowError([f"{places.at(one.path)}: {one.text.replace(dotted(()), 'the agent', 1)}" for one in problems])
    port, log = document.get("control_port", CONTROL_PORT), document.get("log", {})
    leader, _, leaders = document["leader"].partition(":")
    return AgentSettings(
        name=document["name"], address=document["address"], leader=(leader, int(leaders or port)),
        control_port=port, data_port=document.get("data_port", 0), keys=path.parent / document["keys"],
        state=path.parent / document["state"] if "state" in document else None,
        log_level=log.get("level", "info"), log_format=log.get("format", "text"),
    )  # fmt: skip


def _problems(document: dict[str, Any]) -> Iterator[Problem]:
    leader = document["leader"].partition(":")[0]
    for field, address in (("address", document["address"]), ("leader", leader)):
        yield from bind_problems((field,), address, has_keys=True)
    if leader == document["address"] and ":" not in document["leader"]:
        text = f"{dotted(('leader',))} is this machine itself: there `runner up` is enough, which needs no agent."
        yield Problem(("leader",), text)

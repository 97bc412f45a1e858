"""Deployment files, the client's side: reads and checks what `runner up` is given, with the flows it names."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from actors.definition.model import FlowError
from actors.definition.places import FieldPath, Places, cut, dotted, nearest
from actors.definition.reading import FlowSource, read_flow_file, text_of
from actors.definition.schema import Problem, json_problems, schema_problems
from actors.definition.validation import check_flow
from actors.definition.yaml_text import read_text

LATER = "comes in a later version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One runner and its flows. `runtimes` None: all that the runner knows."""

    name: str
    bind: str = "127.0.0.1"
    runner: str
    runtimes: tuple[str, ...] | None = None
    state: Path | None = None
    restart_times: int = 5
    restart_period_s: float = 60.0
    flows: tuple[FlowSource, ...] = ()
    log_level: str = "info"
    log_format: str = "text"


@cache
def deployment_schema() -> dict[str, Any]:
    """The JSON Schema of a deployment; `runner schema deployment` prints it."""
    text = files("actors.definition").joinpath("deployment.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def read_deployment(path: Path, known_runtimes: Collection[str]) -> Deployment:
    """The deployment of a file, its flows read and checked; FlowError has every problem, each with its place."""
    document, places = read_text(text_of(path, str(path)), str(path))
    problems = [*json_problems(document), *schema_problems(document, deployment_schema())]
    if not problems:
        problems += _problems(document, known_runtimes)
    if problems:
        raise FlowError([_sentence(problem, places) for problem in problems])
    (runner, settings), *_ = document["runners"].items()
    runtimes = tuple(settings["runtimes"]) if "runtimes" in settings else None
    restart, log = document.get("restart", {}), document.get("log", {})
    return Deployment(
        name=document["name"],
        bind=document.get("bind", "127.0.0.1"),
        runner=runner,
        runtimes=runtimes,
        state=path.parent / settings["state"] if "state" in settings else None,
        restart_times=restart.get("times", 5),
        restart_period_s=restart.get("period_s", 60.0),
        flows=_flows(path, document.get("flows", []), places, known_runtimes if runtimes is None else runtimes),
        log_level=log.get("level", "info"),
        log_format=log.get("format", "text"),
    )


def _sentence(problem: Problem, places: Places) -> str:
    text = problem.text
    if not problem.path:
        text = text.replace(dotted(()), "the deployment", 1)
    return f"{places.at(problem.path)}: {text}"


def _problems(document: dict[str, Any], known_runtimes: Collection[str]) -> Iterator[Problem]:
    """What this version cannot do yet, and what does not fit together."""
    runners = document["runners"]
    if not runners:
        yield Problem(("runners",), f"{dotted(('runners',))} is empty; name one runner, such as `main: {{}}`.")
    if len(runners) > 1:
        yield Problem(("runners",), f"{dotted(('runners',))} has {len(runners)}: more than one runner {LATER}.")
    for name, settings in runners.items():
        for field in ("container", "join", "limits"):
            if field in settings:
                yield _later(("runners", name, field))
        for index, runtime in enumerate(settings.get("runtimes", [])):
            if runtime not in known_runtimes:
                path: FieldPath = ("runners", name, "runtimes", index)
                text = f"there is no runtime {cut(runtime)!r}; {nearest(runtime, known_runtimes)}"
                yield Problem(path, f"{dotted(path)}: {text}")
    if "gateway" in document:
        yield _later(("gateway",))
    for index, flow in enumerate(document.get("flows", [])):
        if "place" in flow:
            yield _later(("flows", index, "place"))
    if (bind := document.get("bind")) is not None and not _is_loopback(bind):
        text = f"{dotted(('bind',))}: an address that is not loopback (127.0.0.1) {LATER}, with encryption."
        yield Problem(("bind",), text)


def _later(path: FieldPath) -> Problem:
    return Problem(path, f"{dotted(path)} {LATER}.")


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.IPv4Address(address).is_loopback
    except ValueError:
        return False


def _flows(
    path: Path, entries: list[dict[str, Any]], places: Places, runtimes: Collection[str]
) -> tuple[FlowSource, ...]:
    problems: list[str] = []
    sources: dict[str, FlowSource] = {}
    for index, entry in enumerate(entries):
        field: FieldPath = ("flows", index, "file")
        file = path.parent / entry["file"]
        try:
            text_of(file, f"{places.at(field)}: {dotted(field)}: {cut(str(file))}")  # what is said of it has a place
            source = read_flow_file(file)
            flow = check_flow(source.document, source.places, runtimes)
        except FlowError as error:
            problems += error.problems
            continue
        if flow.id in sources:
            problems.append(
                f"{places.at(field)}: the flow {flow.id!r} is also in {sources[flow.id].places.file}; keep one."
            )
        sources[flow.id] = source
    if problems:
        raise FlowError(problems)
    return tuple(sources.values())

"""Deployment files, the client's side: reads and checks what `runner up` is given, with the flows it names."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from actors.definition.model import Flow, FlowError
from actors.definition.placement import Offers, durable_crossings, module_problems, place_problems, placed
from actors.definition.places import FieldPath, Places, cut, dotted, nearest
from actors.definition.reading import FlowSource, read_flow_file, text_of
from actors.definition.schema import Problem, json_problems, schema_problems
from actors.definition.validation import check_flow
from actors.definition.yaml_text import read_text

LATER = "comes in a later version"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
    """`runtimes` None: all that the runner knows; `state`: the folder of what it keeps, if not the state directory."""

    name: str
    runtimes: tuple[str, ...] | None = None
    state: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Runners and their flows. If there are several runners, every module of a flow says on which it is."""

    name: str
    bind: str = "127.0.0.1"
    runners: tuple[RunnerSettings, ...]
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
    runners = tuple(
        RunnerSettings(
            name=name, runtimes=tuple(settings["runtimes"]) if "runtimes" in settings else None,
            state=path.parent / settings["state"] if "state" in settings else None,
        )
        for name, settings in document["runners"].items()
    )  # fmt: skip
    restart, log = document.get("restart", {}), document.get("log", {})
    return Deployment(
        name=document["name"],
        bind=document.get("bind", "127.0.0.1"),
        runners=runners,
        restart_times=restart.get("times", 5),
        restart_period_s=restart.get("period_s", 60.0),
        flows=_flows(path, document.get("flows", []), places, known_runtimes, runners),
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


def _placed(source: FlowSource, flow: Flow, wanted: dict[str, str], offers: Offers) -> FlowSource:
    """The flow with a `runner` at every module, if there are several."""
    wrong = list(module_problems(flow, wanted, offers))
    if not wrong:
        runners = placed(flow, wanted, offers)
        wrong = list(durable_crossings(flow, runners))
    if wrong:
        raise FlowError([_sentence(problem, source.places) for problem in wrong])
    if len(offers) == 1:
        return source
    modules = {name: {**module, "runner": runners[name]} for name, module in source.document["modules"].items()}
    return replace(source, document={**source.document, "modules": modules})


def _flows(
    path: Path, entries: list[dict[str, Any]], places: Places, known: Collection[str],
    runners: tuple[RunnerSettings, ...],
) -> tuple[FlowSource, ...]:  # fmt: skip
    offers = {runner.name: known if runner.runtimes is None else runner.runtimes for runner in runners}
    runtimes = {runtime for some in offers.values() for runtime in some}
    problems: list[str] = []
    sources: dict[str, FlowSource] = {}
    for index, entry in enumerate(entries):
        field: FieldPath = ("flows", index, "file")
        file = path.parent / entry["file"]
        try:
            text_of(file, f"{places.at(field)}: {dotted(field)}: {cut(str(file))}")  # what is said of it has a place
            source = read_flow_file(file)
            flow = check_flow(source.document, source.places, runtimes)
            wanted = entry.get("place", {})
            if wrong := list(place_problems(flow, wanted, offers, ("flows", index, "place"))):
                raise FlowError([_sentence(problem, places) for problem in wrong])
            source = _placed(source, flow, wanted, offers)
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

"""Deployment files, the client's side: reads and checks what `runner up` is given, with the flows it names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from actors.definition.catalogue import folders_named
from actors.definition.machines import MachineSettings, bind_problems, elsewhere, machine_problems, place_problem
from actors.definition.model import Flow, FlowError
from actors.definition.placement import Offers, module_problems, place_problems, placed
from actors.definition.places import FieldPath, Places, cut_path, dotted, no_runtime
from actors.definition.reading import FlowSource, read_flow_file
from actors.definition.references import absolute
from actors.definition.schema import Problem, json_problems, schema_problems
from actors.definition.text_files import text_of
from actors.definition.validation import check_flow
from actors.definition.yaml_text import read_text

MAX_PORT = 65_535
LATER = "comes in a later version"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
    """`runtimes` None: all that the runner knows; `state`: the folder of what it keeps, if not the state directory."""

    name: str
    runtimes: tuple[str, ...] | None = None
    state: Path | None = None
    machine: str | None = None
    container: str | None = None
    memory_mb: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """Where the gateway listens. `token`: where that is, `${env:NAME}` or `${file:PATH}`; None: one is made. `tls`: the
    files of certificate and key.
    """

    host: str
    port: int
    token: str | None = None
    origins: tuple[str, ...] = ()
    pages: Path | None = None
    tls: tuple[Path, Path] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Runners and their flows. If it is `spread`, every module of a flow says on which runner it is.

    `keys`: the folder of `runner keys`, None: the deployment makes its own. `machines`: empty, or several; the one at
    `bind` is the leader, `here`. `traces`: the endpoint of the collector.
    """

    name: str
    bind: str = "127.0.0.1"
    keys: Path | None = None
    runners: tuple[RunnerSettings, ...]
    restart_times: int = 5
    restart_period_s: float = 60.0
    flows: tuple[FlowSource, ...] = ()
    gateway: GatewaySettings | None = None
    traces: str | None = None
    log_level: str = "info"
    log_format: str = "text"
    machines: tuple[MachineSettings, ...] = ()

    @property
    def spread(self) -> bool:
        """Whether its runners are several, or elsewhere, or in containers."""
        return _is_spread(self.runners, bool(self.machines))

    @property
    def here(self) -> MachineSettings | None:
        """The leader's machine, if there are several."""
        return next((machine for machine in self.machines if machine.address == self.bind), None)

    @property
    def fingerprints(self) -> dict[str, str]:
        """Of each flow: another one, if its file or what is said of it here is another."""
        return {source.document["id"]: source.fingerprint for source in self.flows}

    @property
    def settings(self) -> dict[str, Any]:
        """All but the flows, as JSON."""
        runners = {
            runner.name: {
                "runtimes": None if runner.runtimes is None else list(runner.runtimes),
                "state": None if runner.state is None else str(runner.state.resolve()),
                "machine": runner.machine,
                "container": runner.container,
                "memory_mb": runner.memory_mb,
            }
            for runner in self.runners
        }
        restart = {"times": self.restart_times, "period_s": self.restart_period_s}
        log = {"level": self.log_level, "format": self.log_format}
        machines = {machine.name: asdict(machine) for machine in self.machines}
        return {
            "bind": self.bind, "machines": machines, "runners": runners, "restart": restart, "tracing": self.traces,
            "log": log,
        }  # fmt: skip


def _is_spread(runners: tuple[RunnerSettings, ...], has_machines: bool) -> bool:
    return len(runners) > 1 or has_machines or any(runner.container is not None for runner in runners)


@cache
def deployment_schema() -> dict[str, Any]:
    """The JSON Schema of a deployment; `runner schema deployment` prints it."""
    text = files("actors.definition").joinpath("deployment.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def read_deployment(
    path: Path, known_runtimes: Collection[str], before: Mapping[str, Mapping[str, str]] = MappingProxyType({}), *,
    spread: bool = False,
) -> Deployment:  # fmt: skip
    """The deployment of a file, its flows read and checked; FlowError has every problem, each with its place.

    `before`: flow -> module -> the runner that has it: what is `auto` stays there, if it can.
    `spread`: modules say where they are, also if there is one runner only.
    """
    document, places = read_text(text_of(path, str(path)), str(path))
    if isinstance(document, dict) and "modules" in document and "runners" not in document:
        said = "this is a flow, not a deployment; `runner run` runs it, a deployment names it under `flows`"
        raise FlowError([f"{places.at(('modules',))}: {said}."])
    problems = [*json_problems(document), *schema_problems(document, deployment_schema())]
    if not problems:
        problems += _problems(document, known_runtimes)
        catalogue, wrong = folders_named(document.get("catalogue", []), path.parent)
        problems += wrong
    if problems:
        raise FlowError([_sentence(problem, places) for problem in problems])
    machines = tuple(MachineSettings(name=name, **it) for name, it in document.get("machines", {}).items())
    bind = document.get("bind", machines[0].address if machines else "127.0.0.1")
    runners = tuple(
        RunnerSettings(
            name=name, runtimes=tuple(settings["runtimes"]) if "runtimes" in settings else None,
            state=path.parent / settings["state"] if "state" in settings else None,
            machine=elsewhere(settings.get("machine"), machines, bind),
            container=settings.get("container"), memory_mb=settings.get("limits", {}).get("memory_mb"),
        )
        for name, settings in document["runners"].items()
    )  # fmt: skip
    restart, log = document.get("restart", {}), document.get("log", {})
    return Deployment(
        name=document["name"],
        bind=bind,
        keys=path.parent / document["keys"] if "keys" in document else None,
        runners=runners,
        restart_times=restart.get("times", 5),
        restart_period_s=restart.get("period_s", 60.0),
        machines=machines,
        flows=_flows(
            path,
            document.get("flows", []),
            places,
            known_runtimes,
            runners,
            before,
            tuple(catalogue),
            spread or _is_spread(runners, bool(machines)),
        ),
        gateway=_gateway(path.parent, document["gateway"]) if "gateway" in document else None,
        traces=document.get("tracing", {}).get("endpoint"),
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
        if "join" in settings:
            yield _later(("runners", name, "join"))
        if "limits" in settings and "container" not in settings:
            path: FieldPath = ("runners", name, "limits")
            yield Problem(path, f"{dotted(path)} are those of a `container`; those of modules stand in the flow file.")
        for index, runtime in enumerate(settings.get("runtimes", [])):
            if runtime not in known_runtimes:
                path = ("runners", name, "runtimes", index)
                yield Problem(path, f"{dotted(path)}: {no_runtime(runtime, known_runtimes)}")
        yield from place_problem(name, settings, document.get("machines", {}), document.get("bind"))
    if "gateway" in document:
        yield from _gateway_problems(document["gateway"])
    bind, machines = document.get("bind"), document.get("machines", {})
    if bind is not None:
        yield from bind_problems(("bind",), bind, "keys" in document)
    for name, machine in machines.items():
        yield from bind_problems(("machines", name, "address"), machine["address"], has_keys=True)
    if machines:
        yield from machine_problems(document, machines, bind)


def _gateway(folder: Path, settings: dict[str, Any]) -> GatewaySettings:
    host, _, port = settings["listen"].rpartition(":")
    tls = settings.get("tls")
    return GatewaySettings(
        host=host.strip("[]"), port=int(port), token=_beside(folder, settings.get("token")),
        origins=tuple(settings.get("origins", ())),
        pages=folder / settings["pages"] if "pages" in settings else None,
        tls=None if tls is None else (folder / tls["certificate"], folder / tls["key"]),
    )  # fmt: skip


def _beside(folder: Path, reference: str | None) -> str | None:
    """A reference whose file is looked for beside the deployment file."""
    return None if reference is None else str(absolute(reference, folder))


def _gateway_problems(settings: dict[str, Any]) -> Iterator[Problem]:
    if int(settings["listen"].rpartition(":")[2]) > MAX_PORT:
        path: FieldPath = ("gateway", "listen")
        yield Problem(path, f"{dotted(path)}: a port is at most {MAX_PORT}")


def _later(path: FieldPath) -> Problem:
    return Problem(path, f"{dotted(path)} {LATER}.")


def _placed(
    source: FlowSource, flow: Flow, wanted: dict[str, str], offers: Offers, before: Mapping[str, str], spread: bool
) -> FlowSource:
    """The flow with a `runner` at every module, if there are several."""
    if wrong := list(module_problems(flow, wanted, offers)):
        raise FlowError([_sentence(problem, source.places) for problem in wrong])
    if len(offers) == 1 and not spread:
        return source
    runners = placed(flow, wanted, offers, before)
    modules = {name: {**module, "runner": runners[name]} for name, module in source.document["modules"].items()}
    return replace(source, document={**source.document, "modules": modules})


def _flows(
    path: Path, entries: list[dict[str, Any]], places: Places, known: Collection[str],
    runners: tuple[RunnerSettings, ...], before: Mapping[str, Mapping[str, str]], catalogue: tuple[Path, ...],
    spread: bool,
) -> tuple[FlowSource, ...]:  # fmt: skip
    offers = {runner.name: known if runner.runtimes is None else runner.runtimes for runner in runners}
    runtimes = {runtime for some in offers.values() for runtime in some}
    problems: list[str] = []
    sources: dict[str, FlowSource] = {}
    for index, entry in enumerate(entries):
        field: FieldPath = ("flows", index, "file")
        file = path.parent / entry["file"]
        try:
            text_of(file, f"{places.at(field)}: {dotted(field)}: {cut_path(file)}")  # what is said of it has a place
            source = read_flow_file(file, catalogue=catalogue)
            flow = check_flow(source.document, source.places, runtimes)
            wanted = entry.get("place", {})
            if wrong := list(place_problems(flow, wanted, offers, ("flows", index, "place"))):
                raise FlowError([_sentence(problem, places) for problem in wrong])
            said = json.dumps([source.document, wanted], sort_keys=True)
            source = replace(source, fingerprint=hashlib.sha256(said.encode(errors="surrogatepass")).hexdigest())
            source = _placed(source, flow, wanted, offers, before.get(flow.id, {}), spread)
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

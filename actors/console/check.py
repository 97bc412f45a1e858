"""`runner check FILE`: is this flow, or deployment, right? Every module is loaded in a trial host; nothing starts."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from thespian.actors import ActorAddress

from actors.console.calls import show
from actors.console.errors import UserError
from actors.console.run import read_checked
from actors.counted import counted
from actors.definition.deployment import read_deployment
from actors.definition.model import FlowError
from actors.definition.text_files import text_of
from actors.definition.unsupported import warnings
from actors.definition.yaml_text import read_text
from actors.ends.log_pipe import mind_stderr
from actors.messages import client_to_runner as api
from actors.messages.owner_to_runner import ConfigureRunner, ShutDown
from actors.messages.runner_to_client import Progress, Reply
from actors.preparation.state_folder import RunFolder, default_state_folder
from actors.runner.runner import RunnerActor
from actors.system.in_process import ActorSystem
from runtimes.manifest import load_runtimes, runtime_folders

PATIENCE_S = 3600.0  # environments may have to be made, modules compiled


def check(options: argparse.Namespace) -> int:
    """Exit status 0 if it would run here; else every problem with its file and line."""
    path = Path(options.file)
    documents = _documents(path)
    mind_stderr()
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.ERROR)
    logging.getLogger("runner.prepare").setLevel(logging.INFO)  # what is compiled or installed takes its time
    problems: list[str] = []
    facts: dict[str, Any] = {}
    with _runner(options.state) as (system, runner):
        for document in documents:
            found, left_out = _try(system, runner, document)
            problems += found
            facts[document["id"]] = {"modules": len(document["modules"]) - len(left_out), "leftOut": left_out}
    if problems:
        raise UserError(*problems)
    lines = [
        line
        for flow, its in facts.items()
        for line in (
            f"{flow}: {counted(its['modules'], 'module')} can be loaded",
            *(f"  left out: {module}: {reason}" for module, reason in its["leftOut"].items()),
        )
    ]
    return show(options, {"ok": True, "flows": facts}, lambda _: "\n".join([*lines, f"{path}: right"]))


def _documents(path: Path) -> list[dict[str, Any]]:
    """The flow, or those of the deployment, with the texts of their files. Raises UserError."""
    try:
        value, _ = read_text(text_of(path, str(path)), str(path))
        if isinstance(value, dict) and "runners" in value:
            deployment = read_deployment(path, load_runtimes(runtime_folders()).keys())
            documents, alone = [source.sent for source in deployment.flows], len(deployment.runners) == 1
        else:
            documents, alone = [read_checked(str(path))[0].sent], True
    except FlowError as error:
        raise UserError(*error.problems) from None
    for document in documents:
        for warning in warnings(document, alone=alone):
            print(f"runner: {document['id']}: {warning}", file=sys.stderr)
    return documents


@contextmanager
def _runner(state: str | None) -> Iterator[tuple[ActorSystem, ActorAddress]]:
    """A runner in this process, which nobody else can reach."""
    folder = RunFolder(Path(state) if state else default_state_folder())
    system = ActorSystem()
    try:
        runner = system.createActor(RunnerActor)
        system.tell(runner, ConfigureRunner(run_folder=folder.path))
        yield system, runner
        _ask(system, runner, ShutDown(request_id="end"))
    finally:
        system.shutdown()
        folder.close()


def _try(system: ActorSystem, runner: ActorAddress, document: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    """What is wrong, and what is left out: the plan of an update from a flow without modules tries all of them."""
    empty = {"id": document["id"], "modules": {}}
    plan = api.AddOrUpdateFlow(request_id="plan", flow=_here(document), plan=True)
    for request in (api.AddOrUpdateFlow(request_id="add", flow=empty), plan):
        reply = _ask(system, runner, request)
        if not reply.ok:
            problems = reply.data if isinstance(reply.data, list) else [reply.error]
            return [str(problem) for problem in problems], {}
    return [], dict((reply.data or {}).get("leftOut", {}))


def _here(document: dict[str, Any]) -> dict[str, Any]:
    """The flow without what this runner, which has no journal and is the only one, cannot give: no load needs it."""
    wires = [
        {name: value for name, value in wire.items() if (name, value) != ("delivery", "disk")}
        if isinstance(wire, dict)
        else wire
        for wire in document.get("wires", [])
    ]
    modules = {
        name: {field: value for field, value in module.items() if field != "runner"}
        for name, module in document["modules"].items()
    }
    return {**document, "durable": False, "wires": wires, "modules": modules, "tests": []}


def _ask(system: ActorSystem, runner: ActorAddress, request: Any) -> Reply:
    system.tell(runner, request)
    while not isinstance(answer := system.listen(PATIENCE_S), Reply):
        if isinstance(answer, Progress):
            print(answer.text, file=sys.stderr)
    return answer

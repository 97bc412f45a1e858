"""`runner up DEPLOYMENT.yaml`: one runner as an actor of a Thespian system on loopback.

`up` makes the deployment's key, starts the system and waits; the Dispatcher decides. It stays in the foreground until
SIGINT, SIGTERM or `runner down`; with `--detach` it goes on in the background and its log to the deployment's folder.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from actors.console.errors import UserError
from actors.console.live_runners import state_folder
from actors.console.up_again import up_again
from actors.definition.deployment import Deployment, read_deployment
from actors.definition.model import FlowError
from actors.deployment.folder import DeploymentFolder
from actors.deployment.staying import stay_up
from actors.ends.log_lines import configure_logging
from actors.preparation.state_folder import of_state
from runtimes.manifest import load_runtimes, runtime_folders

log = logging.getLogger("runner.up")


def up(options: argparse.Namespace) -> int:
    """Start a deployment and stay with it. Exit status 1 if it could not be started or failed later."""
    try:
        deployment = read_deployment(Path(options.deployment), load_runtimes(runtime_folders()).keys())
    except FlowError as error:
        raise UserError(*error.problems) from None
    if options.log_format is not None:
        deployment = replace(deployment, log_format=options.log_format)
    state = state_folder(options.state).resolve()
    folder = DeploymentFolder(state, deployment.name)
    if options.plan and not folder.is_up:
        return _show_plan(deployment, options.json)
    with of_state(state):
        taken = folder.take()
    if not taken:
        return up_again(deployment, folder, options)
    if left := folder.left_behind():
        print(f"runner: {left['said']}", file=sys.stderr)
    for runner in deployment.runners:
        if runner.state is not None:
            runner.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    if options.detach:
        return _detach(deployment, state, folder, options, left)
    configure_logging(deployment.log_level, deployment.log_format)
    report = lambda facts: _say_up(facts, options.json)  # noqa: E731
    errors = stay_up(deployment, state, folder, report, left, accept_loss=options.accept_loss)
    if errors:
        raise UserError(*errors)
    return 0


def _show_plan(deployment: Deployment, as_json: bool) -> int:
    """Nothing of it is up."""
    runners = [runner.name for runner in deployment.runners]
    flows = [source.document["id"] for source in deployment.flows]
    if as_json:
        print(json.dumps({"ok": True, "name": deployment.name, "starts": {"runners": runners, "flows": flows}}))
    else:
        said = f"runners {', '.join(runners)}, flows: {', '.join(flows) or 'none'}"
        print(f"{deployment.name} is not up; `up` would start it: {said}")
    return 0


def _say_up(facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(facts), flush=True)
        return
    flows = ", ".join(facts["flows"]) or "none"
    runners = ", ".join(f"{name} ({pid or 'its machine is not there yet'})" for name, pid in facts["runners"].items())
    what = "runner" if len(facts["runners"]) == 1 else "runners"
    print(f"{facts['name']} is up: {what} {runners}, flows: {flows}", flush=True)


def _detach(
    deployment: Deployment, state: Path, folder: DeploymentFolder, options: argparse.Namespace, left: dict[str, Any]
) -> int:  # fmt: skip
    """The same in a process of its own, which says through a pipe how the start went."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    if child := os.fork():
        folder.leave()
        os.close(writing)
        try:
            with os.fdopen(reading) as file:
                said = json.loads(file.readline() or '{"errors": ["it has ended while it started"]}')
        except KeyboardInterrupt:  # meant for both
            os.kill(child, signal.SIGTERM)
            os.waitpid(child, 0)
            raise
        if "errors" in said:
            raise UserError(*said["errors"], f"its log: {folder.path / 'log'}")
        _say_up(said, options.json)
        return 0
    _be_background(folder, reading)
    configure_logging(deployment.log_level, deployment.log_format)

    def report(facts: dict[str, Any]) -> None:
        with contextlib.suppress(OSError), os.fdopen(writing, "w") as file:
            file.write(json.dumps(facts) + "\n")

    status = 1
    errors: tuple[str, ...] = ("an internal error; see the log",)  # should it raise
    try:
        errors = stay_up(deployment, state, folder, report, left, accept_loss=options.accept_loss)
        status = 1 if errors else 0
    except Exception:
        log.exception("`runner up` failed")
    for error in errors:
        log.error("%s", error)
    with contextlib.suppress(OSError):  # it has been reported to, if the start went well
        os.write(writing, (json.dumps({"errors": errors}) + "\n").encode())
    os._exit(status)


def _be_background(folder: DeploymentFolder, reading: int) -> None:
    os.close(reading)
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    out = os.open(folder.path / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for fd, target in ((null, 0), (out, 1), (out, 2)):
        os.dup2(fd, target)
    os.close(null)
    os.close(out)

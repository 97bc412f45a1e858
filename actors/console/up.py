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
import sys
from pathlib import Path
from typing import Any

from actors.console.errors import UserError
from actors.console.live_runners import state_folder
from actors.console.logs import configure_logging
from actors.definition.deployment import Deployment, read_deployment
from actors.definition.model import FlowError
from actors.deployment.folder import DeploymentFolder
from actors.deployment.supervisor import stay_up
from runtimes.manifest import load_runtimes, runtime_folders

log = logging.getLogger("runner.up")


def up(options: argparse.Namespace) -> int:
    """Start a deployment and stay with it. Exit status 1 if it could not be started or failed later."""
    try:
        deployment = read_deployment(Path(options.deployment), load_runtimes(runtime_folders()).keys())
    except FlowError as error:
        raise UserError(*error.problems) from None
    state = state_folder(options.state).resolve()
    folder = DeploymentFolder(state, deployment.name)
    if not folder.take():
        pid = folder.read().get("pid", "starting")
        raise UserError(f"{deployment.name} is up already ({pid}); `runner down {deployment.name}` ends it")
    if before := folder.left_behind():
        print(f"runner: {before}", file=sys.stderr)
    for runner in deployment.runners:
        if runner.state is not None:
            runner.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    if options.detach:
        return _detach(deployment, state, folder, options)
    configure_logging(deployment.log_level, deployment.log_format)
    report = lambda facts: _say_up(facts, options.json)  # noqa: E731
    errors = stay_up(deployment, state, folder, report, accept_loss=options.accept_loss)
    if errors:
        raise UserError(*errors)
    return 0


def _say_up(facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(facts), flush=True)
        return
    flows = ", ".join(facts["flows"]) or "none"
    runners = ", ".join(f"{name} ({pid})" for name, pid in facts["runners"].items())
    what = "runner" if len(facts["runners"]) == 1 else "runners"
    print(f"{facts['name']} is up: {what} {runners}, flows: {flows}", flush=True)


def _detach(deployment: Deployment, state: Path, folder: DeploymentFolder, options: argparse.Namespace) -> int:
    """The same in a process of its own, which says through a pipe how the start went."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    if os.fork():
        folder.leave()
        os.close(writing)
        with os.fdopen(reading) as file:
            said = json.loads(file.readline() or '{"errors": ["it has ended while it started"]}')
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
        errors = stay_up(deployment, state, folder, report, accept_loss=options.accept_loss)
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

"""`runner deps`: the environments of a runtime. Asks a live runner; without one it does the work itself."""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from actors.console.calls import connected, show
from actors.console.client import RunnerClient
from actors.console.errors import UserError
from actors.console.live_runners import live_runners
from actors.console.text import columns
from actors.messages.calls import BadRequestError, make_request
from actors.messages.owner_to_runner import ConfigureRunner, ShutDown
from actors.messages.runner_to_client import Progress, Reply
from actors.preparation.state_folder import RunFolder, default_state_folder
from actors.runner.runner import RunnerActor
from actors.system.in_process import ActorSystem
from runtimes.manifest import load_runtimes, runtime_folders

Call = Callable[..., Any]  # method, parameters -> value; raises UserError
UNITS = ("B", "KiB", "MiB", "GiB")


@contextmanager
def _calls(options: argparse.Namespace) -> Iterator[Call]:
    if options.runner is None and not live_runners(options.state):
        with _own_runner(Path(options.state or default_state_folder())) as call:
            yield call
    else:
        with connected(options) as client:
            client.on_progress = _print_progress
            yield lambda method, *parameters: _ask(client, method, *parameters)


def _ask(client: RunnerClient, method: str, *parameters: Any) -> Any:
    answer = client.call(method, *parameters, timeout=None)
    if answer is False or getattr(answer, "ok", True) is False:
        raise UserError(answer.error or "refused")
    return answer


@contextmanager
def _own_runner(state: Path) -> Iterator[Call]:
    """A runner without flows, for as long as the call takes."""
    logging.getLogger("runner").setLevel(logging.WARNING)
    load_runtimes(runtime_folders())  # what is wrong with them is said here
    folder, system = RunFolder(state), ActorSystem()
    runner = system.createActor(RunnerActor)
    system.tell(runner, ConfigureRunner(run_folder=folder.path))

    def call(method: str, *parameters: Any) -> Any:
        try:
            answer = system.ask(runner, make_request(method, list(parameters), method), None)
        except BadRequestError as error:
            raise UserError(str(error)) from None
        while not isinstance(answer, Reply):
            if isinstance(answer, Progress):
                _print_progress(answer.text)
            answer = system.listen(None)
        if not answer.ok:
            raise UserError(answer.error or "refused")
        return answer.value

    try:
        yield call
    finally:
        answer = system.ask(runner, ShutDown(request_id="end"), None)
        while not (isinstance(answer, Reply) and answer.request_id == "end"):
            answer = system.listen(None)
        system.shutdown()
        folder.close()


def _print_progress(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def list_dependencies(options: argparse.Namespace) -> int:
    """`runner deps list [RUNTIME]`."""
    with _calls(options) as call:
        runtimes = [options.runtime] if options.runtime else [runtime["id"] for runtime in call("listRuntimes")]
        found = [environment for runtime in runtimes for environment in call("listDependencies", runtime)]
    head = ("ENVIRONMENT", "STATE", "SIZE", "USED BY", "DEPENDENCIES", "LOCKED")
    rows = [
        (
            e["environmentId"], e["state"], size_text(e["bytes"]), ", ".join(e["usedBy"]) or "-",
            ", ".join(e["dependencies"]) or "-", ", ".join(e["locked"]) or "-",
        )
        for e in found
    ]  # fmt: skip
    none = f"{options.runtime} has no environments" if options.runtime else "there are no environments"
    return show(options, found, lambda _: columns(head, rows) if rows else none)


def install(options: argparse.Namespace) -> int:
    """`runner deps install RUNTIME SPEC...`; Ctrl-C cancels it."""
    with _calls(options) as call:
        try:
            environment = call("installDependencies", options.runtime, options.spec)
        except KeyboardInterrupt:
            with contextlib.suppress(UserError):
                call("cancelDependencies", options.runtime, options.spec)
            raise
    return show(options, {"environmentId": environment}, lambda _: environment)


def remove(options: argparse.Namespace) -> int:
    """`runner deps remove RUNTIME ENVIRONMENT`."""
    with _calls(options) as call:
        call("removeDependencies", options.runtime, options.environment)
    return show(options, {"ok": True}, lambda _: f"{options.environment}: removed")


def collect(options: argparse.Namespace) -> int:
    """`runner deps gc [RUNTIME]`."""
    with _calls(options) as call:
        found = call("collectDependencies", options.runtime)
    lines = [f"{id}: removed" for id in found["removed"]]
    lines.append(f"{size_text(found['bytes'])} freed" if lines else "there is nothing that nobody uses")
    return show(options, found, lambda _: "\n".join(lines))


def size_text(size: float) -> str:
    """A number of bytes for people: `12.3 MiB`."""
    for unit in UNITS:
        if size < 1024 or unit == UNITS[-1]:
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"

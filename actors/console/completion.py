"""Completion in a shell, by argcomplete: verbs, options, files, and what lives: flows, modules, runners."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import Any

from argcomplete import autocomplete
from argcomplete.completers import FilesCompleter
from argcomplete.shell_integration import shellcode

from actors.console.client import RunnerClient
from actors.console.live_runners import LiveRunner, doors, live_runners
from actors.console.verb import actions
from runtimes.manifest import load_runtimes, runtime_folders

PATIENCE_S = 0.5  # a runner that is busy does not make the shell wait


def completion(options: argparse.Namespace) -> int:
    """`runner completion SHELL`: the script that a shell evaluates."""
    print(shellcode(["runner"], shell=options.shell))
    return 0


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell, and end the process."""
    _explain(parser)
    autocomplete(parser, always_complete_options="long")


def _explain(parser: argparse.ArgumentParser) -> None:
    """What stands behind the names of arguments."""
    for action in parser._actions:
        name = action.metavar if isinstance(action.metavar, str) else ""
        action.completer = _COMPLETERS.get(name)  # type: ignore[attr-defined]
    for one in actions(parser).values():
        _explain(one)


def _flows(options: argparse.Namespace) -> Iterable[dict[str, Any]]:
    for runner in doors(live_runners(getattr(options, "state", None))):
        yield from _asked(runner)


def _asked(runner: LiveRunner) -> list[dict[str, Any]]:
    try:
        with RunnerClient(socket=runner.socket) as client:
            return list(client.list_flows(timeout=PATIENCE_S))
    except (OSError, TimeoutError):
        return []


def _flow_names(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    return [flow["id"] for flow in _flows(parsed_args)]


def _module_names(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    return [f"{flow['id']}/{module}" for flow in _flows(parsed_args) for module in flow["modules"]]


def _flow_and_module_names(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    return [*_flow_names(parsed_args), *_module_names(parsed_args)]


def _runner_names(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    return [runner.name for runner in live_runners(getattr(parsed_args, "state", None))]


def _runtime_names(**_: Any) -> list[str]:
    return sorted(load_runtimes(runtime_folders()))


_FILES = FilesCompleter(("yaml", "yml", "json"))
_COMPLETERS: dict[str, Callable[..., Any]] = {
    "FLOW": _flow_names,
    "FLOW/MODULE": _module_names,
    "FLOW/MODULE[.PORT]": _module_names,
    "FLOW[/MODULE]": _flow_and_module_names,
    "RUNNER": _runner_names,
    "RUNTIME": _runtime_names,
    "FLOW|FILE": _flow_names,
    "FLOW.yaml": _FILES,
    "DEPLOYMENT.yaml": _FILES,
    "FILE": _FILES,
}

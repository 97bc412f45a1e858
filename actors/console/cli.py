"""The command `runner`: its verbs and their arguments. What they do is imported when it is needed."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

from actors import __version__
from actors.console.errors import UserError
from actors.console.numbers import count, seconds
from actors.console.text import plain

ACCEPT_LOSS_HELP = "go on with what is left of a damaged journal"
Verb = argparse.ArgumentParser
STATE_HELP = "state directory (default: $RUNNER_STATE or ~/.local/state/runner)"


def main(argv: list[str] | None = None) -> int:
    """Run a verb; turn what goes wrong into a message and an exit status."""
    _fill_closed_streams()
    argv = sys.argv[1:] if argv is None else argv
    try:
        try:
            options = _parser(_docs(argv)).parse_args(argv)
            return _run(options)
        finally:
            _flush()
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # then the reader of our output has seen enough
            print(f"runner: {_sentence(error)}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left of it fails no second time
        return 1


def _run(options: argparse.Namespace) -> int:
    try:
        return int(options.do(options))
    except UserError as error:
        sentences, status = error.sentences, 2 if error.usage else 1
    except UnicodeEncodeError:  # the command line may have any bytes, what the runner is told may not
        sentences, status = ("an argument is not UTF-8 text",), 2
    except OSError as error:
        if error.filename is None:  # it may be about our output
            raise
        sentences, status = (_sentence(error),), 1
    except Exception as error:
        from runtimes.manifest import ManifestError  # only here

        if not isinstance(error, ManifestError):
            raise
        sentences, status = (str(error),), 1
    for sentence in sentences:
        print(f"runner: {plain(sentence)}", file=sys.stderr)
    if getattr(options, "json", False):
        import json  # only here

        print(json.dumps({"ok": False, "errors": sentences}))
    return status


def _sentence(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)


def _flush() -> None:
    try:
        sys.stdout.flush()
    except OSError as error:
        raise OSError(error.errno, error.strerror, "standard output") from None  # of the same class


def _fill_closed_streams() -> None:
    """Nothing that is opened later may become the standard input, output or error; to use a closed one is an error."""
    for fd, name, flags in ((0, "stdin", os.O_WRONLY), (1, "stdout", os.O_RDONLY), (2, "stderr", os.O_WRONLY)):
        if getattr(sys, name) is None and os.open(os.devnull, flags) == fd and fd:
            setattr(sys, name, open(fd, "w", encoding="utf-8", closefd=False))  # noqa: SIM115


def _docs(argv: list[str]) -> Callable[[str], str]:
    """What the request classes say of themselves; looked up only when help is to be printed."""
    if argv and not {"-h", "--help"} & set(argv):
        return lambda method: ""  # noqa: ARG005
    requests = importlib.import_module("actors.messages.client_to_runner").REQUESTS
    return lambda method: str(requests[method].__doc__)


def _parser(doc: Callable[[str], str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="runner", description="Run flows of modules written in any language.")
    parser.add_argument("--version", action="version", version=f"runner {__version__}")
    parser.add_argument("--state", metavar="DIR", help=STATE_HELP)
    verbs = parser.add_subparsers(metavar="COMMAND", required=True)

    def verb(name: str, does: str, help: str, json: bool = True) -> Verb:
        added: Verb = verbs.add_parser(name, help=help, description=help)
        added.add_argument("--state", metavar="DIR", default=argparse.SUPPRESS, help=STATE_HELP)
        if json:
            added.add_argument("--json", action="store_true", help="print JSON")
        added.set_defaults(do=_lazily(does))
        return added

    _add_run(verb)
    _add_flow_verbs(verb, doc)
    _add_message_verbs(verb, doc)
    _add_debug_verbs(verb, doc)
    _add_dependency_verbs(verb, doc)
    _add_deployment_verbs(verb)
    _add_local_verbs(verb)
    return parser


def _lazily(does: str) -> Callable[[argparse.Namespace], int]:
    """The function `module:name` of this package, imported when it is called: `runner --version` stays instant."""

    def do(options: argparse.Namespace) -> int:
        module, _, name = does.partition(":")
        return int(getattr(importlib.import_module(f"actors.console.{module}"), name)(options))

    return do


AddVerb = Callable[..., Verb]


def _add_run(verb: AddVerb) -> None:
    run = verb("run", "run:run", "run a flow file here, until it ends", json=False)
    run.add_argument("flow", metavar="FLOW.yaml")
    run.add_argument(
        "-i", "--input", metavar="MODULE.PORT=FILE", action="append", default=[],
        help="NDJSON lines in; - is standard input",
    )  # fmt: skip
    run.add_argument(
        "-o", "--output", metavar="MODULE.PORT=FILE", action="append", default=[],
        help="what leaves the port, as NDJSON; - is standard output",
    )  # fmt: skip
    run.add_argument("--lines", action="store_true", help="the input is text: each line is one JSON string")
    run.add_argument("--for", dest="for_s", metavar="SECONDS", type=seconds, help="end after so many seconds")
    run.add_argument("--watch", action="store_true", help="edits of the flow's files update it; it waits for them")
    run.add_argument("--fresh", action="store_true", help="a durable flow: forget what runs before have done")
    run.add_argument(
        "--accept-repeats", action="store_true",
        help="a durable flow on pipes: after a kill, messages may be missing or come twice there",
    )  # fmt: skip
    run.add_argument("--accept-loss", action="store_true", help=ACCEPT_LOSS_HELP)
    run.add_argument("--plain", action="store_true", help="lines instead of the live table on a terminal")
    run.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    test = verb("test", "test:run_tests", "run the tests that a flow file carries", json=False)
    test.add_argument("flow", metavar="FLOW.yaml")


def _api(parser: Verb) -> Verb:
    parser.add_argument("--runner", metavar="NAME", help="which live runner, by name or process id")
    return parser


def _add_flow_verbs(verb: AddVerb, doc: Callable[[str], str]) -> None:
    _api(verb("runtimes", "api_verbs:runtimes", doc("listRuntimes")))
    flows = _api(verb("flows", "api_verbs:flows", doc("listFlows")))
    flows.add_argument("--runtime", metavar="ID", help=doc("listFlowsForRuntime"))
    apply = _api(verb("apply", "update_verbs:apply", doc("addOrUpdateFlow")))
    apply.add_argument("flow", metavar="FLOW.yaml")
    apply.add_argument("--no-start", action="store_true", help="leave a new flow stopped")
    apply.add_argument("--watch", action="store_true", help="stay, and apply every edit of the flow's files")
    apply.add_argument("--expect", metavar="VERSION", type=int, help="refuse it, if the flow is at another version")
    apply.add_argument("--plan", action="store_true", help="only try it, and say what an update would do")
    for name in ("remove", "start", "stop"):
        parser = _api(verb(name, f"api_verbs:{name}", doc(f"{name}Flow")))
        parser.add_argument("flow", metavar="FLOW")
    rollback = _api(verb("rollback", "update_verbs:rollback", doc("rollbackFlow")))
    rollback.add_argument("flow", metavar="FLOW")
    rollback.add_argument("--context", choices=["current", "snapshot"], default="current")
    rollback.add_argument("--version", dest="to_version", metavar="N", type=count, help="the one before, if left out")
    state = _api(verb("state", "api_verbs:state", doc("flowState")))
    state.add_argument("flow", metavar="FLOW")
    state.add_argument("--storage", action="store_true", help="what is written of it, and how much")
    _api(verb("audit", "api_verbs:audit", doc("audit")))


def _add_message_verbs(verb: AddVerb, doc: Callable[[str], str]) -> None:
    send = _api(verb("send", "api_verbs:send", doc("sendMessage")))
    send.add_argument("target", metavar="FLOW/MODULE[.PORT]")
    send.add_argument("message", metavar="JSON", help="one JSON value; - reads one from each line of standard input")
    tap = _api(verb("tap", "tap:tap", "print what leaves an out-port, as NDJSON, until Ctrl-C"))
    tap.add_argument("target", metavar="FLOW/MODULE[.PORT]")
    tap.add_argument("-n", "--count", metavar="N", type=count, help="end after so many messages")
    dead = verb("dead", "api_verbs:dead_list", "the messages that could not be handled", json=False)
    actions = dead.add_subparsers(metavar="ACTION", required=True)
    for name, argument, method in (("list", "flow", "deadLetters"), ("replay", "id", "replayDeadLetter")):
        _action(actions, name, f"api_verbs:dead_{name}", doc(method)).add_argument(argument, metavar=argument.upper())


def _action(actions: Any, name: str, does: str, help: str) -> Verb:
    """A verb of two words."""
    added: Verb = _api(actions.add_parser(name, help=help, description=help))
    added.add_argument("--state", metavar="DIR", default=argparse.SUPPRESS, help=STATE_HELP)
    added.add_argument("--json", action="store_true", help="print JSON")
    added.set_defaults(do=_lazily(does))
    return added


def _add_debug_verbs(verb: AddVerb, doc: Callable[[str], str]) -> None:
    timeout = "go on after so long without a debugging call (default 600; 0: never)"
    set_break = _api(verb("break", "debug_verbs:set_break", doc("setBreakPointAtModule")))
    set_break.add_argument("module", metavar="FLOW/MODULE")
    set_break.add_argument("--when", metavar="EXPR", help="a CEL expression over message, headers and context")
    set_break.add_argument("--scope", choices=["flow", "module"], default="flow", help="what a hit pauses")
    set_break.add_argument("--log", action="store_true", help="only log the messages that match")
    unbreak = _api(verb("unbreak", "debug_verbs:unbreak", doc("removeBreakPointAtModule")))
    unbreak.add_argument("module", metavar="FLOW/MODULE")
    pause = _api(verb("pause", "debug_verbs:pause", doc("pauseFlow")))
    pause.add_argument("flow", metavar="FLOW")
    for parser in (set_break, pause):
        parser.add_argument("--timeout", metavar="SECONDS", type=seconds, help=timeout)
    _api(verb("resume", "debug_verbs:resume", doc("resumeFlow"))).add_argument("flow", metavar="FLOW")
    step = _api(verb("step", "debug_verbs:step", doc("singleStepFlow")))
    step.add_argument("flow", metavar="FLOW", nargs="?", help="may be left out if only one is paused")
    held = verb("held", "debug_verbs:held_list", "the messages that wait in a paused flow", json=False)
    actions = held.add_subparsers(metavar="ACTION", required=True)
    _action(actions, "list", "debug_verbs:held_list", doc("listHeld")).add_argument("flow", metavar="FLOW")
    for name in ("edit", "drop", "release"):
        action = _action(actions, name, f"debug_verbs:held_{name}", doc(f"{name}Held"))
        action.add_argument("id", metavar="ID", help="as `held list` prints it, in quotes")
        if name == "edit":
            action.add_argument("message", metavar="JSON", help="what it shall be")


def _add_dependency_verbs(verb: AddVerb, doc: Callable[[str], str]) -> None:
    deps = verb("deps", "deps:list_dependencies", "what modules depend on: the environments of a runtime", json=False)
    actions = deps.add_subparsers(metavar="ACTION", required=True)
    _action(actions, "list", "deps:list_dependencies", doc("listDependencies")).add_argument(
        "runtime", metavar="RUNTIME"
    )
    install = _action(actions, "install", "deps:install", doc("installDependencies"))
    install.add_argument("runtime", metavar="RUNTIME")
    install.add_argument("spec", metavar="SPEC", nargs="*", help="as in the flow file: numpy==2.*, lodash@4")
    remove = _action(actions, "remove", "deps:remove", doc("removeDependencies"))
    remove.add_argument("runtime", metavar="RUNTIME")
    remove.add_argument("environment", metavar="ENVIRONMENT", help="as `runner deps list` names it")
    collect = _action(actions, "gc", "deps:collect", doc("collectDependencies"))
    collect.add_argument("runtime", metavar="RUNTIME", nargs="?")


def _add_deployment_verbs(verb: AddVerb) -> None:
    up = verb("up", "up:up", "start a deployment and stay with it until `runner down` or a signal")
    up.add_argument("deployment", metavar="DEPLOYMENT.yaml")
    up.add_argument("--accept-loss", action="store_true", help=ACCEPT_LOSS_HELP)
    up.add_argument("-d", "--detach", action="store_true", help="return when it is up; it goes on in the background")
    down = verb("down", "down:down", "stop the flows of a deployment in order and end it")
    down.add_argument("name", metavar="NAME", nargs="?", help="needed only if several are up")
    down.add_argument("--timeout", metavar="SECONDS", type=seconds, default=180.0, help="then it is killed")


def _add_local_verbs(verb: AddVerb) -> None:
    schema = verb("schema", "local_verbs:schema", "print the JSON Schema of a kind of file")
    schema.add_argument("kind", choices=["flow", "deployment"])
    new = verb("new", "new:new", "write a starter module and its flow file here, with a test that passes")
    new.add_argument("runtime", metavar="RUNTIME")
    new.add_argument("name", metavar="NAME")
    verb("doctor", "doctor:doctor", "say what this machine has, and what is missing")
    conformance = verb("conformance", "local_verbs:conformance", "check a runtime's host by runtimes/PROTOCOL.md")
    conformance.add_argument("name", metavar="RUNTIME")
    conformance.add_argument("--case", metavar="GLOB", help="only the cases whose name matches")
    conformance.add_argument("--host", metavar="COMMAND", help="start this program instead of the runtime's host")

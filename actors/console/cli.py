"""The command `runner`: its verbs and their arguments. What they do is imported when it is needed."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

from actors import __version__
from actors.console.cli_deployments import ACCEPT_LOSS_HELP, add_deployment_verbs
from actors.console.exits import exit_status
from actors.console.names import flow as flow_id
from actors.console.names import module as module_name
from actors.console.numbers import address, count, port, seconds
from actors.console.verb import RootParser, Verb, parse

CONTAINED = "contained"
DEFAULT_ADDRESS = "127.0.0.1:8080"
STATE_HELP = "state directory (default: $RUNNER_STATE or ~/.local/state/runner)"


def main(argv: list[str] | None = None) -> int:
    """Run a verb; turn what goes wrong into a message and an exit status."""
    words = sys.argv[1:] if argv is None else argv
    if "_ARGCOMPLETE" in os.environ:
        importlib.import_module("actors.console.completion").complete(root_parser())
    if words[:1] == [CONTAINED] and not sys.stdin.isatty():  # of the deployment whose runner this is
        return int(importlib.import_module("actors.deployment.container.inside").main(*words[1:]))
    return exit_status(lambda: parse(_parser(_docs(words)), words))


def root_parser() -> RootParser:
    """With all that help says."""
    return _parser(_docs(["--help"]))


def _docs(argv: list[str]) -> Callable[[str], str]:
    """What the request classes say of themselves; looked up only when help is to be printed."""
    if argv and not {"-h", "--help", "help"} & set(argv):
        return lambda method: ""  # noqa: ARG005
    requests = importlib.import_module("actors.messages.client_to_runner").REQUESTS
    return lambda method: str(requests[method].__doc__)


def _parser(doc: Callable[[str], str]) -> RootParser:
    parser = RootParser(prog="runner", description="Run flows of modules written in any language.")
    parser.add_argument("--version", action="version", version=f"runner {__version__}")
    parser.add_argument("--state", metavar="DIR", help=STATE_HELP)
    verbs = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Verb)

    def verb(name: str, does: str, help: str, json: bool = True) -> Verb:
        added: Verb = verbs.add_parser(name, help=help, description=help)
        added.add_argument("--state", metavar="DIR", default=argparse.SUPPRESS, help=STATE_HELP)
        if json:
            added.add_argument("--json", action="store_true", help="print JSON")
        added.set_defaults(do=_lazily(does), parser=added)
        return added

    _add_run(verb)
    _add_flow_verbs(verb, doc)
    _add_message_verbs(verb, doc)
    _add_debug_verbs(verb, doc)
    _add_dependency_verbs(verb, doc)
    add_deployment_verbs(verb, _lazily)
    _add_local_verbs(verb)
    return parser


def _lazily(does: str) -> Callable[[argparse.Namespace], int]:
    """The function `module:name`, of this package or `actors.X`, imported when it is called: `runner --version` stays
    instant.
    """

    def do(options: argparse.Namespace) -> int:
        module, _, name = does.partition(":")
        place = module if module.startswith("actors.") else f"actors.console.{module}"
        return int(getattr(importlib.import_module(place), name)(options))

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
    run.add_argument(
        "--serve", metavar="HOST:PORT", type=address, nargs="?", const=address(DEFAULT_ADDRESS),
        help=f"open the gateway, HTTP and WebSocket (default {DEFAULT_ADDRESS}); stay until a signal",
    )  # fmt: skip
    run.add_argument("--pages", metavar="FOLDER", help="pages that the gateway serves at /app/")
    run.add_argument("--plain", action="store_true", help="lines instead of the live table on a terminal")
    run.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    run.add_argument("--log-format", default="text", choices=["text", "json"], help="json: one object a line")
    test = verb("test", "test:run_tests", "run the tests that flow files carry")
    test.add_argument("flow", metavar="FLOW.yaml", nargs="+")
    test.add_argument("-k", metavar="TEXT", help="only the tests whose name has this in it")
    test.add_argument("--watch", action="store_true", help="stay, and run the tests of what is edited again")
    test.add_argument("--update", action="store_true", help="write what came into the file, as expected from now on")


def _api(parser: Verb) -> Verb:
    parser.add_argument("--runner", metavar="NAME", help="which live runner, by name or process id")
    return parser


def _flow(parser: Verb) -> None:
    parser.add_argument("flow", metavar="FLOW", type=flow_id, nargs="?", help="may be left out if there is only one")


def _add_flow_verbs(verb: AddVerb, doc: Callable[[str], str]) -> None:
    _api(verb("runtimes", "list_verbs:runtimes", doc("listRuntimes")))
    flows = _api(verb("flows", "list_verbs:flows", doc("listFlows")))
    flows.add_argument("--runtime", metavar="ID", help=doc("listFlowsForRuntime"))
    apply = _api(verb("apply", "update_verbs:apply", doc("addOrUpdateFlow")))
    apply.add_argument("flow", metavar="FLOW.yaml")
    apply.add_argument("--no-start", action="store_true", help="leave a new flow stopped")
    apply.add_argument("--watch", action="store_true", help="stay, and apply every edit of the flow's files")
    apply.add_argument("--expect", metavar="VERSION", type=int, help="refuse it, if the flow is at another version")
    apply.add_argument("--plan", action="store_true", help="only try it, and say what an update would do")
    for name in ("start", "stop"):
        _flow(_api(verb(name, f"api_verbs:{name}", doc(f"{name}Flow"))))
    _api(verb("remove", "api_verbs:remove", doc("removeFlow"))).add_argument("flow", metavar="FLOW", type=flow_id)
    _api(verb("restart", "api_verbs:restart", doc("restartRunner"))).add_argument("name", metavar="RUNNER")
    move = _api(verb("move", "update_verbs:move", doc("moveModule")))
    move.add_argument("module", metavar="FLOW/MODULE", type=module_name)
    move.add_argument("to", metavar="RUNNER")
    drain = _api(verb("drain", "update_verbs:drain", doc("drainRunner")))
    drain.add_argument("name", metavar="RUNNER")
    drain.add_argument("--end", action="store_true", help="it may be used again; what has left it stays where it is")
    rollback = _api(verb("rollback", "update_verbs:rollback", doc("rollbackFlow")))
    _flow(rollback)
    rollback.add_argument("--context", choices=["current", "snapshot"], default="current")
    rollback.add_argument("--version", dest="to_version", metavar="N", type=count, help="the one before, if left out")
    shadow = _api(verb("shadow", "shadow:shadow", "try another text of a module on its live messages, beside the flow"))
    shadow.add_argument("module", metavar="FLOW/MODULE", type=module_name)
    shadow.add_argument("--file", metavar="NEW", required=True, help="the text to try")
    shadow.add_argument("-n", "--count", metavar="N", type=count, default=1000, help="so many messages (1000)")
    shadow.add_argument("--recent", action="store_true", help="those that it had last, in place of those that come")
    shadow.add_argument("--timeout", metavar="SECONDS", type=seconds, default=600.0, help="wait no longer (600)")
    shadow.add_argument("--yes", action="store_true", help="also if it uses the network or has `limits.writable`")
    state = _api(verb("state", "list_verbs:state", doc("flowState")))
    state.add_argument("flow", metavar="FLOW", type=flow_id, nargs="?", help="all, if left out")
    state.add_argument("--storage", action="store_true", help="what is written of it, and how much")
    _flow(_api(verb("why", "list_verbs:why", doc("explain"))))
    console = _api(
        verb("console", "view.verb:console", "all that is live, full-screen, and what to do about it", json=False)
    )
    console.add_argument("flow", metavar="FLOW", type=flow_id, nargs="?", help="begin with this one")
    console.add_argument("--every", metavar="SECONDS", type=seconds, default=0.25, help="between two pictures (0.25)")
    console.add_argument("-n", "--count", metavar="N", type=count, help="off a terminal: end after N lines a flow")
    context = _api(verb("context", "list_verbs:context", doc("getContext")))
    context.add_argument("module", metavar="FLOW/MODULE", type=module_name)
    _flow(_api(verb("versions", "versions:versions", doc("listVersions"))))
    source = _api(verb("source", "versions:source", "the text of a module, as it runs or as it was"))
    source.add_argument("module", metavar="FLOW/MODULE", type=module_name)
    source.add_argument("--version", dest="of_version", metavar="N", type=count, help="one of `runner versions`")
    _api(verb("ps", "list_verbs:ps", doc("listRunners")))
    _api(verb("audit", "list_verbs:audit", doc("audit")))
    logs = _api(verb("logs", "log_verb:logs", "the last lines of the log, of all, a flow or a module"))
    logs.add_argument("target", metavar="FLOW[/MODULE]", type=module_name, nargs="?")
    logs.add_argument("-f", "--follow", action="store_true", help="stay, and print what comes, until Ctrl-C")
    logs.add_argument("-n", "--count", metavar="N", type=count, default=50, help="so many at first (50)")
    logs.add_argument(
        "--level", choices=["debug", "info", "warning", "error"], default="debug", help="from this one on"
    )


def _add_message_verbs(verb: AddVerb, doc: Callable[[str], str]) -> None:
    send = _api(verb("send", "send:send", doc("sendMessage")))
    send.add_argument("target", metavar="FLOW/MODULE[.PORT]", type=module_name)
    send.add_argument("message", metavar="JSON", help="one JSON value; - reads one from each line of standard input")
    tap = _api(verb("tap", "tap:tap", "print what leaves an out-port, as NDJSON, until Ctrl-C"))
    tap.add_argument("target", metavar="FLOW/MODULE[.PORT]", type=module_name)
    tap.add_argument("-n", "--count", metavar="N", type=count, help="end after so many messages")
    tap.add_argument(
        "--when", metavar="EXPR", help="only those for which this CEL expression is true: message, headers"
    )
    tap.add_argument("--select", metavar="EXPR", help="print the value of this CEL expression")
    _keep(tap)
    dead = verb("dead", "dead:list_letters", "the messages that could not be handled", json=False)
    actions = dead.add_subparsers(required=True)
    _flow(_action(actions, "list", "dead:list_letters", doc("deadLetters")))
    show = _action(actions, "show", "dead:show_letter", "a dead letter whole, with its error")
    show.add_argument("id", metavar="ID")
    _keep(show)
    edit = _action(actions, "edit", "dead:edit", doc("editDeadLetter"))
    edit.add_argument("id", metavar="ID")
    edit.add_argument("message", metavar="JSON", help="what it shall be")
    drop = _action(actions, "drop", "dead:drop", doc("dropDeadLetter"))
    drop.add_argument("id", metavar="ID", nargs="+")
    replay = _action(actions, "replay", "dead:replay", doc("replayDeadLetter"))
    replay.add_argument("id", metavar="ID", nargs="*", help="with --all or --type: the flow, if there are several")
    replay.add_argument("--type", metavar="TYPE", help="all whose error has this type, such as ValueError")
    replay.add_argument("--all", action="store_true", help="all of the flow")


def _keep(parser: Verb) -> None:
    parser.add_argument("--keep-as-test", metavar="NAME", help="make a test of it: print one, or add it --into a file")
    parser.add_argument("--into", metavar="FLOW.yaml", help="the flow file that the test is added to")


def _action(actions: Any, name: str, does: str, help: str) -> Verb:
    """A verb of two words."""
    added: Verb = _api(actions.add_parser(name, help=help, description=help))
    added.add_argument("--state", metavar="DIR", default=argparse.SUPPRESS, help=STATE_HELP)
    added.add_argument("--json", action="store_true", help="print JSON")
    added.set_defaults(do=_lazily(does), parser=added)
    return added


def _local_action(actions: Any, name: str, does: str, help: str) -> Verb:
    added: Verb = actions.add_parser(name, help=help, description=help)
    added.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
    added.set_defaults(do=_lazily(does), parser=added)
    return added


def _of(parser: Verb) -> None:
    parser.add_argument(
        "--of",
        metavar="FILE|FOLDER",
        default=argparse.SUPPRESS,
        help="with the folders that a flow or deployment names",
    )


def _add_debug_verbs(verb: AddVerb, doc: Callable[[str], str]) -> None:
    timeout = "go on after so long without a debugging call (default 600; 0: never)"
    set_break = _api(verb("break", "debug_verbs:set_break", doc("setBreakPointAtModule")))
    set_break.add_argument("module", metavar="FLOW/MODULE", type=module_name)
    set_break.add_argument("--when", metavar="EXPR", help="a CEL expression over message, headers and context")
    set_break.add_argument("--scope", choices=["flow", "module"], default="flow", help="what a hit pauses")
    set_break.add_argument("--log", action="store_true", help="only log the messages that match")
    unbreak = _api(verb("unbreak", "debug_verbs:unbreak", doc("removeBreakPointAtModule")))
    unbreak.add_argument("module", metavar="FLOW/MODULE", type=module_name)
    pause = _api(verb("pause", "debug_verbs:pause", doc("pauseFlow")))
    _flow(pause)
    for parser in (set_break, pause):
        parser.add_argument("--timeout", metavar="SECONDS", type=seconds, help=timeout)
    _flow(_api(verb("resume", "debug_verbs:resume", doc("resumeFlow"))))
    step = _api(verb("step", "debug_verbs:step", doc("singleStepFlow")))
    step.add_argument("flow", metavar="FLOW", type=flow_id, nargs="?", help="may be left out if only one is paused")
    _keep(step)
    held = verb("held", "debug_verbs:held_list", "the messages that wait in a paused flow", json=False)
    actions = held.add_subparsers(required=True)
    _flow(_action(actions, "list", "debug_verbs:held_list", doc("listHeld")))
    for name in ("edit", "drop", "release"):
        action = _action(actions, name, f"debug_verbs:held_{name}", doc(f"{name}Held"))
        action.add_argument("id", metavar="ID", help="or the number, as `held list` prints them")
        if name == "edit":
            action.add_argument("message", metavar="JSON", help="what it shall be")


def _add_dependency_verbs(verb: AddVerb, doc: Callable[[str], str]) -> None:
    deps = verb("deps", "deps:list_dependencies", "what modules depend on: the environments of a runtime", json=False)
    actions = deps.add_subparsers(required=True)
    listed = _action(actions, "list", "deps:list_dependencies", doc("listDependencies"))
    listed.add_argument("runtime", metavar="RUNTIME", nargs="?", help="all, if left out")
    install = _action(actions, "install", "deps:install", doc("installDependencies"))
    install.add_argument("runtime", metavar="RUNTIME")
    install.add_argument("spec", metavar="SPEC", nargs="*", help="as in the flow file: numpy==2.*, lodash@4")
    remove = _action(actions, "remove", "deps:remove", doc("removeDependencies"))
    remove.add_argument("runtime", metavar="RUNTIME")
    remove.add_argument("environment", metavar="ENVIRONMENT", help="as `runner deps list` names it")
    collect = _action(actions, "gc", "deps:collect", doc("collectDependencies"))
    collect.add_argument("runtime", metavar="RUNTIME", nargs="?")


def _add_chaos(verb: AddVerb) -> None:
    chaos = verb("chaos", "actors.chaos.verb:chaos", "faults on a copy of a flow: does it keep what it promises?")
    chaos.add_argument("flow", metavar="FLOW.yaml", nargs="?")
    chaos.add_argument("--swarm", action="store_true", help="a random flow of all languages in place of one of yours")
    chaos.add_argument("--seed", metavar="N", type=count, help="the same faults in the same order again")
    chaos.add_argument("--for", dest="for_s", metavar="SECONDS", type=seconds, default=60.0, help="in all (60)")
    chaos.add_argument(
        "-i", "--input", metavar="MODULE.PORT=FILE", action="append", default=[],
        help="NDJSON lines that it is fed with; else what its tests send, or its sources, or what is made up",
    )  # fmt: skip
    chaos.add_argument("--messages", metavar="N", type=count, default=1000, help="so many in all (1000)")
    chaos.add_argument("--only", metavar="FAULT,...", help="only these: kill, freeze, garbage, cut ...")
    chaos.add_argument(
        "--check", metavar="COMMAND",
        help="the flow keeps its sources; in the end this says by its exit status whether all has arrived outside",
    )  # fmt: skip
    chaos.add_argument("--yes", action="store_true", help="also modules that use the network or write elsewhere")


def _add_local_verbs(verb: AddVerb) -> None:
    way_in = verb("open", "open:open_page", "print the address of a runner's page, with the token for it", json=False)
    way_in.add_argument("--app", action="store_true", help="of the pages at /app/, with the token of visitors")
    _api(way_in)
    _api(verb("mcp", "mcp:mcp", "the API, flows and sources for agents: MCP on standard input and output", json=False))
    dap = _api(verb("dap", "dap:dap", "debug flows from an editor: the Debug Adapter Protocol", json=False))
    dap.add_argument("--port", metavar="PORT", type=port, help="on this port of 127.0.0.1; else standard input, output")
    _add_chaos(verb)
    schema = verb("schema", "local_verbs:schema", "print the JSON Schema of a kind of file")
    schema.add_argument("kind", choices=["flow", "deployment", "agent", "module"])
    check = verb("check", "check:check", "validate a flow or a deployment, and load every module in a trial")
    check.add_argument("file", metavar="FILE")
    graph = _api(verb("graph", "graph:graph", "draw a flow that is live, or in a file"))
    graph.add_argument("flow", metavar="FLOW|FILE", nargs="?", help="the only flow that is live, if left out")
    graph.add_argument("--format", choices=["text", "mermaid", "dot"], default="text")
    new = verb("new", "new:new", "write a starter module and its flow file here, with a test that passes")
    new.add_argument("runtime", metavar="RUNTIME")
    new.add_argument("name", metavar="NAME")
    catalogue = verb("catalogue", "catalogue:list_modules", "list the modules that flows take by name: `use: NAME`")
    _of(catalogue)
    actions = catalogue.add_subparsers()
    shown = _local_action(
        actions, "show", "catalogue:show_module", "one of them: ports, config, delivery, example, source"
    )
    shown.add_argument("name", metavar="NAME")
    _of(shown)
    eject = verb("eject", "catalogue:eject", "copy a module of the catalogue beside a flow, to change it")
    eject.add_argument("name", metavar="NAME")
    eject.add_argument("flow", metavar="FLOW.yaml", nargs="?", help="takes the copy from now on; else beside you")
    _of(eject)
    verb("doctor", "doctor:doctor", "say what this machine has, and what is missing")
    completion = verb("completion", "completion:completion", "print what lets a shell complete commands", json=False)
    completion.add_argument("shell", choices=["bash", "zsh", "fish"])
    help = verb("help", "help:show_help", "say what a command does", json=False)
    help.add_argument("command", metavar="COMMAND", nargs="*")
    conformance = verb("conformance", "local_verbs:conformance", "check a runtime's host by runtimes/PROTOCOL.md")
    conformance.add_argument("name", metavar="RUNTIME")
    conformance.add_argument("--case", metavar="GLOB", help="only the cases whose name matches")
    conformance.add_argument("--host", metavar="COMMAND", help="start this program instead of the runtime's host")

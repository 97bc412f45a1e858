"""`runner run FLOW.yaml`: the embedded default. One process, no port; hosts are its children."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.console.errors import UserError
from actors.flows.model import FlowError
from actors.flows.reading import FlowSource, read_flow_file
from actors.flows.validation import check_flow
from actors.runner import ConfigureRunner, RunnerActor
from actors.session import Endpoint, Outcome, RunFlow, SessionActor
from actors.state_folder import RunFolder, default_state_folder
from actors.system import ActorSystem
from runtimes.manifest import load_runtimes, runtime_folders

if TYPE_CHECKING:
    from actors.console.live import LiveTable
    from actors.flow_watch import FlowWatch

SHOWN_DEAD_LETTERS = 20
log = logging.getLogger("runner")


def run(options: argparse.Namespace) -> int:
    """Run a flow file to its end. Exit status: 0; 1 if it could not be loaded, failed, or left dead letters."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=options.log_level.upper())
    source = read_checked(options.flow)
    inputs = [_endpoint(text, "-i", os.O_RDONLY) for text in options.input]
    outputs = [_endpoint(text, "-o", os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for text in options.output]
    table = _table(options)
    try:
        with _watch(options, source) as watch:
            outcome = run_embedded(
                options.state, flow=source.document, inputs=tuple(inputs), outputs=tuple(outputs), watch=watch,
                for_s=options.for_s, signal_fd=catch_signals(), show=table.show if table else None,
                name=source.document.get("id"),
            )  # fmt: skip
        if table and outcome.state:
            table.show(outcome.state)
    finally:
        if table:
            table.stop()
    return _report(outcome)


def read_checked(file: str) -> FlowSource:
    """Read a flow file and check it here, where the places of its fields are known."""
    try:
        source = read_flow_file(Path(file))
        check_flow(source.document, source.places, load_runtimes(runtime_folders()).keys())
    except FlowError as error:
        raise UserError(*error.problems) from None
    return source


def run_embedded(state: str | None, name: Any = None, **job: Any) -> Outcome:
    """Run one flow in a runner of its own in this process, to its end; `job` are the fields of RunFlow.

    With a `name` it answers the Runner API on a socket in the state directory.
    """
    folder = RunFolder(Path(state) if state else default_state_folder())
    system = ActorSystem()
    outcome = Outcome()
    try:
        runner = system.createActor(RunnerActor)
        system.tell(runner, ConfigureRunner(run_folder=folder.path))
        session = system.createActor(SessionActor)
        system.tell(session, RunFlow(runner=runner, outcome=outcome, **job))
        while system.base.busy and not outcome.over:  # to where the hosts have been started
            system.base.turn()
        if name is not None and not outcome.over:
            _open_door(system, runner, folder.path, str(name))
        system.base.run_until(lambda: outcome.over)
    finally:
        system.shutdown()
        folder.close()
    return outcome


def _open_door(system: ActorSystem, runner: Any, folder: Path, name: str) -> None:
    from actors.door import open_door  # while the hosts start: the first message does not wait for it

    if error := open_door(system, runner, folder, name):
        log.warning("no API: %s", error)


def _table(options: argparse.Namespace) -> LiveTable | None:
    """The live table if this is a terminal; the table goes to standard error like all logs."""
    if options.plain or not sys.stderr.isatty() or not sys.stdout.isatty():
        return None
    from actors.console.live import LiveTable  # rich takes 60 ms: only where it is seen

    table = LiveTable()
    table.start()
    return table


def _watch(options: argparse.Namespace, source: FlowSource) -> AbstractContextManager[FlowWatch | None]:
    if not options.watch:
        return nullcontext()
    from actors.console.watch import open_watch

    return open_watch(options.flow, source)


def _report(outcome: Outcome) -> int:
    for error in outcome.errors:
        print(f"runner: {error}", file=sys.stderr)
    letters = outcome.dead_letters
    for letter in letters[:SHOWN_DEAD_LETTERS]:
        error = letter["error"]
        print(f"dead letter at {letter['flowModuleId']}: {error['type']}: {error['message']}", file=sys.stderr)
    if len(letters) > SHOWN_DEAD_LETTERS:
        print(f"... and {len(letters) - SHOWN_DEAD_LETTERS} more dead letters", file=sys.stderr)
    return 1 if outcome.errors or letters or outcome.bad_lines else 0


def _endpoint(text: str, option: str, flags: int) -> Endpoint:
    """`module.port=FILE` or `module.port=-`; the port may be left out."""
    place, equals, file = text.partition("=")
    module, _, port = place.partition(".")
    if not equals or not module or not file:
        raise UserError(f"{option} takes MODULE.PORT=FILE (or - for the standard stream), not {text!r}", usage=True)
    reading = option == "-i"
    if file == "-":
        fd = 0 if reading else 1
    else:
        try:
            fd = os.open(file, flags | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise UserError(f"{option} {text}: {file}: {error.strerror}") from None
    return Endpoint(module=module, port=port or ("in" if reading else "out"), fd=fd, name=f"{option} {text}")


def catch_signals() -> int:
    """A descriptor that becomes readable at SIGINT or SIGTERM. A closed output is an error of write, not a signal."""
    read_end, write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(write_end)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    return read_end

"""`runner run FLOW.yaml`: the embedded default. One process, no port; hosts are its children."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from pathlib import Path

from actors.console.errors import UserError
from actors.flows.model import FlowError
from actors.flows.reading import read_flow_file
from actors.runner import ConfigureRunner, RunnerActor
from actors.session import Endpoint, Outcome, RunFlow, SessionActor
from actors.state_folder import RunFolder, default_state_folder
from actors.system import ActorSystem

SHOWN_DEAD_LETTERS = 20


def run(options: argparse.Namespace) -> int:
    """Run a flow file to its end. Exit status: 0; 1 if it could not be loaded, failed, or left dead letters."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=options.log_level.upper())
    try:
        source = read_flow_file(Path(options.flow))
    except FlowError as error:
        raise UserError(*error.problems) from None
    inputs = [_endpoint(text, "-i", os.O_RDONLY) for text in options.input]
    outputs = [_endpoint(text, "-o", os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for text in options.output]
    signal_fd = _signals()
    outcome = Outcome()
    folder = RunFolder(Path(options.state) if options.state else default_state_folder())
    system = ActorSystem()
    try:
        runner = system.createActor(RunnerActor)
        system.tell(runner, ConfigureRunner(run_folder=folder.path))
        session = system.createActor(SessionActor)
        system.tell(
            session,
            RunFlow(
                runner=runner, flow=source.document, inputs=tuple(inputs), outputs=tuple(outputs), for_s=options.for_s,
                signal_fd=signal_fd, outcome=outcome, show=None,
            ),
        )  # fmt: skip
        system.base.run_until(lambda: outcome.over)
    finally:
        system.shutdown()
        folder.close()
    return _report(outcome)


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


def _signals() -> int:
    """A descriptor that becomes readable at SIGINT or SIGTERM. A closed output is an error of write, not a signal."""
    read_end, write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(write_end)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    return read_end

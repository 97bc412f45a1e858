"""`runner run FLOW.yaml`: the embedded default. One process, no port; hosts are its children."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import select
import signal
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from actors.console.ends import open_ends
from actors.console.errors import UserError
from actors.counted import counted
from actors.definition.durability import is_durable
from actors.definition.model import Flow, FlowError
from actors.definition.reading import FlowSource, read_flow_file
from actors.definition.validation import check_flow
from actors.ends.input_lines import MAX_NAMED
from actors.ends.log_lines import configure_logging
from actors.ends.log_pipe import hurry_stderr
from actors.ends.outcome import Outcome
from actors.ends.session import SessionActor
from actors.error_text import by_kind, error_text, more
from actors.messages.owner_to_gateway import GatewayOrder
from actors.messages.owner_to_runner import ConfigureRunner
from actors.messages.run_to_session import Endpoint, RunFlow
from actors.preparation.state_folder import RunFolder, default_state_folder
from actors.runner.runner import RunnerActor
from actors.system.in_process import ActorSystem
from runtimes.manifest import load_runtimes, runtime_folders

if TYPE_CHECKING:
    from actors.console.live import LiveTable
    from actors.ends.flow_watch import FlowWatch

SHOWN_KINDS = 20
SHOW_CURSOR = b"\x1b[?25h"
log = logging.getLogger("runner")


def run(options: argparse.Namespace) -> int:
    """Run a flow file to its end. Exit status: 0; 1 if it could not be loaded, failed, or left dead letters."""
    source, flow = read_checked(options.flow)
    durable = is_durable(flow)
    serve = None if options.serve is None else _gateway_order(options.serve[0], options.serve[1], options.pages)
    if options.pages is not None and serve is None:
        raise UserError("--pages is for --serve", usage=True)
    if not durable and (options.fresh or options.accept_repeats or options.accept_loss):
        raise UserError(
            "--fresh, --accept-repeats and --accept-loss are for durable flows, and this is none", usage=True
        )
    inputs, outputs = open_ends(
        flow, options.input, options.output, durable=durable, accept_repeats=options.accept_repeats
    )
    # not before: what it opens is no `/dev/fd/3` of whoever has started us
    configure_logging(options.log_level, options.log_format)
    journals = JournalOptions(options.fresh, options.accept_loss)
    if options.lines and not inputs:
        raise UserError("--lines says how -i is read, and there is no -i", usage=True)
    signal_fd = catch_signals()  # before the table hides the cursor
    table = _table(options, outputs)
    try:
        with _watch(options, source) as watch:
            outcome = run_embedded(
                options.state, flow=source.sent, inputs=inputs, outputs=outputs, watch=watch, raw=options.lines,
                for_s=options.for_s, signal_fd=signal_fd, show=table.show if table else None,
                name=source.document.get("id"), journals=journals, serve=serve, file=Path(options.flow),
            )  # fmt: skip
        if table and outcome.state:
            table.show(outcome.state)
    finally:
        if table:
            table.stop()
        hurry_stderr()
    return _report(outcome)


def read_checked(file: str) -> tuple[FlowSource, Flow]:
    """Read a flow file and check it here, where the places of its fields are known."""
    try:
        source = read_flow_file(Path(file))
        flow = check_flow(source.document, source.places, load_runtimes(runtime_folders()).keys())
    except FlowError as error:
        raise UserError(*error.problems) from None
    return source, flow


class JournalOptions(NamedTuple):
    """`fresh`: nothing of runs before is known; `accept_loss`: what is left of a damaged journal is."""

    fresh: bool
    accept_loss: bool


def run_embedded(
    state: str | None, name: Any = None, journals: JournalOptions | None = None, serve: GatewayOrder | None = None,
    file: Path | None = None, **job: Any,
) -> Outcome:  # fmt: skip
    """Run one flow in a runner of its own in this process, to its end; `job` are the fields of RunFlow.

    With a `name` it answers the Runner API on a socket in the state directory. With `journals` the flow can go on when
    it was killed. With `serve` there is a gateway, and the flow does not end by itself.
    `file`: where the flow is from.
    """
    place = Path(state) if state else default_state_folder()
    folder = RunFolder(place)
    system = ActorSystem()
    outcome = Outcome()

    def journal_lost(sentence: str) -> None:
        outcome.errors.append(sentence)
        outcome.status, outcome.over = os.EX_TEMPFAIL, True

    try:
        runner = system.createActor(RunnerActor)
        files = {str(name): file.absolute()} if file is not None else {}
        configure = ConfigureRunner(run_folder=folder.path, name=str(name or ""), files=files)
        if journals is not None:
            configure = replace(
                configure, journals=place.absolute() / "journal", accept_loss=journals.accept_loss,
                fresh=journals.fresh, journal_lost=journal_lost,
            )  # fmt: skip
        system.tell(runner, configure)
        if serve is not None:
            _open_gateway(system, runner, place, folder.path, serve)
        session = system.createActor(SessionActor)
        system.tell(session, RunFlow(runner=runner, outcome=outcome, stays=serve is not None, **job))
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
    from actors.doors.door import open_door  # while the hosts start: the first message does not wait for it

    if error := open_door(system, runner, folder, name):
        log.warning("no API: %s", error)


def _gateway_order(host: str, port: int, pages: str | None) -> GatewayOrder:
    if pages is not None and not Path(pages).is_dir():
        raise UserError(f"--pages: {pages} is no folder", usage=True)
    return GatewayOrder(host=host, port=port, pages=pages)


def _open_gateway(system: ActorSystem, runner: Any, state: Path, folder: Path, serve: GatewayOrder) -> None:
    from actors.gateway.open import open_gateway  # HTTP and WebSocket: only where they are wanted

    error = open_gateway(system, runner, state, folder, serve)
    if error is not None:
        raise UserError(error)


def _table(options: argparse.Namespace, outputs: tuple[Endpoint, ...]) -> LiveTable | None:
    """The live table if this is a terminal that nothing else writes to; it goes to standard error like all logs."""
    if options.plain or not sys.stderr.isatty() or not sys.stdout.isatty():
        return None
    if any(os.isatty(end.fd) for end in outputs):
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
    for name, count in outcome.bad_lines.items():
        if count > MAX_NAMED:
            print(f"runner: {name}: {count:,} lines were left out", file=sys.stderr)
    for error in outcome.errors:
        print(f"runner: {error}", file=sys.stderr)
    letters = outcome.dead_letters
    for line in dead_letter_lines(letters):
        print(line, file=sys.stderr)
    if outcome.status is not None:
        return outcome.status
    return 1 if outcome.errors or letters or outcome.bad_lines else 0


def dead_letter_lines(letters: list[dict[str, Any]]) -> list[str]:
    """The first dead letter of each kind, and how many more like it there are."""
    kinds = by_kind(letters)
    lines = []
    for first, *others in kinds[:SHOWN_KINDS]:
        lines.append(f"dead letter at {first['flowModuleId']}: {error_text(first['error'])}")
        if others:
            lines.append(f"  {more(len(others))}")
    if len(kinds) > SHOWN_KINDS:
        lines.append(f"... and {counted(len(kinds) - SHOWN_KINDS, 'kind')} more")
    if len(letters) > len(kinds):
        lines.append(counted(len(letters), "dead letter"))
    return lines


def catch_signals() -> int:
    """A descriptor that becomes readable at SIGINT, SIGTERM or SIGHUP, of which a third ends the process at once.

    A terminal that is closed sends SIGHUP, unless `nohup` has had it ignored.

    A closed output is an error of write, not a signal.
    """
    read_end, write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(write_end)
    count = 0

    def note(number: int, _frame: object) -> None:
        nonlocal count
        count += 1
        with contextlib.suppress(OSError):
            if count == 2 and select.select([], [2], [], 0)[1]:
                os.write(2, b"runner: it is stopping; once more ends it at once\n")
            if count == 3 and os.isatty(2):
                os.write(2, SHOW_CURSOR)  # the live table may have hidden it
        if count == 3:
            os._exit(128 + number)  # the hosts die with it, and the next runner sweeps what it leaves

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, note)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    return read_end

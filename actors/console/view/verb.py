"""`runner console [FLOW]`: on a terminal the screen, elsewhere plain lines."""

from __future__ import annotations

import argparse
import contextlib
import os

from actors.console.calls import runners_with
from actors.console.errors import UserError
from actors.console.live_runners import doors, find_runner, live_runners
from actors.console.view.plain_lines import print_lines
from actors.console.view.watching import Watch

LEAST_EVERY_S = 0.1


def console(options: argparse.Namespace) -> int:
    """Until it is quit, or elsewhere than on a terminal until what it looks at has ended."""
    live, only = doors(live_runners(options.state)), None
    if options.runner is not None or not live:
        only = find_runner(options.state, options.runner)
        live = [only]
    if options.flow is not None:
        having, silent = runners_with(live, options.flow)
        if not having:
            raise UserError(f"no live runner has the flow {options.flow!r}", *silent)
    watch = Watch(options.state, only, round(options.every * 1000))
    watch.start()
    try:
        if _is_screen():
            from actors.console.view.app import run_console  # textual takes 0.4 s

            run_console(watch, options.flow or "", max(LEAST_EVERY_S, options.every))
        else:
            with contextlib.suppress(KeyboardInterrupt):
                print_lines(watch, options.flow, options.count)
    finally:
        watch.stop()
    return 0


def _is_screen() -> bool:
    """Whether there is a terminal to draw on; textual does so by standard error."""
    return all(os.isatty(fd) for fd in (0, 1, 2)) and os.environ.get("TERM", "dumb") != "dumb"

"""The entry point. Ctrl-C while the rest of the command is imported ends it without a word, as it would `ls`."""

from __future__ import annotations

import signal


def main() -> int:
    """What cli.main does, which has its own way with Ctrl-C."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # not, if whoever has started us wants it ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from actors.console.cli import main as run

    signal.signal(signal.SIGINT, before)
    return run()

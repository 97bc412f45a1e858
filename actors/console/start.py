"""The entry point. Ctrl-C while the rest of the command is imported ends it without a word, as it would `ls`."""

from __future__ import annotations

import io
import signal
import sys
from typing import Any


def main() -> int:
    """What cli.main does, which has its own way with Ctrl-C."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # not, if whoever has started us wants it ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from actors.console.cli import main as run

    signal.signal(signal.SIGINT, before)
    if sys.stderr is not None:
        kept = io.BufferedWriter(_WhatIsSaid(2, "w", closefd=False))
        sys.stderr = io.TextIOWrapper(
            kept, encoding=sys.stderr.encoding, errors="backslashreplace", line_buffering=True
        )
    return run()


class _WhatIsSaid(io.FileIO):
    """Standard error: what cannot be written (its terminal is closed, its disk full) changes no exit status."""

    def write(self, text: Any) -> int | None:  # type: ignore[override]
        try:
            return super().write(text)
        except OSError:
            return len(text)

"""How a verb ends: its exit status, and what goes wrong as sentences on standard error."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from actors.console.errors import UserError
from actors.console.text import plain


def exit_status(options: Callable[[], argparse.Namespace]) -> int:
    """Do what the command line says: `options().do`. 0; 1 what was refused; 2 wrong usage; 130 Ctrl-C."""
    _fill_closed_streams()
    try:
        try:
            return _run(options())
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

"""The command `runner`."""

from __future__ import annotations

import argparse
import sys

from actors import __version__
from actors.console.errors import UserError


def main(argv: list[str] | None = None) -> int:
    """Parse, run the verb, turn a UserError into a message and an exit status."""
    options = _parser().parse_args(argv)
    try:
        return int(options.do(options))
    except UserError as error:
        for sentence in error.sentences:
            print(f"runner: {sentence}", file=sys.stderr)
        return 2 if error.usage else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="runner", description="Run flows of modules written in any language.")
    parser.add_argument("--version", action="version", version=f"runner {__version__}")
    parser.add_argument("--state", metavar="DIR", help="state directory (default: $RUNNER_STATE or ~/.local/state/runner)")
    verbs = parser.add_subparsers(metavar="COMMAND", required=True)

    verb = verbs.add_parser("run", help="run a flow file here, until it ends")
    verb.add_argument("flow", metavar="FLOW.yaml")
    verb.add_argument("-i", "--input", metavar="MODULE.PORT=FILE", action="append", default=[], help="NDJSON lines in; - is standard input")
    verb.add_argument("-o", "--output", metavar="MODULE.PORT=FILE", action="append", default=[], help="what leaves the port, as NDJSON; - is standard output")
    verb.add_argument("--for", dest="for_s", metavar="SECONDS", type=float, help="end after so many seconds")
    verb.add_argument("--state", metavar="DIR", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    verb.add_argument("--plain", action="store_true", help="lines instead of the live table on a terminal")
    verb.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    verb.set_defaults(do=_run)
    return parser


def _run(options: argparse.Namespace) -> int:
    from actors.console.run import run  # imported when needed: `runner --version` stays instant

    return run(options)

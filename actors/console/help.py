"""`runner help [COMMAND]`: what `runner COMMAND --help` prints."""

from __future__ import annotations

import argparse

from actors.console.cli import root_parser
from actors.console.verb import find_verb


def show_help(options: argparse.Namespace) -> int:
    """Of all commands, or of one; of an action, too: `runner help dead replay`."""
    find_verb(root_parser(), options.command).print_help()
    return 0

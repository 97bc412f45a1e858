"""`runner open`: the way into a runner's page."""

from __future__ import annotations

import argparse

from actors.console.errors import UserError
from actors.console.live_runners import find_runner

WAY_IN_FILE = "gateway"  # beside the socket; that of actors/gateway/open.py, which is not imported here


def open_page(options: argparse.Namespace) -> int:
    """Print the address; what stands behind the # is not sent, the page keeps it for itself."""
    runner = find_runner(options.state, options.runner)
    try:
        own, app = runner.socket.with_name(WAY_IN_FILE).read_text("utf-8").splitlines()
    except FileNotFoundError:
        hint = "`runner run FLOW.yaml --serve` opens one, and `gateway:` in a deployment"
        raise UserError(f"{runner.name} has no gateway; {hint}") from None
    print(app if options.app else own)
    return 0

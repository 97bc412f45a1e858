"""`runner open`: the way into a runner's page."""

from __future__ import annotations

import argparse

from actors.console.errors import UserError
from actors.console.live_runners import LiveRunner, doors, find_runner, live_runners, several

WAY_IN_FILE = "gateway"  # beside the socket; that of actors/gateway/open.py, which is not imported here


def open_page(options: argparse.Namespace) -> int:
    """Print the address; what stands behind the # is not sent, the page keeps it for itself."""
    runner = _with_gateway(options)
    try:
        own, app = runner.socket.with_name(WAY_IN_FILE).read_text("utf-8").splitlines()
    except FileNotFoundError:
        hint = "`runner run FLOW.yaml --serve` opens one, and `gateway:` in a deployment"
        raise UserError(f"{runner.name} has no gateway; {hint}") from None
    print(app if options.app else own)
    return 0


def _with_gateway(options: argparse.Namespace) -> LiveRunner:
    """The only one that has a gateway, if none is named."""
    if options.runner is None:
        having = [one for one in doors(live_runners(options.state)) if one.socket.with_name(WAY_IN_FILE).exists()]
        if len(having) == 1:
            return having[0]
        if having:
            raise UserError(several(having))
    return find_runner(options.state, options.runner)

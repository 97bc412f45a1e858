"""The verbs of `runner` for deployments and machines, and their arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.console.names import deployment
from actors.console.numbers import seconds
from actors.console.verb import Verb

AddVerb = Callable[..., Verb]
Lazily = Callable[[str], Any]  # what a verb does, imported when it is called
ACCEPT_LOSS_HELP = "go on with what is left of a damaged journal"


def add_deployment_verbs(verb: AddVerb, lazily: Lazily) -> None:
    """`up`, `down`, `agent`, `keys`."""
    up = verb("up", "up:up", "start a deployment and stay with it until `runner down` or a signal")
    up.add_argument("deployment", metavar="DEPLOYMENT.yaml")
    up.add_argument("--plan", action="store_true", help="only say what it would do")
    up.add_argument("--accept-loss", action="store_true", help=ACCEPT_LOSS_HELP)
    up.add_argument("--log-format", choices=["text", "json"], help="in place of what the file says")
    up.add_argument("-d", "--detach", action="store_true", help="return when it is up; it goes on in the background")
    agent = verb("agent", "agent:agent", "be a machine of a deployment whose leader is another one, until a signal")
    agent.add_argument("agent", metavar="AGENT.yaml")
    _add_key_verbs(verb, lazily)
    down = verb("down", "down:down", "stop the flows of a deployment in order and end it")
    down.add_argument("name", metavar="NAME", type=deployment, nargs="?", help="needed only if several are up")
    down.add_argument("--timeout", metavar="SECONDS", type=seconds, default=180.0, help="then it is killed")


def _add_key_verbs(verb: AddVerb, lazily: Lazily) -> None:
    keys = verb("keys", "keys:show", "what runners of several machines know each other by", json=False)
    actions = keys.add_subparsers(required=True)

    def action(name: str, help: str, *, runners: str | None = None) -> Verb:
        added: Verb = actions.add_parser(name, help=help, description=help)
        added.add_argument("folder", metavar="DIR")
        added.add_argument("--json", action="store_true", help="print JSON")
        if runners is not None:
            added.add_argument("runners", metavar="RUNNER", nargs=runners)
        added.set_defaults(do=lazily(f"keys:{name}"), parser=added)
        return added

    action("new", "an authority, a control key, and a certificate for each runner, in a new folder", runners="*")
    action("add", "certificates for more runners", runners="+")
    action("show", "which keys and certificates a folder has")
    rotate = action("rotate", "new keys in place of those that are used, which are believed until the next time")
    stage = rotate.add_mutually_exclusive_group()
    stage.add_argument("--prepare", action="store_true", help="only let the new ones be believed: for other machines")
    stage.add_argument("--finish", action="store_true", help="believe in the old ones no more")
    bundle = action("bundle", "what another machine needs, without the authority's key, in a folder", runners="+")
    bundle.add_argument("--to", metavar="DIR", required=True)

"""`runner agent AGENT.yaml`: runs what a deployment of another machine places on this one, as long as it is up."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from actors.console.errors import UserError
from actors.console.live_runners import state_folder
from actors.definition.agent import read_agent
from actors.definition.model import FlowError
from actors.deployment.folder import AGENTS, DeploymentFolder
from actors.deployment.staying import stay_agent
from actors.ends.log_lines import configure_logging


def agent(options: argparse.Namespace) -> int:
    """Stay until a signal. Exit status 1 if it could not be the agent, or failed later."""
    try:
        settings = read_agent(Path(options.agent))
    except FlowError as error:
        raise UserError(*error.problems) from None
    state = (settings.state or state_folder(options.state)).resolve()
    folder = DeploymentFolder(state, settings.name, AGENTS)
    if not folder.take():
        raise UserError(f"the agent {settings.name} is up already in {state} ({folder.read().get('pid', 'it starts')})")
    configure_logging(settings.log_level, settings.log_format)

    def report(facts: dict[str, Any]) -> None:
        where = f"{settings.leader[0]}:{settings.leader[1]}"
        text = f"the agent {settings.name} is up at {settings.address}; its leader is expected at {where}"
        print(json.dumps(facts) if options.json else text, flush=True)

    errors = stay_agent(settings, state, folder, report)
    if errors:
        raise UserError(*errors)
    return 0

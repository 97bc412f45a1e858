"""`runner down`: ends a deployment in order, or by force; afterwards no process of it is left."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal

from actors.console.errors import UserError
from actors.console.live_runners import state_folder
from actors.deployment.folder import DeploymentFolder, deployments
from actors.preparation.state_folder import sweep


def down(options: argparse.Namespace) -> int:
    """End a deployment and wait until no process of it is left."""
    state = state_folder(options.state).resolve()
    folders = deployments(state)
    if options.name is not None:
        folders = [folder for folder in folders if folder.name == options.name]
    if not folders:
        which = f"no deployment {options.name!r}" if options.name else "no deployment"
        raise UserError(f"{which} is up in {state}")
    if len(folders) > 1:
        raise UserError(f"several deployments are up, name one: {', '.join(folder.name for folder in folders)}")
    (folder,) = folders
    errors = _end(folder, options.timeout)
    sweep(state / "runs")
    if errors:
        raise UserError(f"{folder.name} is down, but not in order:", *errors)
    print(json.dumps({"ok": True, "name": folder.name}) if options.json else f"{folder.name} is down")
    return 0


def _end(folder: DeploymentFolder, timeout_s: float) -> list[str]:
    """In order, if `runner up` or the dispatcher still can; else by force. Returns what was lost."""
    pid = folder.read().get("pid")
    if pid in folder.processes():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    errors = []
    if not folder.wait_for_end(timeout_s):
        errors = [f"it has not stopped within {timeout_s:g} s and was killed: what its flows held is lost"]
        folder.kill()
    elif left := folder.read():
        errors = left["errors"] or [f"`runner up` ({pid}) had died before; its log says what was kept"]
    folder.end()
    return errors

"""A deployment, or the agent of a machine, from its start to its end: what its actors are told first."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

from actors import __version__
from actors.definition.agent import AgentSettings
from actors.definition.deployment import Deployment, GatewaySettings
from actors.deployment.agent import AgentActor
from actors.deployment.desired import FILE
from actors.deployment.dispatcher import DispatcherActor
from actors.deployment.folder import KEYS, DeploymentFolder
from actors.deployment.key_folder import make_keys, provide
from actors.deployment.supervisor import Report, Top, stay
from actors.host.secrets import secret
from actors.messages.owner_to_agent import BeAgent
from actors.messages.owner_to_gateway import GatewayOrder
from actors.messages.up_to_dispatcher import Deploy, MachineOrder, RunnerOrder


def stay_up(
    deployment: Deployment, state: Path, folder: DeploymentFolder, report: Report, left: dict[str, Any], *,
    accept_loss: bool = False,
) -> tuple[str, ...]:  # fmt: skip
    """Returns why it failed, if it did. `left`: what is noted of the last time, if that has not ended in order.
    `accept_loss`: flows whose journals are damaged go on with what is left.
    """
    files = deployment.fingerprints
    goes_on = "files" in left and not left.get("stopping")
    before: dict[str, str | None] = left["files"] if goes_on else {}
    facts: dict[str, Any] = {
        "flows": [*files], "settings": deployment.settings, "files": dict.fromkeys(before) | files,
        "life": left["life"] if goes_on else uuid4().hex, "again": goes_on, "several": deployment.spread,
    }  # fmt: skip

    def top() -> Top:
        gateway, keys, here = _gateway(deployment.gateway), _keys(deployment, folder), deployment.here
        deploy = Deploy(
            name=deployment.name, up_pid=os.getpid(), runners=orders(deployment, state), state=str(state),
            accept_loss=accept_loss, bind=deployment.bind, keys=str(keys), gateway=gateway,
            desired=str(state / "kept" / deployment.name / FILE),
            flows=tuple(source.sent for source in deployment.flows), life=facts["life"],
            same=frozenset(id for id in files if before.get(id) == files[id]) if goes_on else None,
            dropped=frozenset(before.keys() - files.keys()), restart_times=deployment.restart_times,
            restart_period_s=float(deployment.restart_period_s), here=None if here is None else here.name,
            data_port=0 if here is None else here.data_port, traces=deployment.traces,
            machines=tuple(
                MachineOrder(name=one.name, address=one.address) for one in deployment.machines if one != here
            ),
        )  # fmt: skip
        at = (deployment.bind, 0 if here is None else here.control_port)
        return Top(
            whole="the deployment", name="dispatcher", kind=DispatcherActor,
            order=deploy, keys=keys, at=at,
            leader=None if here is None else at, facts=facts,
        )  # fmt: skip

    return stay(top, state, folder, report)


def stay_agent(settings: AgentSettings, state: Path, folder: DeploymentFolder, report: Report) -> tuple[str, ...]:
    """Returns why it failed, if it did."""

    def top() -> Top:
        provide(settings.keys, ())
        keys = settings.keys.resolve()
        be = BeAgent(
            name=settings.name, pid=os.getpid(), version=__version__, address=settings.address,
            leader=settings.leader, data_port=settings.data_port, keys=str(keys), state=str(state),
        )  # fmt: skip
        return Top(
            whole="this", name="agent", kind=AgentActor, order=be, keys=keys,
            at=(settings.address, settings.control_port), leader=settings.leader, facts={"flows": []},
        )  # fmt: skip

    return stay(top, state, folder, report)


def _keys(deployment: Deployment, folder: DeploymentFolder) -> Path:
    """The folder of its keys: those it names, or new ones for as long as it is up."""
    runners = [runner.name for runner in deployment.runners if runner.machine is None]
    if deployment.keys is not None:
        provide(deployment.keys, runners)
        return deployment.keys.resolve()
    place = folder.path / KEYS
    shutil.rmtree(place, ignore_errors=True)
    make_keys(place, deployment.name, runners if deployment.spread else ())
    return place


def _gateway(settings: GatewaySettings | None) -> GatewayOrder | None:
    if settings is None:
        return None
    certificate, key = (None, None) if settings.tls is None else (str(file.absolute()) for file in settings.tls)
    return GatewayOrder(
        certificate=certificate, key=key,
        host=settings.host, port=settings.port, token=None if settings.token is None else secret(settings.token),
        origins=settings.origins, pages=None if settings.pages is None else str(settings.pages.absolute()),
    )  # fmt: skip


def orders(deployment: Deployment, state: Path) -> tuple[RunnerOrder, ...]:
    """All runners of a deployment that starts."""
    orders: list[RunnerOrder] = []
    numbers: Counter[str | None] = Counter()
    first = 0 if deployment.here is None else deployment.here.data_port
    for runner in deployment.runners:
        own, number = (runner.state or state).resolve(), numbers[runner.machine]
        numbers[runner.machine] += 1
        orders.append(
            RunnerOrder(
                name=runner.name,
                runtimes=runner.runtimes,
                kept=str(own / "kept" / deployment.name / runner.name),
                journals=str(own / "journal" / deployment.name / runner.name),
                machine=runner.machine,
                container=runner.container,
                memory_mb=runner.memory_mb,
                number=number,
                port=first + number if first else 0,
            )
        )
    return tuple(orders)

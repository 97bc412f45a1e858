"""The machines of a deployment, and what a file may say of them. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from actors.definition.places import FieldPath, cut, dotted, nearest
from actors.definition.schema import Problem

CONTROL_PORT = 7100  # where agents come to


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSettings:
    """A machine of several. The ports are of the leader; `data_port` 0: any."""

    name: str
    address: str
    control_port: int = CONTROL_PORT
    data_port: int = 0


def elsewhere(machine: str | None, machines: tuple[MachineSettings, ...], bind: str) -> str | None:
    """The machine of a runner, None: this one."""
    return next((one.name for one in machines if one.name == machine and one.address != bind), None)


def machine_problems(document: dict[str, Any], machines: dict[str, Any], bind: str | None) -> Iterator[Problem]:
    """What does not fit together."""
    if "keys" not in document:
        text = f"{dotted(('machines',))} need `keys`, a folder of `runner keys new`: machines know each other by it."
        yield Problem(("machines",), text)
    addresses = [machine["address"] for machine in machines.values()]
    if bind is not None and bind not in addresses:
        which = f"is the leader's: one of {', '.join(addresses)}"
        yield Problem(("bind",), f"{dotted(('bind',))}, if there are {dotted(('machines',))}, {which}.")
    for name, machine in machines.items():
        if addresses.count(machine["address"]) > 1:
            path: FieldPath = ("machines", name, "address")
            yield Problem(path, f"{dotted(path)}: another machine has {machine['address']}, too.")
        if machine["address"] != (bind or addresses[0]):
            for field in machine.keys() - {"address"}:
                path = ("machines", name, field)
                yield Problem(path, f"{dotted(path)} of a machine that has an agent stands in the agent's file.")


def place_problem(name: str, settings: dict[str, Any], machines: dict[str, Any], bind: str | None) -> Iterator[Problem]:
    """What is wrong with the `machine` of a runner."""
    machine, path = settings.get("machine"), ("runners", name, "machine")
    if machine is not None and machine not in machines:
        yield Problem(path, f"{dotted(path)}: there is no machine {cut(machine)!r}; {nearest(machine, machines)}")
        return
    leader = bind or next((one["address"] for one in machines.values()), None)
    if machine is None or machines[machine]["address"] == leader:
        return
    if "state" in settings:
        path = ("runners", name, "state")
        yield Problem(path, f"{dotted(path)}: a runner of another machine has its state where that has it.")
    if "container" in settings:
        path = ("runners", name, "container")
        text = "on another machine its agent can be in a container, as in configs/operator, but no runner of it alone"
        yield Problem(path, f"{dotted(path)}: {text}.")


def bind_problems(path: FieldPath, bind: str, has_keys: bool) -> Iterator[Problem]:
    """What is wrong with an address to listen at, and be found at."""
    where = dotted(path)
    try:
        address = ipaddress.IPv4Address(bind)
    except ValueError:
        yield Problem(path, f"{where} must be an IPv4 address of the machine, not {cut(bind)!r}.")
        return
    if address.is_unspecified or address.is_multicast:
        text = (
            f"{where}: others are told to come to this address, {bind} is none to come to; name one of the machine's."
        )
        yield Problem(path, text)
    elif not address.is_loopback and not has_keys:
        text = f"{where}: an address that other machines reach needs `keys`, a folder of `runner keys new`."
        yield Problem(path, text)

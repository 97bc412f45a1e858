"""Thespian's convention, by which the actor systems of several machines know each other: made quicker than it is.

By itself it misses a machine after 22 minutes, tries for 5 to deliver a message, and hands what is logged on to the
leader.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from thespian.actors import ActorAddress
from thespian.system import multiprocCommon, transport
from thespian.system.admin import convention
from thespian.system.logdirector import LogAggregator
from thespian.system.transport.TCPTransport import TCPTransport

from actors.system.line import TRIED_S

REGISTER_AGAIN = timedelta(seconds=5)


def capabilities(port: int, leader: tuple[str, int]) -> dict[str, Any]:
    """Of a system whose admin listens at `port`, and whose leader's admin is there."""
    return {"Admin Port": port, "Convention Address.IPv4": f"{leader[0]}:{leader[1]}"}


def hasten() -> None:
    """For this process and all it forks; before the actor system is made."""
    convention.CONVENTION_REREGISTRATION_PERIOD = convention.CONVENTION_RESTART_PERIOD = REGISTER_AGAIN
    transport.DEFAULT_MAX_TRANSMIT_PERIOD = timedelta(seconds=TRIED_S)
    logger = multiprocCommon.startASLogger

    def start_logger(address: Any, definitions: Any, transport: Any, capabilities: Any, _to: Any, context: Any) -> Any:
        return logger(address, definitions, transport, capabilities, None, context)

    multiprocCommon.startASLogger = start_logger
    register = convention.LocalConventionState.got_convention_register

    def registered(state: Any, message: Any) -> list[Any]:
        return [one for one in register(state, message) if not isinstance(one, LogAggregator)]

    convention.LocalConventionState.got_convention_register = registered


def actor_at(host: str, port: int) -> ActorAddress:
    """An actor of another system."""
    return TCPTransport.getAddressFromString((host, port))


def place_of(address: ActorAddress) -> tuple[str, int]:
    """Where another system finds an actor of this one."""
    host, port = address.addressDetails.sockname[:2]
    return host, port

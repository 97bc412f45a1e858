"""What `runner agent` tells the agent."""

from __future__ import annotations

from msgspec import Struct


class BeAgent(Struct, frozen=True, kw_only=True):
    """Be the agent of the machine `name`, which others reach at `address`: do what the dispatcher at the `leader` (host
    and port) says, as long as the process `pid` lives. StopDeployment ends it, answered as by the dispatcher.

    Runners have their things below `state`, listen from `data_port` on (0: where there is room), and know each other by
    `keys`.
    """

    name: str
    pid: int
    version: str
    address: str
    leader: tuple[str, int]
    data_port: int
    keys: str
    state: str

"""What the delivery of a wire promises. Pure: whoever handles a message asks the class, never the name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delivery:
    """`may_drop`: above high-water a message is dropped and counted; else the feeder is held (`holds_feeder`).

    `survives_runner`: what waits is still there after a crash of the runner. `fusable`: it may be handed over natively
    inside a host.
    """

    name: str
    may_drop: bool = False
    survives_runner: bool = False
    fusable: bool = True
    holds_feeder: bool = True


MEMORY = Delivery("memory")
DISK = Delivery("disk", survives_runner=True)
LOSSY = Delivery("lossy", may_drop=True, fusable=False, holds_feeder=False)
DELIVERIES = {delivery.name: delivery for delivery in (MEMORY, DISK, LOSSY)}

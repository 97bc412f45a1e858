"""Which flow a request is about, by what it names."""

from __future__ import annotations

from typing import NamedTuple

from actors.messages import client_to_runner as api
from actors.messages.door_to_flow import ShowWhole
from actors.messages.gateway_to_flow import ReadTapLines


class HeldPlace(NamedTuple):
    """Where a held message waits."""

    flow: str
    module: str
    wire: str
    number: int


def held_place(held_id: str) -> HeldPlace | None:
    """The place of a held message; None if that cannot be its id."""
    place, _, number = held_id.rpartition("#")
    flow_id, _, rest = place.partition("/")
    module, _, wire = rest.partition("/")
    return HeldPlace(flow_id, module, wire, int(number)) if wire and number.isdigit() else None


def flow_of(request: api.Request) -> str:
    """The id of the flow that a request names. Raises ValueError with a sentence if it cannot name one."""
    match request:
        case api.EditHeld() | api.DropHeld() | api.ReleaseHeld():
            place = held_place(request.id)
            if place is None:
                raise ValueError(f"{request.id!r} is no id of a held message; listHeld has them")
            return place.flow
        case api.ReplayDeadLetter() | api.EditDeadLetter() | api.DropDeadLetter():
            return request.id.partition("/")[0]
        case api.ReadTap() | api.EndTap() | ReadTapLines():
            return request.tap_id.partition("/")[0]
        case api.Unsubscribe() | ShowWhole():
            return request.subscription_id.partition("/")[0]
    flow_module_id = getattr(request, "flow_module_id", None)
    if flow_module_id is not None and "/" not in flow_module_id:
        raise ValueError(f"{flow_module_id!r} is not of the form flow/module")
    flow_id: str = request.flow_id if flow_module_id is None else flow_module_id.partition("/")[0]  # type: ignore[attr-defined]
    return flow_id

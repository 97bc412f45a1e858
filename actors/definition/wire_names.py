"""The names of wires that no flow file has: to taps, from and to files, from the API and dead letters. Pure.

A wire of a flow file is `MODULE.PORT->MODULE.PORT`; a `place` is MODULE.PORT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.definition.ports import Side

_TAP = "->tap#"


def tap_wire(place: str, number: int) -> str:
    """To a tap at an out-port; no two of a runner have the same number."""
    return f"{place}{_TAP}{number}"


def is_tap(wire: str) -> bool:
    """Whether a wire leads to a tap: then it makes no difference to the flow."""
    return _TAP in wire


def end_wire(side: Side, place: str, time: int = 1) -> str:
    """From an `-i` ("in"), or to an `-o` ("out"); `time`: the how-manieth at this place."""
    number = "" if time == 1 else str(time)
    return f"-i{number}->{place}" if side == "in" else f"{place}->-o{number}"


def outside_wire(origin: str, place: str) -> str:
    """From what is no module: "api", "dead"."""
    return f"{origin}->{place}"


def is_sink(wire: str) -> bool:
    """Whether a wire leads to an `-o`."""
    return "->-o" in wire


def target_of(wire: str) -> tuple[str, str]:
    """The module and the in-port that a wire leads to, wherever it comes from."""
    module, _, port = wire.partition("->")[2].partition(".")
    return module, port

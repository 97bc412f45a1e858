"""The names of wires that no flow file has: to taps, from and to files, from the API and dead letters. Pure.

A wire of a flow file is `MODULE.PORT->MODULE.PORT`; a `place` is MODULE.PORT.
"""

from __future__ import annotations

_TAP = "->tap#"


def tap_wire(place: str, number: int) -> str:
    """To a tap."""
    return f"{place}{_TAP}{number}"


def is_tap(wire: str) -> bool:
    """Whether a wire leads to a tap: then it makes no difference to the flow."""
    return _TAP in wire


def feed_wire(place: str, time: int = 1) -> str:
    """From an `-i`; `time`: the how-manieth to this place."""
    return f"-i{'' if time == 1 else time}->{place}"


def sink_wire(place: str, time: int = 1) -> str:
    """To an `-o`; `time`: the how-manieth from this place."""
    return f"{place}->-o{'' if time == 1 else time}"


def outside_wire(origin: str, place: str) -> str:
    """From what is no module: "api", "dead"."""
    return f"{origin}->{place}"

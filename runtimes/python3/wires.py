"""Where what a module sends goes: a channel of the pipe, modules fused behind, or both."""

from __future__ import annotations

from .codec import HAS_COPIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Output = tuple["OutPort", bytes, Mapping[str, str] | None, int]
    """Where to, the JSON of the value, headers of its own, the index among the outputs of the call."""
    Outcome = tuple[list[Output], dict[str, Any], int, int]
    """What a handler has done: outputs, changes of the context, unwired outputs, bytes."""


class OutPort:
    """The wires of one out-port. `native`: a source's values for them are copied, not made JSON."""

    __slots__ = ("channel", "fused", "ids", "native", "port")

    def __init__(self, port: str, wiring: Mapping[str, Any]) -> None:
        self.port = port
        self.channel: int | None = wiring["channel"]
        self.ids: bool = wiring["ids"]
        self.fused: list[tuple[int, str, str]] = [tuple(target) for target in wiring["fused"]]
        self.native = HAS_COPIES and self.channel is None

"""What a flow is: frozen values. Knows nothing of files, YAML or processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from actors.definition.deliveries import MEMORY, Delivery


class FlowError(Exception):
    """A flow that cannot be taken; `problems` are whole sentences for the user, each with its place."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often a failing message, or a source, is tried again, and the seconds between tries."""

    times: int
    backoff_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One module of a flow. `name` is its file name (its id for inline code); `files` its siblings, name -> text."""

    id: str
    runtime: str
    name: str
    code: str
    files: dict[str, str] = field(default_factory=dict)
    config: Any = None
    dependencies: tuple[str, ...] = ()
    ports_in: tuple[str, ...] | None = None
    ports_out: tuple[str, ...] | None = None
    concurrency: int = 1
    isolated: bool = False
    optional: bool = False
    timeout_s: float | None = None
    retry: Retry | None = None
    restart: Retry | None = None
    background: bool = False
    runner: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)
    state_version: int = 1
    on_queued: str = "drain"
    window: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """`from_module.from_port -> to_module.to_port`: ordered, with a delivery class."""

    from_module: str
    from_port: str = "out"
    to_module: str
    to_port: str = "in"
    delivery: Delivery = MEMORY
    to_client: str | None = None

    @property
    def id(self) -> str:
        """The wire's name in messages, ids and errors."""
        return f"{self.from_module}.{self.from_port}->{self.to_module}.{self.to_port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowTest:
    """A test that a flow carries: messages to send and to expect, per `module.port`, and dead letters, per module.

    What is expected may have matchers in it (definition/matchers.py). `skip_waits`: pauses between tries are none.
    """

    name: str
    send: dict[str, list[Any]]
    expect: dict[str, Any]
    dead: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    timeout_s: float = 60.0
    skip_waits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A graph of modules, in the order of the file; `document` is what it was read from (for listFlows)."""

    id: str
    modules: dict[str, Module]
    wires: tuple[Wire, ...] = ()
    tests: tuple[FlowTest, ...] = ()
    durable: bool = False
    drain_timeout_s: float = 10.0
    step_timeout_s: float = 10.0
    max_turn_bytes: int = 16 << 20
    on_stuck: str = "abort"
    tracing: float | None = None  # the share of messages that is followed; None: none at all
    document: dict[str, Any] = field(default_factory=dict)

"""What the flow is told of one of its hosts: what it waits for, once."""

from __future__ import annotations

from typing import Any

from thespian.actors import ActorAddress

from actors.messages import bridge_to_flow as to_flow
from actors.system.port import Port


class Reports:
    """Of one host, from StartHost on. `title`: of the host, for people; `patient`: see ServeModules."""

    def __init__(self, port: Port, owner: ActorAddress, flow: str, key: str) -> None:
        self._port = port
        self._owner = owner
        self._flow, self._key = flow, key
        self.title = f"{flow}: the host {key}"
        self._waits_for = {"loaded"}
        self.patient = True

    def owe(self, what: str) -> None:
        """The flow waits for that: loaded, started, retired or removed."""
        self._waits_for.add(what)

    def owe_start(self, *, patient: bool) -> None:
        """The flow waits for `start` hooks; if it is patient, also for those of the host's next start."""
        self.owe("started")
        self.patient = patient

    def owes(self, what: str) -> bool:
        """Whether it still does."""
        return what in self._waits_for

    def settle(self, what: str, kind: type[Any], **fields: Any) -> None:
        """Tell it, if it waits for that."""
        if what in self._waits_for:
            self._waits_for.discard(what)
            self.tell(kind, **fields)

    def tell(self, kind: type[Any], **fields: Any) -> None:
        """Tell the flow, whether it waits for that or not."""
        self._port.send(self._owner, kind(flow=self._flow, key=self._key, **fields))

    def fail(self, errors: list[str]) -> None:
        """The host is given up; the flow will stop it."""
        self._waits_for -= {"loaded", "started"}
        self.tell(to_flow.HostFailed, errors=tuple(errors))

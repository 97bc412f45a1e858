"""What a runner sends spans with: the exporter, begun when a flow is the first to be followed."""

from __future__ import annotations

from collections.abc import Callable

from thespian.actors import ActorAddress

from actors.messages.exporter_to_runner import ExporterClosed
from actors.messages.to_exporter import CloseExporter, StartExporter
from actors.system.port import Port


class RunnerTraces:
    """Of one runner, for all its flows. `endpoint`: of the collector, None: as the environment says."""

    def __init__(self, port: Port, runner: str, endpoint: str | None) -> None:
        self._port, self._runner, self._endpoint = port, runner, endpoint
        self._exporter: ActorAddress | None = None
        self._closed: list[Callable[[], None]] = []

    def exporter(self) -> ActorAddress:
        """The one who takes spans, begun at the first call."""
        if self._exporter is None:
            from actors.telemetry.exporter import ExporterActor  # h11 and ssl: only where they are wanted

            self._exporter = self._port.createActor(ExporterActor)
            self._port.send(self._exporter, StartExporter(runner=self._runner, endpoint=self._endpoint))
        return self._exporter

    def close(self, closed: Callable[[], None]) -> None:
        """All flows have ended: what is left is sent, for a moment; then `closed` is called."""
        if self._exporter is None:
            closed()
            return
        self._closed.append(closed)
        if len(self._closed) == 1:
            self._port.send(self._exporter, CloseExporter())

    def receiveMsg_ExporterClosed(self, _message: ExporterClosed, _sender: ActorAddress) -> None:
        """Nothing more is sent."""
        waiting, self._closed = self._closed, []
        for closed in waiting:
            closed()

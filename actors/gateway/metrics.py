"""GET /metrics: the figures of all flows as Prometheus reads them. Pure.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from actors import __version__
from actors.state.latency import BOUNDARIES_S

TYPE = "text/plain; version=0.0.4; charset=utf-8"
Figures = dict[str, Any]


class _Metric(NamedTuple):
    name: str
    kind: str
    help: str
    value: Callable[[Figures], Any]


def _of(key: str) -> Callable[[Figures], Any]:
    return lambda figures: figures[key]


def _ms(key: str) -> Callable[[Figures], Any]:
    return lambda figures: figures[key] / 1000


MODULE = (
    _Metric("messages_accepted_total", "counter", "Messages that a module has taken.", _of("accepted")),
    _Metric("messages_completed_total", "counter", "Messages that are done.", _of("completed")),
    _Metric("messages_dropped_total", "counter", "Messages that lossy wires have dropped.", _of("dropped")),
    _Metric("messages_dead_lettered_total", "counter", "Messages that were given up.", _of("deadLettered")),
    _Metric("messages_sent_total", "counter", "Messages that have left a module.", _of("sent")),
    _Metric("errors_total", "counter", "Errors of a module.", _of("errors")),
    _Metric("busy_seconds_total", "counter", "Time that a module has spent on messages.", _ms("busyMs")),
    _Metric("mailbox_messages", "gauge", "Messages that wait or are being handled.", _of("queued")),
    _Metric("mailbox_bytes", "gauge", "What those are, encoded.", _of("mailboxBytes")),
    _Metric("context_bytes", "gauge", "The context of a module.", _of("contextBytes")),
)
HOST = (
    _Metric("starts_total", "counter", "How often a host was started.", _of("starts")),
    _Metric("resident_memory_bytes", "gauge", "Memory of a host.", lambda f: int(f["memoryMb"] * (1 << 20))),
    _Metric("cpu_seconds_total", "counter", "Processor time of a host.", _of("cpuS")),
)

SPANS = (
    ("runner_trace_spans_sent_total", "Spans of followed messages that the collector has taken.", "spansSent"),
    ("runner_trace_spans_dropped_total", "Spans that were left out.", "spansDropped"),
)


def metrics(states: list[Figures]) -> bytes:
    """The text; `states`: what flowState says of each flow."""
    lines = [*_family("runner_build_info", "gauge", "The version of the runner.", [({"version": __version__}, 1)])]
    modules = [
        ({"flow": state["id"], "module": name}, figures)
        for state in states for name, figures in state["modules"].items()
    ]  # fmt: skip
    hosts = [
        ({"flow": state["id"], "host": key}, figures) for state in states for key, figures in state["hosts"].items()
    ]
    running = [({"flow": state["id"]}, int(state["state"] == "running")) for state in states]
    lines += _family("runner_flow_running", "gauge", "Whether a flow runs.", running)
    pauses = [
        ({"flow": state["id"]}, state["lastPauseMs"] / 1000) for state in states if state["lastPauseMs"] is not None
    ]
    lines += _family("runner_update_pause_seconds", "gauge", "The longest pause by the last update.", pauses)
    updates = [({"flow": state["id"]}, state["version"] - 1) for state in states]
    lines += _family("runner_flow_updates_total", "counter", "Updates of a flow.", updates)
    letters = [({"flow": state["id"]}, state["deadLetters"]) for state in states]
    lines += _family("runner_flow_dead_letters", "gauge", "Dead letters that wait to be replayed.", letters)
    spans = [({"flow": state["id"]}, state["tracing"]) for state in states if state["tracing"]["share"] is not None]
    for name, help, key in SPANS:
        lines += _family(name, "counter", help, [(la, said[key]) for la, said in spans])
    about = [
        ({**labels, "runtime": figures["runtime"], "version": figures["version"]}, 1) for labels, figures in modules
    ]  # fmt: skip
    lines += _family("runner_module_info", "gauge", "What a module is.", about)
    lines += _families("runner_module_", MODULE, modules)
    help = "From the arrival of what a turn began with to its commit."
    lines += _histogram("runner_module_latency_seconds", help, modules)
    lines += _families("runner_host_", HOST, hosts)
    wires = [
        ({"flow": state["id"], "wire": wire}, figures) for state in states for wire, figures in state["wires"].items()
    ]  # fmt: skip
    came = [(labels, figures["messages"]) for labels, figures in wires if figures["messages"] is not None]
    lines += _family("runner_wire_messages_total", "counter", "Messages that came on a wire.", came)
    waiting = [(labels, figures["waiting"]) for labels, figures in wires]
    lines += _family("runner_wire_waiting_messages", "gauge", "Messages of a wire that wait or are handled.", waiting)
    return "".join(line + "\n" for line in lines).encode()


def _families(prefix: str, kinds: tuple[_Metric, ...], rows: list[tuple[dict[str, str], Figures]]) -> Iterable[str]:
    for name, kind, help, value in kinds:
        yield from _family(prefix + name, kind, help, [(labels, value(figures)) for labels, figures in rows])


def _family(name: str, kind: str, help: str, samples: list[tuple[dict[str, str], Any]]) -> Iterable[str]:
    if samples:
        yield f"# HELP {name} {help}"
        yield f"# TYPE {name} {kind}"
    for labels, value in samples:
        yield _sample(name, labels, value)


def _histogram(name: str, help: str, rows: list[tuple[dict[str, str], Figures]]) -> Iterable[str]:
    if rows:
        yield f"# HELP {name} {help}"
        yield f"# TYPE {name} histogram"
    for labels, figures in rows:
        counts = figures["latencyCounts"]
        for le, count in zip((*BOUNDARIES_S, "+Inf"), counts, strict=True):
            yield _sample(f"{name}_bucket", {**labels, "le": str(le)}, count)
        yield _sample(f"{name}_sum", labels, figures["latencySumMs"] / 1000)
        yield _sample(f"{name}_count", labels, counts[-1])


def _sample(name: str, labels: dict[str, str], value: Any) -> str:
    told = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{told}}} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")

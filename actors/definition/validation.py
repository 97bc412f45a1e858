"""Checks a flow document and makes the Flow of it: the server's side. Reads no file, opens nothing.

The shape of every field is checked by the schema; here is what a field means next to the others. A part that
has the wrong shape is named once and then left out, so that one mistake gives one sentence.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from actors.definition.catalogue import with_shipped
from actors.definition.deliveries import DELIVERIES, MEMORY
from actors.definition.durability import spread
from actors.definition.hosting import crowded
from actors.definition.matchers import matcher_problems, port_problems
from actors.definition.model import Flow, FlowError, FlowTest, Module, Retry, Wire
from actors.definition.places import FieldPath, Places, cut, dotted, nearest, no_runtime
from actors.definition.ports import Side, port_problem
from actors.definition.references import reference_problems
from actors.definition.schema import Problem, flow_schema, json_problems, schema_problems

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

MAX_PROBLEMS = 20
MAX_SOURCE_BYTES = 16 << 20
FLOW_SETTINGS = {field.name for field in fields(Flow)} - {"id", "modules", "wires", "tests", "document"}
MODULE_SETTINGS = {field.name for field in fields(Module)} - {"id", "name", "files", "dependencies", "retry", "restart"}


def check_flow(document: Any, places: Places | None = None, runtimes: Collection[str] | None = None) -> Flow:
    """The flow that a document describes, or a FlowError with every problem found.

    `places` puts `file:line:column` before each problem. `runtimes` are the known ones; None takes any name.
    """
    problems = list(json_problems(document))
    if not problems:
        document, problems = with_shipped(document)
    problems += [*schema_problems(document, flow_schema()), *_lacking(document)]
    parts = _Parts(document, {problem.path[:2] for problem in problems})
    problems += parts.problems(runtimes)
    if problems:
        raise FlowError(_sentences(problems, places))
    settings = {name: document[name] for name in FLOW_SETTINGS & document.keys()}
    if "tracing" in settings:
        settings["tracing"] = _traced(settings["tracing"])
    flow = Flow(
        id=document["id"],
        modules=parts.modules,
        wires=tuple(parts.wires.values()),
        tests=tuple(parts.tests.values()),
        document=document,
        **settings,
    )
    path: FieldPath = ("modules",)
    crowds = [Problem(path, f"{dotted(path)}: {sentence}.") for sentence in crowded(flow)]
    if crowds:
        raise FlowError(_sentences(crowds, places))
    return flow


def _lacking(document: Any) -> Iterator[Problem]:
    """Modules without a runtime: neither they nor what they `use` names one."""
    for module_id, raw in _of(dict, _of(dict, document).get("modules")).items():
        if isinstance(raw, dict) and isinstance(module_id, str) and not raw.keys() & {"runtime", "use"}:
            path: FieldPath = ("modules", module_id)
            yield Problem(path, f"{dotted(path)} lacks the field `runtime`.")


def _traced(said: bool | float) -> float | None:
    """The share of messages that is followed. 0 is not false: what comes with a sampled `traceparent` is followed."""
    return None if said is False else float(said)


def _sentences(problems: list[Problem], places: Places | None) -> list[str]:
    if places is not None:
        problems = sorted(problems, key=lambda problem: places.position(problem.path))
    sentences = [
        problem.text if places is None else f"{places.at(problem.path)}: {problem.text}" for problem in problems
    ]
    sentences = list(dict.fromkeys(sentences))
    if len(sentences) > MAX_PROBLEMS:
        sentences[MAX_PROBLEMS:] = [f"... and {len(sentences) - MAX_PROBLEMS} more."]
    return sentences


class _Parts:
    """The modules, wires and tests of a document that have the right shape, by their id or index."""

    def __init__(self, document: Any, broken: set[FieldPath]) -> None:
        document = document if isinstance(document, dict) else {}
        modules = _of(dict, document.get("modules"))
        self.raw_modules = {id: raw for id, raw in modules.items() if isinstance(id, str)}
        self.modules = {id: _module(id, raw) for id, raw in self.raw_modules.items() if ("modules", id) not in broken}
        wires = _well_formed("wires", document, broken, _wire)
        self.classed = {at for at in wires if isinstance(raw := document["wires"][at], dict) and "delivery" in raw}
        self.wires, self.behind = spread(wires, self.classed, self.modules, document.get("durable") is True)
        self.tests = _well_formed("tests", document, broken, _test)
        self.raw_tests = document.get("tests", [])

    def problems(self, runtimes: Collection[str] | None) -> Iterator[Problem]:
        for module_id, raw in self.raw_modules.items():
            path: FieldPath = ("modules", module_id)
            if isinstance(raw, dict):
                yield from _runtime_problems(path, raw.get("runtime"), runtimes)
                yield from _source_problems(path, raw) if "use" not in raw else ()
                yield from reference_problems(path, raw)
            if module_id in self.modules:
                yield from _module_problems(path, self.modules[module_id])
        first: dict[str, int] = {}
        for index, wire in self.wires.items():
            path = ("wires", index)
            yield from self._wire_problems(path, wire)
            if first.setdefault(wire.id, index) != index:
                yield Problem(
                    path, f"{dotted(path)} repeats {dotted(('wires', first[wire.id]))} ({wire.id}); remove one."
                )
        for index in sorted(self.classed & self.behind.keys()):
            path = ("wires", index, "delivery")
            text = f"`memory` would lose what {self.behind[index].id}, which is `disk`, keeps; leave it out"
            yield Problem(path, f"{dotted(path)}: {text}, or say `disk` or `lossy`.")
        names: dict[str, int] = {}
        for index, test in self.tests.items():
            yield from self._test_problems(("tests", index), test)
            if names.setdefault(test.name, index) != index:
                yield Problem(
                    ("tests", index, "name"),
                    f"{dotted(('tests', index))} has the name of another test, {cut(test.name)!r}.",
                )

    def _wire_problems(self, path: FieldPath, wire: Wire) -> Iterator[Problem]:
        yield from self._endpoint_problems(path, "out", wire.from_module, wire.from_port)
        yield from self._endpoint_problems(path, "in", wire.to_module, wire.to_port)
        target = self.modules.get(wire.to_module)
        if wire.to_client is not None and target is not None and target.runtime != "browser":
            text = f"is only for wires to a browser module, and {target.id!r} runs in {target.runtime}."
            yield Problem((*path, "to_client"), f"{dotted((*path, 'to_client'))} {text}")

    def _test_problems(self, path: FieldPath, test: FlowTest) -> Iterator[Problem]:
        sides: list[tuple[str, Side, Any]] = [("send", "in", test.send), ("expect", "out", test.expect)]
        for field, side, ports in sides:
            for endpoint in ports:
                module_id, port = endpoint.split(".")
                yield from self._endpoint_problems((*path, field, endpoint), side, module_id, port)
        for module_id in test.dead:
            if module_id not in self.raw_modules:
                where = (*path, "dead", module_id)
                text = f"there is no module {module_id!r}; {nearest(module_id, self.raw_modules)}"
                yield Problem(where, f"{dotted(where)}: {text}")
        raw = self.raw_tests[path[1]]
        found = [(("expect", place), port_problems(its, ())) for place, its in raw["expect"].items()]
        found += [(("dead", module), matcher_problems(letters, ())) for module, letters in test.dead.items()]
        for field_path, problems in found:
            for inner, text in problems:
                where = (*path, *field_path, *inner)
                yield Problem(where, f"{dotted(where)}: {text}")

    def _endpoint_problems(self, path: FieldPath, side: Side, module_id: str, port: str) -> Iterator[Problem]:
        if module_id not in self.raw_modules:
            yield Problem(
                path, f"{dotted(path)}: there is no module {module_id!r}; {nearest(module_id, self.raw_modules)}"
            )
        elif module_id in self.modules:
            text = port_problem(self.modules[module_id], side, port)
            if text is not None:
                yield Problem(path, f"{dotted(path)}: {text}")


def _source_problems(path: FieldPath, raw: dict[str, Any]) -> Iterator[Problem]:
    """A module has one source, as text: what is a path here, the client did not read."""
    if "file" in raw and "code" in raw:
        yield Problem((*path, "file"), f"{dotted(path)} has both `file` and `code`; keep one.")
    elif "file" in raw:
        yield Problem((*path, "file"), f"{dotted(path)}: a runner reads no files; send the text of `file` as `code`.")
    elif "code" not in raw:
        yield Problem(path, f"{dotted(path)} has no source; give it `file` (a path) or `code` (the text).")
    if raw.get("files") and isinstance(raw["files"], list):
        text = f"{dotted((*path, 'files'))}: a runner reads no files; send a mapping of name to text."
        yield Problem((*path, "files"), text)


def _runtime_problems(path: FieldPath, runtime: Any, known: Collection[str] | None) -> Iterator[Problem]:
    if known is not None and isinstance(runtime, str) and runtime not in known:
        yield Problem((*path, "runtime"), f"{dotted((*path, 'runtime'))}: {no_runtime(runtime, known)}")


def _module_problems(path: FieldPath, module: Module) -> Iterator[Problem]:
    if module.retry is not None and module.concurrency > 1:
        text = "a retry keeps the order of messages, which `concurrency` above 1 gives up; choose one."
        yield Problem((*path, "retry"), f"{dotted((*path, 'retry'))}: {text}")
    if module.window and module.runtime != "browser":
        text = f"is only for the runtime browser, and {module.id!r} runs in {module.runtime}."
        yield Problem((*path, "window"), f"{dotted((*path, 'window'))} {text}")
    size = sum(len(text.encode()) for text in (module.code, *module.files.values()))
    if size > MAX_SOURCE_BYTES:
        yield Problem(path, f"{dotted(path)} has {size} bytes of source; at most {MAX_SOURCE_BYTES} are taken.")


def _module(id: str, raw: dict[str, Any]) -> Module:
    ports, files = raw.get("ports", {}), raw.get("files", {})
    return Module(
        id=id,
        name=raw.get("name", id),
        files=files if isinstance(files, dict) else {},
        dependencies=tuple(raw.get("dependencies", ())),
        ports_in=tuple(ports["in"]) if "in" in ports else None,
        ports_out=tuple(ports["out"]) if "out" in ports else None,
        retry=Retry(**raw["retry"]) if raw.get("retry", {}).get("times") else None,
        restart=Retry(**raw["restart"]) if "restart" in raw else None,
        **{"code": "", **{name: raw[name] for name in MODULE_SETTINGS & raw.keys()}},
    )


def _wire(raw: str | dict[str, Any]) -> Wire:
    if isinstance(raw, str):
        source, _, target = raw.partition("->")
        raw = {"from": source.strip(), "to": target.strip()}
    from_module, from_port = _endpoint(raw["from"], "out")
    to_module, to_port = _endpoint(raw["to"], "in")
    delivery = DELIVERIES[raw.get("delivery", MEMORY.name)]
    rest = {"to_client": raw["to_client"]} if "to_client" in raw else {}
    return Wire(
        from_module=from_module, from_port=from_port, to_module=to_module, to_port=to_port, delivery=delivery, **rest
    )


def _test(raw: dict[str, Any]) -> FlowTest:
    rest = {name: raw[name] for name in ("dead", "timeout_s", "skip_waits") if name in raw}
    return FlowTest(name=raw["name"], send=_per_port(raw["send"], "in"), expect=_per_port(raw["expect"], "out"), **rest)


def _per_port(raw: dict[str, Any], port: str) -> dict[str, Any]:
    """The messages by `module.port`; `a` and `a.in` are the same port."""
    result: dict[str, Any] = {}
    for name, messages in raw.items():
        endpoint = ".".join(_endpoint(name, port))
        both = isinstance(result.get(endpoint), list) and isinstance(messages, list)
        result[endpoint] = result[endpoint] + messages if both else messages
    return result


def _endpoint(text: str, port: str) -> tuple[str, str]:
    module_id, _, given = text.partition(".")
    return module_id, given or port


def _of(kind: type, value: Any) -> Any:
    return value if isinstance(value, kind) else kind()


def _well_formed(name: str, document: dict[str, Any], broken: set[FieldPath], make: Callable[[Any], Any]) -> Any:
    """The items of a list by index, without the broken ones; none if there are no modules to refer to."""
    items = _of(list, document.get(name)) if isinstance(document.get("modules"), dict) else []
    return {index: make(item) for index, item in enumerate(items) if (name, index) not in broken}

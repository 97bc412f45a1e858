"""Which runner has which module of a flow, when there are several. Pure.

Browser modules of a flow are on one runner: a page that has joined is in one place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType

from actors.definition.graph import PAGES
from actors.definition.model import Flow
from actors.definition.places import FieldPath, cut, dotted, nearest
from actors.definition.schema import Problem

AUTO, REST = "auto", "*"
Offers = Mapping[str, Collection[str]]  # runner -> its runtimes


def place_problems(flow: Flow, wanted: Mapping[str, str], offers: Offers, path: FieldPath) -> Iterator[Problem]:
    """What cannot be of `wanted`, which stands at `path`: module, or `*` for the rest -> runner, or `auto`."""
    for module, runner in wanted.items():
        where = (*path, module)
        if module not in (*flow.modules, REST):
            yield Problem(where, f"{flow.id} has no module {cut(module)!r}; {nearest(module, flow.modules)}")
        elif runner not in (*offers, AUTO):
            yield Problem(where, f"{dotted(where)}: there is no runner {cut(runner)!r}; {nearest(runner, offers)}")
        elif module != REST and runner != AUTO and flow.modules[module].runtime not in offers[runner]:
            yield _not_offered(where, runner, flow.modules[module].runtime, offers)


def module_problems(flow: Flow, wanted: Mapping[str, str], offers: Offers) -> Iterator[Problem]:
    """What cannot be of the `runner` of modules, in the flow file, as far as `wanted` does not say otherwise."""
    for name, module in flow.modules.items():
        where: FieldPath = ("modules", name, "runner")
        if module.runner is not None and name not in wanted and module.runner not in (*offers, AUTO):
            text = f"there is no runner {cut(module.runner)!r}; {nearest(module.runner, offers)}"
            yield Problem(where, f"{dotted(where)}: {text}")
        elif _runner_of(flow, name, wanted) == AUTO and not _able(module.runtime, offers):
            text = f"no runner of the deployment offers {module.runtime}"
            yield Problem(("modules", name, "runtime"), f"{dotted(('modules', name, 'runtime'))}: {text}.")
        elif name not in wanted and (runner := module.runner or AUTO) != AUTO and module.runtime not in offers[runner]:
            yield _not_offered(where, runner, module.runtime, offers)
    said = {name: runner for name in pages_of(flow) if (runner := _runner_of(flow, name, wanted)) != AUTO}
    for name, runner in said.items():
        other = next(iter(said))
        if runner != said[other]:
            where = ("modules", name, "runner")
            text = f"{name} cannot be on {cut(runner)} and {other} on {cut(said[other])}"
            yield Problem(where, f"{dotted(where)}: the browser modules of a flow are on one runner: {text}.")


def pages_of(flow: Flow) -> list[str]:
    """The ids of the browser modules."""
    return [name for name, module in flow.modules.items() if module.runtime == PAGES]


def _not_offered(where: FieldPath, runner: str, runtime: str, offers: Offers) -> Problem:
    able = _able(runtime, offers)
    which = f"these do: {', '.join(able)}" if able else "none does"
    return Problem(where, f"{dotted(where)}: the runner {runner} does not offer {runtime}; {which}.")


def placed(
    flow: Flow, wanted: Mapping[str, str], offers: Offers, before: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """Module -> runner, when there are no problems. `auto`: of the runners with its runtime the one that has the least,
    unless one that has it `before` can keep it.

    It depends on nothing but these: a runner that starts again gets what it had.
    """
    said = {name: runner for name in flow.modules if (runner := _runner_of(flow, name, wanted)) != AUTO}
    stay = {
        name: runner for name, runner in before.items()
        if name in flow.modules and runner in _able(flow.modules[name].runtime, offers)
    }  # fmt: skip
    found, pages = stay | said, pages_of(flow)
    if place := next((places[name] for places in (said, stay) for name in pages if name in places), None):
        found |= dict.fromkeys(pages, place)
    load = Counter(found.values())
    for name, module in flow.modules.items():
        if name not in found:
            runner = min(_able(module.runtime, offers), key=lambda runner: load[runner])
            names = pages if name in pages else [name]
            found |= dict.fromkeys(names, runner)
            load[runner] += len(names)
    return {name: found[name] for name in flow.modules}


def _runner_of(flow: Flow, module: str, wanted: Mapping[str, str]) -> str:
    return wanted.get(module) or flow.modules[module].runner or wanted.get(REST, AUTO)


def _able(runtime: str, offers: Offers) -> list[str]:
    return [runner for runner, runtimes in offers.items() if runtime in runtimes]

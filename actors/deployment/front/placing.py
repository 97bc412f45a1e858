"""Which runner gets which module of a flow: an update moves nothing by itself, but what the flow says is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.definition.graph import PAGES
from actors.definition.model import Flow, FlowError
from actors.definition.placement import AUTO, module_problems, pages_of, placed
from actors.definition.places import MAX_NAME, cut, listed, nearest
from actors.definition.validation import check_flow
from actors.deployment.desired import DesiredFlow
from actors.deployment.front.answers import RefusedError
from runtimes.manifest import Runtime


class Placing:
    """Of a deployment; `offers`: runner -> its runtimes, None: all of `runtimes`; `drained`: those that nothing is
    placed on by itself, which changes.
    """

    def __init__(
        self, offers: Mapping[str, tuple[str, ...] | None], runtimes: Mapping[str, Runtime], drained: set[str]
    ) -> None:
        self.drained = drained
        self._known = runtimes
        self._offers: dict[str, tuple[str, ...]] = {}
        for name, some in offers.items():
            self.offer(name, some)

    # the runners ---------------------------------------------------------------------------------------------------

    def offer(self, name: str, runtimes: tuple[str, ...] | None) -> None:
        """A runner has these, from now on; None: all."""
        self._offers[name] = tuple(self._known) if runtimes is None else runtimes

    def withdraw(self, name: str) -> tuple[str, ...]:
        """Nothing can be placed there any more; returns what it has offered."""
        return self._offers.pop(name)

    def common(self, offers: tuple[str, ...], runtimes: tuple[str, ...] | None) -> tuple[str, ...]:
        """What is in both."""
        return tuple(one for one in offers if runtimes is None or one in runtimes)

    @property
    def _runtimes(self) -> dict[str, Runtime]:
        return {id: it for id, it in self._known.items() if any(id in some for some in self._offers.values())}

    # the modules ---------------------------------------------------------------------------------------------------

    def placed(self, document: dict[str, Any], known: DesiredFlow | None) -> dict[str, Any]:
        """The document with a `runner` at each module. Raises RefusedError if that cannot be."""
        try:
            flow = check_flow(document, runtimes=self._runtimes)
            document = flow.document
            if wrong := [problem.text for problem in module_problems(flow, {}, self._offers)]:
                raise FlowError(wrong)
        except FlowError as error:
            raise RefusedError(str(error), error.problems) from None
        stays = self._staying(flow, known)
        runners = self._filled(flow, stays)
        was = known.document["modules"] if known is not None else {}
        for name, runner in runners.items():
            before = was.get(name, {"runner": runner})
            if before["runner"] != runner and before["runtime"] not in self._offers[runner]:
                both = f"move to {runner} and become {flow.modules[name].runtime} at once"
                raise RefusedError(f"{flow.id}/{name} cannot {both}: {runner} does not offer {before['runtime']}")
        modules = {name: {**module, "runner": runners[name]} for name, module in document["modules"].items()}
        return {**document, "modules": modules}

    def _filled(self, flow: Flow, stays: Mapping[str, str]) -> dict[str, str]:
        """A runner for each module; `auto` is none that is drained."""
        offers = {name: some for name, some in self._offers.items() if name not in self.drained}
        for name, module in flow.modules.items():
            is_auto = stays.get(name, module.runner) in (None, AUTO)
            if is_auto and not any(module.runtime in some for some in offers.values()):
                raise RefusedError(
                    f"{flow.id}/{name}: no runner offers {module.runtime} but {listed(self.drained)} (drained)"
                )
        return placed(flow, stays, offers)

    def moved(self, flow: DesiredFlow, module: str, runner: str) -> DesiredFlow:
        """The flow with a module on that runner; all browser modules go together. Raises RefusedError if that cannot
        be.
        """
        if runner not in self._offers:
            raise RefusedError(f"there is no runner {cut(runner)!r}; {nearest(runner[:MAX_NAME], self._offers)}")
        name, runtime = f"{flow.id}/{module}", flow.document["modules"][module]["runtime"]
        if flow.places[module] == runner:
            raise RefusedError(f"{name} is on {runner} already")
        if runtime not in self._offers[runner]:
            able = listed(one for one, some in self._offers.items() if runtime in some)
            raise RefusedError(f"{name} cannot be on {runner}, which does not offer {runtime}; these do: {able}")
        modules = flow.document["modules"]
        together = [name for name in modules if modules[name]["runtime"] == runtime] if runtime == PAGES else [module]
        return flow.moved(dict.fromkeys(together, runner))

    def emptied(self, flow: DesiredFlow, runner: str) -> DesiredFlow:
        """The flow without anything on that runner, which is drained. Raises RefusedError if something cannot leave."""
        return self._without(flow, runner, [name for name, place in flow.places.items() if place == runner])

    def fitting(self, flow: DesiredFlow, runner: str) -> DesiredFlow:
        """The flow without what that runner does not offer any more. Raises RefusedError if something cannot leave."""
        modules, offered = flow.document["modules"], self._offers[runner]
        leaving = [name for name, one in modules.items() if one["runner"] == runner and one["runtime"] not in offered]
        return self._without(flow, runner, leaving)

    def _without(self, flow: DesiredFlow, runner: str, leaving: list[str]) -> DesiredFlow:
        for name in leaving:
            runtime = flow.document["modules"][name]["runtime"]
            if not any(runtime in some for one, some in self._offers.items() if one not in self.drained):
                drained = ", or it is drained, too" if self.drained - {runner} else ""
                others = f"no other runner offers {runtime}{drained}"
                raise RefusedError(f"{flow.id}/{name} cannot leave {runner}: {others}")
        if not leaving:
            return flow
        checked = check_flow(flow.document, runtimes=self._known)
        stays = {name: AUTO if name in leaving else place for name, place in flow.places.items()}
        return flow.moved(self._filled(checked, stays))

    def _staying(self, flow: Flow, known: DesiredFlow | None) -> dict[str, str]:
        """Where modules are already, unless the flow says something else, or they cannot be there any more. Browser
        modules stay together.
        """
        if known is None:
            return {}
        stays = {
            name: runner for name, runner in known.places.items()
            if name in flow.modules and flow.modules[name].runner in (None, AUTO)
            and flow.modules[name].runtime in self._offers.get(runner, ())
        }  # fmt: skip
        pages = pages_of(flow)
        were = [name for name in pages if name in stays and known.document["modules"][name]["runtime"] == PAGES]
        is_said = any(flow.modules[name].runner not in (None, AUTO) for name in pages)
        return {name: stays[name] for name in stays if name not in pages or (name in were and not is_said)}

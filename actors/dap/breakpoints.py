"""The breakpoints of an editor, kept equal to those of the flow."""

from __future__ import annotations

from typing import Any, NamedTuple

from actors.dap.places import Places
from actors.dap.target import DapError, Target


class _Wanted(NamedTuple):
    when: str | None
    log: bool


class Breakpoints:
    """Of one session; a module has one at most, whichever source of breakpoints names it."""

    def __init__(self) -> None:
        self._by_source: dict[str, dict[str, _Wanted]] = {}  # source -> module -> how
        self._set: dict[str, _Wanted] = {}  # as the flow has them
        self._ids: dict[str, int] = {}  # of modules

    def id_of(self, module: str) -> int:
        """A breakpoint's number, the same for as long as the session lasts."""
        return self._ids.setdefault(module, len(self._ids) + 1)

    def at_lines(self, target: Target, source: dict[str, Any], wanted: list[Any]) -> list[dict[str, Any]]:
        """All of a file: those that it had and that are not here are taken away."""
        path = source.get("path") if isinstance(source.get("path"), str) else None
        found: list[tuple[str | None, str, dict[str, Any]]] = []
        for one in wanted:
            line = one.get("line")
            module = target.places.module_at(path, line) if isinstance(line, int) else None
            found.append((module, f"no module of {target.flow_id} stands at this line", one))
        return self._replace(target, f"file {path}", found, target.places, path)

    def by_name(self, target: Target, wanted: list[Any]) -> list[dict[str, Any]]:
        """Function breakpoints: the functions are the modules."""
        known = target.places.names
        found: list[tuple[str | None, str, dict[str, Any]]] = []
        for one in wanted:
            name = str(one.get("name", "")).removeprefix(f"{target.flow_id}/")
            there = f"{target.flow_id} has no module {name!r}; there are {', '.join(sorted(known))}"
            found.append((name if name in known else None, there, one))
        return self._replace(target, "names", found, target.places, None)

    def _replace(
        self, target: Target, source: str, found: list[tuple[str | None, str, dict[str, Any]]], places: Places,
        path: str | None,
    ) -> list[dict[str, Any]]:  # fmt: skip
        now: dict[str, _Wanted] = {}
        problems: dict[str, str] = {}
        for module, _, one in found:
            if module is not None:
                now[module] = _Wanted(one.get("condition") or None, bool(one.get("logMessage")))
                if one.get("hitCondition"):
                    problems[module] = "a hit count is not understood; a condition may use context"
        self._by_source[source] = now
        problems |= self._agree(target)
        answers = []
        for module, nothing, one in found:
            if module is None:
                answers.append({"verified": False, "message": nothing, "line": one.get("line", 1)})
                continue
            its: dict[str, Any] = {"id": self.id_of(module), "verified": module not in problems}
            if path is None or places.is_flow(path):
                its["line"] = places.line_of(module)
            else:
                its["line"] = one.get("line")
            answers.append(its | ({"message": problems[module]} if module in problems else {}))
        return answers

    def _agree(self, target: Target) -> dict[str, str]:
        """Let the flow have what is wanted; what it refuses, by module."""
        wanted: dict[str, _Wanted] = {}
        for of_source in self._by_source.values():
            wanted |= of_source
        problems = {}
        for module in self._set.keys() - wanted.keys():
            target.call("removeBreakPointAtModule", flowModuleId=f"{target.flow_id}/{module}")
            del self._set[module]
        for module, how in wanted.items():
            if self._set.get(module) == how:
                continue
            try:
                target.call(
                    "setBreakPointAtModule", flowModuleId=f"{target.flow_id}/{module}", when=how.when, log=how.log
                )
                self._set[module] = how
            except DapError as error:
                problems[module] = str(error)
        return problems

    def remove_all(self, target: Target) -> None:
        """The session ends: what it has set goes."""
        self._by_source.clear()
        self._agree(target)

"""What another version of a module makes of the same messages, beside what the running one made of them. Pure.

Messages come in the units in which the running version has committed them: of a unit it is known what it has sent on
each port, not which message has sent it. That the running version says itself, done once more beside the new one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from actors.state.segment import Handled
from actors.state.shown import View

MAX_DIFFERENCES = 100  # that are shown; all are counted
Outputs = Mapping[str, Sequence[bytes]]


@dataclass(slots=True)
class Played:
    """What a message has come to: port -> outputs, encoded, and the error, placed."""

    outputs: Outputs
    error: dict[str, Any] | None = None


@dataclass(slots=True)
class Unit:
    """Messages that were committed at once: what was sent by all of them, as far as it was seen; index -> error."""

    inputs: Sequence[Handled]
    sent: Outputs = field(default_factory=dict)
    errors: Mapping[int, dict[str, Any]] = field(default_factory=dict)
    is_known: bool = True  # else only the running version, done once more, is there to compare with


class Comparison:
    """`ports`: those on which it is seen what the running version sends; `most`: messages that count; `shows_all`: also
    what does not differ.
    """

    def __init__(self, ports: frozenset[str], most: int, shows_all: bool = False) -> None:
        self._ports, self._most = ports, most
        self.results: list[dict[str, Any]] | None = [] if shows_all else None
        self._view = View()
        self.each: list[str] = []  # same, different, error: by message
        self.unsteady = 0  # messages of which the running version, done once more, makes something else itself
        self.unclear = 0  # messages that could not be told apart
        self.by_port: dict[str, Counter[str]] = {}
        self.differences: list[dict[str, Any]] = []

    @property
    def count(self) -> int:
        """How many messages have been compared so far."""
        return len(self.each) + self.unclear

    def add(self, unit: Unit, again: Sequence[Played], new: Sequence[Played]) -> None:
        """What a unit has come to: what the running version made of it once more, and what the new one did."""
        rest = self._most - self.count
        before = list(again)
        if unit.is_known:
            counts = next((some for some in (again, new) if self._fits(unit, some)), None)
            if counts is None:
                self.unclear += min(len(unit.inputs), rest)
                return
            before = list(self._parted(unit, counts, again))
        for index in range(min(len(new), rest)):
            self._compare(unit.inputs[index], before[index], again[index], new[index])

    def _fits(self, unit: Unit, some: Sequence[Played]) -> bool:
        """Whether it is known from these which message has sent what."""
        if len(unit.inputs) == 1:
            return True
        return all(
            sum(len(one.outputs.get(port, ())) for one in some) == len(unit.sent.get(port, ())) for port in self._ports
        )

    def _parted(self, unit: Unit, counts: Sequence[Played], again: Sequence[Played]) -> Iterator[Played]:
        at: Counter[str] = Counter()
        for index, one in enumerate(again):
            outputs = {port: its for port, its in one.outputs.items() if port not in self._ports}
            for port in self._ports:
                sent = unit.sent.get(port, ())
                count = len(sent) if len(unit.inputs) == 1 else len(counts[index].outputs.get(port, ()))
                outputs[port] = sent[at[port] : at[port] + count]
                at[port] += count
            yield Played(outputs, unit.errors.get(index))

    def _compare(self, given: Handled, before: Played, again: Played, after: Played) -> None:
        ports = before.outputs.keys() | after.outputs.keys()
        differ = {p for p in ports if not _same(before.outputs.get(p, ()), after.outputs.get(p, ()))}
        for port in ports:
            if before.outputs.get(port) or after.outputs.get(port):
                self.by_port.setdefault(port, Counter())["different" if port in differ else "same"] += 1
        if self.results is not None:
            self.results.append(self._row(given, before, after, ports))
        failed = after.error is not None and not _same_error(before.error, after.error)
        if not differ and _same_error(before.error, after.error):
            self.each.append("same")
            return
        self.each.append("error" if failed else "different")
        steady = _same_error(before.error, again.error) and all(
            _same(before.outputs.get(port, ()), again.outputs.get(port, ())) for port in ports | again.outputs.keys()
        )
        self.unsteady += not steady
        if len(self.differences) < MAX_DIFFERENCES:
            row = {"number": len(self.each), **self._row(given, before, after, differ)}
            self.differences.append(row if steady else row | {"unsteady": True})

    def _row(self, given: Handled, before: Played, after: Played, ports: Set[str]) -> dict[str, Any]:
        _, port, message, headers = given
        row: dict[str, Any] = {"port": port, **self._view.message(message, headers)}
        for name, side in (("before", before), ("after", after)):
            row[name] = {p: [self._view.value(one) for one in side.outputs.get(p, ())] for p in sorted(ports)}
        for name, error in (("errorBefore", before.error), ("error", after.error)):
            if error is not None:
                row[name] = error
        return row

    def contexts(self, before: Mapping[bytes, bytes], after: Mapping[bytes, bytes]) -> dict[str, Any]:
        """The keys that differ at the end."""
        found = {}
        for key in sorted(before.keys() | after.keys()):
            values = {
                name: self._view.value(its[key]) for name, its in (("before", before), ("after", after)) if key in its
            }
            if len(values) < 2 or not _same([before[key]], [after[key]]):
                found[key.decode(errors="backslashreplace")] = values
        return found

    def summary(self) -> dict[str, Any]:
        """What was found, as shadowModule answers it."""
        kinds = Counter(self.each)
        return {
            "messages": self.count, "same": kinds["same"], "different": kinds["different"], "errors": kinds["error"],
            "unclear": self.unclear, "unsteady": self.unsteady,
            "ports": {port: {"same": n["same"], "different": n["different"]} for port, n in self.by_port.items()},
            "differences": self.differences, **({} if self.results is None else {"results": self.results}),
        }  # fmt: skip

    def words(self) -> str:
        """The same in a line."""
        kinds = Counter(self.each)
        said = [f"{kinds['same']:,} the same"]
        said += [f"{kinds['different']:,} differ"] if kinds["different"] else []
        said += [f"{kinds['error']:,} fail"] if kinds["error"] else []
        return f"{self.count:,} of {self._most:,} messages: {', '.join(said)}"


def _same(left: Sequence[bytes], right: Sequence[bytes]) -> bool:
    """Whether they are the same JSON values."""
    if len(left) != len(right):
        return False
    if all(one == other for one, other in zip(left, right, strict=True)):
        return True
    from runtimes.conformance.values import equal, parse  # takes 0.1 s to import

    try:
        return all(one == other or equal(parse(one), parse(other)) for one, other in zip(left, right, strict=True))
    except (ValueError, RecursionError):
        return False


def _same_error(left: dict[str, Any] | None, right: dict[str, Any] | None) -> bool:
    if left is None or right is None:
        return left is right
    return (left["type"], left["message"]) == (right["type"], right["message"])

"""After the chaos: has everything that was accepted arrived, once, in order, unchanged, and is every account true?"""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any

from actors.chaos.swarm.chaos import Chaos
from actors.chaos.swarm.flow import FLOW, Expectation, RandomFlow
from actors.chaos.swarm.kinds import Message
from actors.chaos.swarm.subject import CALL_TIMEOUT_S, Subject

SETTLE_TIMEOUT_S, STUCK_S = 60.0, 15.0
QUIET_S = 5.0  # longer than any freeze: who has lost something does not know what will not come
_AT_WILL = ("versions", "count", "headers_kept")  # what a module adds that the model does not say


def settle(subject: Subject, expected: Expectation) -> list[str]:
    """Wait until everything has been handled, or nothing moves any more."""
    before, since = None, time.monotonic()
    deadline = since + SETTLE_TIMEOUT_S
    while time.monotonic() < deadline:
        rows = subject.audit()
        arrived = all(name in rows and rows[name]["accepted"] >= count for name, count in expected.arrived.items())
        if rows != before:
            before, since = rows, time.monotonic()
        quiet = subject.mode == "mortal" and time.monotonic() - since > QUIET_S
        if (arrived or quiet) and not any(row["queued"] for row in rows.values()):
            return []
        if time.monotonic() - since > STUCK_S:
            break
        time.sleep(0.1)
    rows = subject.audit()
    left = {name: row for name, row in rows.items() if row["queued"] or row["accepted"] < expected.arrived.get(name, 0)}
    wanted = {name: expected.arrived.get(name, 0) for name in left}
    return [f"nothing has moved for {time.monotonic() - since:.0f} s: {left}, wanted accepted {wanted}"]


class Check:
    """`problems` after `check()`; `collected` messages were compared."""

    def __init__(self, subject: Subject, chaos: Chaos, expected: Expectation) -> None:
        self.subject, self.flow, self.chaos, self.expected = subject, subject.flow, chaos, expected
        self.collected = self.missing = 0
        self.problems: list[str] = []

    def check(self) -> None:
        """Every collector, the dead letters, the accounts."""
        for collector, (module, port) in self.flow.collectors.items():
            got = list(self.subject.collected(collector))
            self.collected += len(got)
            if not self.subject.is_up and port != "error":
                self._output(collector, got)
            self._messages(collector, module, port, got)
            if port == "out" and self.subject.mode != "mortal":
                self._context(module, got)
        if self.subject.mode == "mortal":
            self._bound()
        else:
            if said := self.subject.reported_lost():
                self.problems.append(f"nothing can have been lost, but that was said: {said}")
            self._dead_letters()
            self._accounts()

    def _messages(self, collector: str, module: str, port: str, got: list[Message]) -> None:
        came: dict[str, list[Message]] = {}
        for message in got:
            inner = message["message"] if port == "error" else message
            if not self.chaos.mixed and len(set(inner["versions"])) > 1:
                self.problems.append(f"{collector}: one message met two versions: {inner}")
            if inner.get("headers_kept") == 0 and _had_headers(self.flow, inner["path"]):
                self.problems.append(f"{collector}: headers were lost: {inner}")
            bare = {key: value for key, value in inner.items() if key not in _AT_WILL}
            came.setdefault(bare["path"], []).append(bare)
        wanted = {
            path: [{key: value for key, value in message.items() if key not in _AT_WILL} for message in messages]
            for path, messages in self.expected.sent.get((module, port), {}).items()
        }
        for path in sorted(came.keys() | wanted.keys()):
            if self.subject.mode == "mortal":
                self._may_miss(f"{collector}, {module}.{port}, path {path}", came.get(path, []), wanted.get(path, []))
            elif came.get(path) != wanted.get(path):
                what = _difference(came.get(path, []), wanted.get(path, []))
                self.problems.append(f"{collector}, {module}.{port}, path {path}: {what}")

    def _may_miss(self, what: str, came: list[Message], wanted: list[Message]) -> None:
        """In order, and nothing twice."""
        left = iter(wanted)
        if not all(message in left for message in came):
            self.problems.append(f"{what}: {_difference(came, wanted)}")
        self.missing += len(wanted) - len(came)

    def _bound(self) -> None:
        """What deaths have cost is no more than the neighbours of the dead have said."""
        said = self.subject.reported_lost()
        worth = {wire: self.expected.worth.get(wire.partition("->")[2].partition(".")[0], 0) for wire in said}
        bound = sum(count * worth[wire] for wire, count in said.items())
        if self.missing > bound:
            self.problems.append(f"{self.missing} messages are missing, reported were at most {bound}: {said}, {worth}")
        self.chaos.note("missing", self.missing, "bound", bound, self.subject.audit())
        self.chaos.counts["missing"] += self.missing

    def _context(self, module: str, got: list[Message]) -> None:
        """A counter in the context has counted every message once."""
        config = self.flow.first.modules[module]
        if config.kind == "retry" or (config.kind == "map" and config.config["counts"]):
            counts = [message["count"] for message in got]
            if counts != list(range(1, len(counts) + 1)):
                at = next(i for i, count in enumerate(counts) if count != i + 1)
                self.problems.append(
                    f"context of {module}: not 1..{len(counts)}; at {at}: {counts[max(0, at - 3) : at + 5]}"
                )

    def _output(self, collector: str, got: list[Message]) -> None:
        lines = [json.loads(line) for line in self.subject.output(collector).read_text().splitlines()]
        if lines != got:
            self.problems.append(f"-o and {collector} differ: {_difference(lines, got)}")

    def _dead_letters(self) -> None:
        letters = self.subject.client.dead_letters(FLOW, timeout=CALL_TIMEOUT_S)
        dead = Counter(letter["flowModuleId"].partition("/")[2] for letter in letters)
        for name in [name for name in dead if name.startswith("observer")]:
            del dead[name]  # their wire came and went while messages were on it
        if dead != self.expected.dead:
            others = [
                letter for letter in letters if letter["flowModuleId"].partition("/")[2] not in self.expected.dead
            ]
            self.problems.append(f"dead letters: {dict(dead)}, wanted {self.expected.dead}; {others[:3]}")

    def _accounts(self) -> None:
        self.chaos.check_accounts()
        for name, row in self.subject.audit().items():
            module = self.flow.first.modules.get(name)
            if module is None or module.kind in ("source", "collect"):
                continue
            wanted = self.expected.arrived.get(name, 0)
            if row["accepted"] != wanted or row["queued"]:
                self.problems.append(f"accounts of {name}: {row}, wanted accepted {wanted} and nothing queued")


def _had_headers(flow: RandomFlow, path: str) -> bool:
    """Whether a message with this path has met one that sets headers, and since then one that checks them."""
    kinds = [flow.first.modules[name.partition(".")[0]].kind for name in path.split("/") if name != "api"]
    checks = [at for at, kind in enumerate(kinds) if kind == "headers_check"]
    return len(checks) == 1 and "headers" in kinds[: checks[0]]


def _difference(came: list[Any], wanted: list[Any]) -> str:
    identities = [[(m["origin"], m["number"], m["loops"]) for m in some] for some in (came, wanted)]
    counts = [Counter(some) for some in identities]
    said = f"{len(came)} came, {len(wanted)} wanted"
    said += f"; missing {sorted((counts[1] - counts[0]).elements())[:5]}"
    said += f"; repeated or foreign {sorted((counts[0] - counts[1]).elements())[:5]}"
    if counts[0] == counts[1]:
        first = next((pair for pair in zip(came, wanted, strict=True) if pair[0] != pair[1]), None)
        said += f"; the first that differs: {first}"
    return said

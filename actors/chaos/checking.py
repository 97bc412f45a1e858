"""What a disturbed run has done otherwise than a calm one: lost, repeated, reordered, changed. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from actors.chaos.copying import Copy
from actors.chaos.trying import Outcome, Seen
from actors.counted import counted

MAX_SHOWN = 5


@dataclass(slots=True)
class Verdict:
    """`problems` by kind; `excused`: what a death may cost, and did; `loose`: what differs by itself, and why that
    was looked at less closely; `compared` messages.
    """

    problems: dict[str, list[str]] = field(default_factory=dict)
    excused: list[str] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)
    compared: int = 0

    def bad(self, kind: str, text: str) -> None:
        """A promise that was not kept."""
        self.problems.setdefault(kind, []).append(text)


def verdict(
    copy: Copy, ordered: frozenset[str], calm: tuple[Outcome, Outcome], got: Outcome, lost: dict[str, int] | None,
) -> Verdict:  # fmt: skip
    """`lost`: of a flow without journal, how many messages its neighbours have counted, by wire; None: none may be."""
    found = Verdict()
    missing = 0
    worth = _worth(calm[0])
    for place in copy.collectors.values():
        missing += _port(found, place, place.partition(".")[0] in ordered, calm, got, lost is not None)
    if missing:
        dropped = sum(row["dropped"] for row in got.accounts.values())
        bound = dropped + sum(count * worth for count in (lost or {}).values())
        said = f"{missing} messages are missing at the ports that were looked at; counted were at most {bound}"
        if lost is not None and missing <= bound:
            found.excused.append(f"{said}: a runner without a journal has died")
        else:
            found.bad("lost", said)
    if lost is None:
        _contexts(found, copy, ordered, calm, got)
    _dead(found, copy, calm, got, exact=lost is None)
    for problem in got.problems:
        found.bad("stuck" if problem.startswith("nothing") else "accounts", problem)
    return found


def judge_whole(found: Verdict, copy: Copy, got: Outcome) -> None:
    """Of a flow with its own sources: what nobody outside has to say."""
    for name in copy.own:
        if have := got.dead.get(name):
            text = f"{name}: {counted(have, 'message')} could not be handled, the last one: {got.reasons[name]}"
            if got.reasons[name].startswith("HostDied"):
                found.bad("dead letters", text)
            else:
                found.loose.append(text)
    if sum(got.dead.get(name, 0) for name in copy.poisons.values()) != got.poisons:
        found.bad("dead letters", f"of {got.poisons} messages that kill their host not all became dead letters")
    for problem in got.problems:
        found.bad("accounts", problem)


def _worth(calm: Outcome) -> int:
    """How many messages, over all ports that are looked at, one message has made at most."""
    counts = Counter(id for seen in calm.ports.values() for id, _, _ in seen if id is not None)
    return max(counts.values(), default=1)


def _port(
    found: Verdict, place: str, is_ordered: bool, calm: tuple[Outcome, Outcome], got: Outcome, may_lose: bool
) -> int:
    """Returns how many messages are missing."""
    first, second = (_by_id(one.ports.get(place, [])) for one in calm)
    if {id: len(seen) for id, seen in first.items()} != {id: len(seen) for id, seen in second.items()}:
        found.loose.append(f"{place}: two calm runs differ in how much comes of a message: only accounts are checked")
        return 0
    came = _by_id(got.ports.get(place, []))
    sent = {*got.sent}
    missing = repeated = 0
    for id in [*first, *(id for id in came if id not in first)]:
        if id is None or id in got.maybe:
            continue
        wanted, have = (len(first.get(id, ())) if id in sent else 0), len(came.get(id, ()))
        found.compared += have
        if have < wanted:
            missing += wanted - have
            if not may_lose:
                found.bad("lost", f"{place}: of {id} {have} came, {wanted} wanted")
        elif have > wanted:
            repeated += 1
            found.bad("repeated", f"{place}: of {id} {have} came, {wanted} wanted")
    _texts(found, place, first, second, came, strict=is_ordered and not may_lose and not got.maybe)
    if is_ordered:
        order = [id for id, _, _ in got.ports.get(place, []) if id in sent]
        _order(found, place, list(dict.fromkeys(order)) if repeated else order, got.sent)
    return missing


def _by_id(seen: list[Seen]) -> dict[str | None, list[Seen]]:
    found: dict[str | None, list[Seen]] = {}
    for one in seen:
        found.setdefault(one[0], []).append(one)
    return found


def _texts(found: Verdict, place: str, first: Any, second: Any, came: Any, *, strict: bool) -> None:
    """The same values, where two calm runs had the same."""
    same = {id for id in first if [one[1] for one in first[id]] == [one[1] for one in second[id]]}
    if len(same) < len(first):
        found.loose.append(f"{place}: its values differ between two calm runs: only their number and order is checked")
        return
    for id in came if strict else ():
        if id is None or id not in first or len(came[id]) != len(first[id]):
            continue
        for have, wanted in zip(came[id], first[id], strict=True):
            if have[1] != wanted[1]:
                found.bad("context errors", f"{place}: of {id} came {have[2]}, wanted {wanted[2]}")


def _order(found: Verdict, place: str, ids: list[Any], sent: list[str]) -> None:
    """What comes of the messages to one port of the feed is in their order."""
    at = {id: number for number, id in enumerate(sent)}
    last: dict[str, str] = {}
    for id in ids:
        port = id.partition("#")[0]
        if at[id] < at[last.setdefault(port, id)]:
            found.bad("reordered", f"{place}: {id} came behind {last[port]}")
            return
        last[port] = id


def _contexts(found: Verdict, copy: Copy, ordered: frozenset[str], calm: tuple[Outcome, Outcome], got: Outcome) -> None:
    first, second = calm
    if {*got.sent} != {*first.sent} or got.maybe:
        return  # other messages, another context; what comes out has been compared
    for name in copy.own:
        if first.contexts[name] != second.contexts[name]:
            found.loose.append(f"{name}: its context differs between two calm runs: it is not compared")
        elif got.contexts[name] != first.contexts[name] and name in ordered:
            keys = [key for key in {**got.contexts[name], **first.contexts[name]}
                    if got.contexts[name].get(key) != first.contexts[name].get(key)]  # fmt: skip
            key = sorted(keys)[0]
            have, wanted = got.contexts[name].get(key), first.contexts[name].get(key)
            found.bad("context errors", f"{name}: {key} is {str(have)[:80]}, wanted {str(wanted)[:80]}")


def _dead(found: Verdict, copy: Copy, calm: tuple[Outcome, Outcome], got: Outcome, *, exact: bool) -> None:
    first, second = ({name: one.dead.get(name, 0) for name in copy.own} for one in calm)
    whole = {*got.sent} == {*calm[0].sent} and not got.maybe
    for name in copy.own:
        have, wanted = got.dead.get(name, 0), first[name]
        if first[name] == second[name] and (have > wanted or (have < wanted and whole and exact)):
            found.bad("dead letters", f"{name}: {have} came, {wanted} wanted")
    have = sum(got.dead.get(name, 0) for name in copy.poisons.values())
    if have > got.poisons + len(got.maybe) or (have < got.poisons and exact):
        found.bad("dead letters", f"of {got.poisons} messages that kill their host {have} became dead letters")

"""Cases about values: the data contract (docs/data-contract.md) by its corpus, and what a sender may not send."""

from __future__ import annotations

from typing import Any

from runtimes.conformance.case import Bench, case
from runtimes.conformance.corpus import Entry, accepted, corpus, refused
from runtimes.conformance.invariants import Broken, require
from runtimes.conformance.slot import Slot, expect
from runtimes.conformance.values import equal, parse, short

UNENCODABLE = ("nan", "infinity", "minus infinity", "nested", "surrogate", "surrogate key", "date", "function")
CANNOT = "this language has no such value"


def compare(pairs: list[tuple[Entry, Any]]) -> None:
    """Fail with every entry that was altered."""
    wrong = [
        f"{entry.name}: {short(entry.wanted, 60)} became {short(got, 60)}"
        for entry, got in pairs
        if not equal(got, entry.wanted)
    ]
    require(not wrong, f"{len(wrong)} of {len(pairs)} values altered: {'; '.join(wrong[:12])}")


def numbers_failed(slot: Slot) -> set[int]:
    """The numbers of the messages that became an ERROR, which must be a DataError."""
    types = {error.type for error in slot.errors}
    require(types <= {"DataError"}, f"errors of the types {types}, expected DataError")
    return {error.number for error in slot.errors}


@case
def corpus_one_by_one(bench: Bench) -> str:
    """Each value of the corpus in a frame of its own: unchanged, or refused with DataError."""
    host = bench.start()
    slot = host.load("identity")
    for number, entry in enumerate(corpus(), 1):
        slot.texts([entry.text], first=number)
    slot.done(30)
    failed = numbers_failed(slot)
    entries = dict(enumerate(corpus(), 1))
    passed = [entry.name for n, entry in entries.items() if entry.is_refused and n not in failed]
    stopped = [entry.name for n, entry in entries.items() if n in failed and not (entry.is_refused or entry.may_refuse)]
    require(not passed and not stopped, f"not refused: {passed}; wrongly refused: {stopped}")
    compare(list(zip([entry for n, entry in entries.items() if n not in failed], slot.out(), strict=True)))
    return f"{len(entries)} values, {len(failed)} refused"


@case
def corpus_in_one_frame(bench: Bench) -> None:
    """All values that every host carries, in one frame."""
    host = bench.start()
    slot = host.load("identity")
    entries = [entry for entry in accepted() if len(entry.text) < 200_000]
    slot.texts([entry.text for entry in entries])
    slot.done(30)
    expect([error.number for error in slot.errors], [], "refused")
    compare(list(zip(entries, slot.out(), strict=True)))


@case
def bad_among_good(bench: Bench) -> None:
    """A message that is refused takes no other message of its frame with it."""
    host = bench.start()
    slot = host.load("identity")
    entries = [entry for entry in refused() if b",\n" not in entry.text]
    texts = [text for entry in entries for text in (b'{"good":1}', entry.text)] + [b"2"]
    slot.texts(texts)
    slot.done(30)
    expect(sorted(numbers_failed(slot)), [2 * n + 2 for n in range(len(entries))], "numbers of the refused")
    expect(slot.out(), [{"good": 1}] * len(entries) + [2])
    slot.counts(consumed=len(texts), sent=len(entries) + 1)


@case
def bad_with_headers(bench: Bench) -> None:
    """A refused message among messages with headers: the others keep theirs."""
    host = bench.start()
    slot = host.load("identity")
    slot.texts([b"1", b"{bad", b"3"], headers=[{"x-n": "1"}, {"x-n": "2"}, {"x-n": "3"}])
    slot.done()
    expect([message.headers for message in slot.sent["out"]], [{"x-n": "1"}, {"x-n": "3"}], "headers")
    expect([[error.number, error.info["headers"]] for error in slot.errors], [[2, {"x-n": "2"}]], "errors")


@case
def bad_utf_8(bench: Bench) -> None:
    """Bytes that are not UTF-8 are refused, the messages beside them are not."""
    host = bench.start()
    slot = host.load("identity")
    bad = [b'"\xff"', b'"\xc3"', b'"\xed\xa0\x80"', b'"\xc0\x80"', b'"\xf5\x80\x80\x80"', b'{"\x80":1}']
    slot.texts([text for one in bad for text in (one, b'"\xc3\xa9"')])
    slot.done()
    expect(sorted(numbers_failed(slot)), [2 * n + 1 for n in range(len(bad))], "numbers of the refused")
    expect(slot.out(), ["é"] * len(bad))


@case
def corpus_in_context(bench: Bench) -> None:
    """Values go through LOAD's context, the module, CONTEXT and back unchanged."""
    host = bench.start()
    entries = {str(n): entry for n, entry in enumerate(accepted()) if len(entry.text) < 10_000}
    slot = host.load("context_edit")
    for key, entry in entries.items():
        slot.texts([b'{"set":{"%s":%s}}' % (key.encode(), entry.text)] if entry_fits(entry) else [b"{}"])
    slot.done(30)
    expect([error.info["error"]["message"] for error in slot.errors], [], "errors")
    fitting = {key: entry for key, entry in entries.items() if entry_fits(entry)}
    compare([(entry, slot.context_value(key)) for key, entry in fitting.items()])
    again = host.load("context_edit", context={key: entry.wanted for key, entry in fitting.items()})
    [seen] = again.run([{}])
    compare([(fitting[key], value) for key, value in zip(seen["keys"], seen["values"], strict=True)])


def entry_fits(entry: Entry) -> bool:
    """Whether a value may still be nested in two more objects."""
    return entry.text.count(b"[") + entry.text.count(b"{") < 100 or len(entry.text) > 1000


@case
def corpus_as_config(bench: Bench) -> None:
    """A module's config keeps the data contract."""
    host = bench.start()
    entries = [entry for entry in accepted() if entry_fits(entry) and len(entry.text) < 10_000]
    slot = host.load("config_echo", config=[entry.wanted for entry in entries])
    [seen] = slot.run([1])
    compare(list(zip(entries, seen, strict=True)))


@case
def corpus_through_copies(bench: Bench) -> None:
    """Fused targets that get a copy get the same value as the last one, which does not."""
    host = bench.start()
    root, targets = host.load("identity"), [host.load("identity") for _ in range(2)]
    root.wire(fused={"out": [(target, "in", "w") for target in targets]})
    entries = [entry for entry in accepted() if len(entry.text) < 200_000]
    root.texts([entry.text for entry in entries])
    root.done(30)
    for target in targets:
        compare(list(zip(entries, target.out(), strict=True)))


@case
def unencodable(bench: Bench) -> str:
    """NaN, infinity, lone surrogates, dates and functions are a DataError of their sender; the host goes on."""
    host = bench.start()
    slot = host.load("unencodable")
    missing = []
    for name in UNENCODABLE:
        failed = len(slot.errors)
        sent = slot.run([name])
        if sent == [CANNOT]:
            missing.append(name)
            continue
        require(not sent, f"{name} was sent as {sent}")
        if len(slot.errors) != failed + 1 or slot.errors[-1].type != "DataError":
            raise Broken(f"{name} should be one DataError, the errors are {slot.errors[failed:]}")
    return f"not in this language: {', '.join(missing)}" if missing else ""


@case
def unencodable_among_good(bench: Bench) -> None:
    """A turn whose value is refused leaves the turns beside it."""
    host = bench.start()
    bad, good = host.load("unencodable"), host.load("identity")
    bad.data(["nested"] * 3)
    good.data([1, 2])
    bad.done()
    good.done()
    expect([bad.out(), good.out(), len(bad.errors)], [[], [1, 2], 3])
    bad.counts(consumed=3, sent=0)


@case
def native_bytes(bench: Bench) -> None:
    """Native bytes travel as $bytes, arrive as native bytes, and a user's object of that shape stays an object."""
    host = bench.start()
    slot = host.load("bytes_maker")
    wanted = [{"$bytes": "AAH/"}, {"$$bytes": "AAH/"}]
    expect(slot.run(["bytes", "object"]), wanted, "sent")
    expect(slot.run([{"$bytes": "AAH/"}]), [[3, 255]], "length and last byte of what arrived")


@case
def large_integers(bench: Bench) -> str:
    """Integers beyond 2^53 arrive exact or are refused; the suite says which."""
    host = bench.start()
    slot = host.load("identity")
    numbers = [2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)]
    sent = slot.run(numbers)
    if slot.errors:
        require(len(numbers_failed(slot)) == len(numbers), f"some are refused, some arrive: {sent}")
        return "refused"
    expect(sent, numbers)
    return f"exact up to {parse(b'9223372036854775807')}"

"""Cases about the link itself: start, end, frames in any portions, bad frames, what a module prints."""

from __future__ import annotations

import time

from runtimes.conformance.case import Bench, case
from runtimes.conformance.invariants import in_time, require
from runtimes.conformance.slot import expect
from runtimes.conformance.values import text_of
from runtimes.frames import HEADER, MAX_BODY_BYTES, PROTOCOL_VERSION, Frame, Kind, encode

EXIT_S = 5.0
MARGIN_S = 0.25
LOG_CHARACTERS = 70_000  # of a line that is cut


@case
def hello(bench: Bench) -> None:
    """HELLO names protocol, runtime, version and pid."""
    host = bench.start()
    require(host.hello.keys() == {"protocol", "runtime", "version", "pid"}, f"HELLO is {host.hello}")
    expect(host.hello["protocol"], PROTOCOL_VERSION, "protocol")
    expect(host.hello["runtime"], bench.runtime, "runtime")
    expect(host.hello["pid"], host.link.pid, "pid")
    require(isinstance(host.hello["version"], str) and host.hello["version"], "HELLO has no version")


@case
def ping(bench: Bench) -> None:
    """PONG repeats the number of PING, up to 64 bits."""
    host = bench.start()
    for number in (1, 0, 2**64 - 1):
        host.ping(number)


@case
def ping_during_load(bench: Bench) -> None:
    """A PING right behind a LOAD is answered, and the LOAD too."""
    host = bench.start()
    slot = host.add("identity")
    host.ping(3)
    require(host.result(slot.load_request).get("ok") is True, "LOAD failed")


@case
def ping_during_work(bench: Bench) -> str:
    """PING is answered between the turns of a long batch."""
    host = bench.start()
    slot = host.load("slow", config={"ms": 5})
    slot.data(list(range(100)))
    host.wait(lambda: host.commits, "first COMMIT")
    start = time.monotonic()
    host.ping(1)
    took = time.monotonic() - start
    in_time(took < 0.05 + MARGIN_S, f"PONG took {took * 1000:.0f} ms in a batch of turns of 5 ms")
    slot.done()
    return f"answered after {took * 1000:.0f} ms"


@case
def bytes_in_any_portions(bench: Bench) -> None:
    """Frames that arrive byte by byte, or several at once, are the same frames."""
    host = bench.start()
    slot = host.load("identity")
    frames = [Frame(Kind.DATA, slot.in_channel, b"[%d]" % n, count=1, first=n) for n in (1, 2, 3)]
    slot.in_flight.extend((frame.first, 1) for frame in frames)
    for frame in frames:
        host.view.told(frame)
    for byte in encode(frames[0]):
        host.link.send_bytes(bytes([byte]))
        host.link.pump(0)
    host.link.send_bytes(b"".join(map(encode, frames[1:])))
    slot.done()
    expect(slot.out(), [1, 2, 3])


@case
def array_with_white_space(bench: Bench) -> None:
    """A host reads any JSON array, not only bodies as hosts write them."""
    host = bench.start()
    slot = host.load("identity")
    slot.in_flight.append((1, 2))
    body = b' [ {"a" : 1} ,\r\n\t"b" , 3 ] '
    host.send(Frame(Kind.DATA, slot.in_channel, body, skip=1, count=2, first=1))
    slot.done()
    expect(slot.out(), ["b", 3])


@case
def prints_become_log(bench: Bench) -> None:
    """What a module prints becomes LOG of its slot, and never disturbs the link."""
    host = bench.start()
    slot = host.load("noisy", slot=4)
    expect(slot.run([1, 2]), [1, 2])
    texts = [(2, "to stdout 1"), (2, "to stderr 2"), (2, "to the log")]

    def has(text: str) -> bool:
        return any(number == slot.number and text in body["text"] for number, body in host.logs)

    host.wait(lambda: all(has(text) for _, text in texts), f"LOG of slot 4 with each of {[t for _, t in texts]}")
    levels = {body["level"] for _, body in host.logs if body["text"] == "to the log"}
    expect(sorted(levels), ["warning"], "level of context.log")


@case
def prints_of_any_kind(bench: Bench) -> None:
    """Prints that are no UTF-8, have 3 MB, come from a thread or go elsewhere harm neither the turn nor the link."""
    host = bench.start()
    slot = host.load("prints_hard")
    expect(slot.run([1, 2]), [1, 2])
    host.wait(lambda: sum(body["text"] == "the last" for _, body in host.logs) == 2, "LOG of the last print")
    longest = max(len(body["text"]) for _, body in host.logs)
    require(longest <= LOG_CHARACTERS, f"a LOG of {longest} characters")


@case
def forked_child(bench: Bench) -> None:
    """A forked child that comes back from the handler, prints and sends takes no part in the link."""
    host = bench.start()
    slot = host.load("forks")
    expect(slot.run([1, 2, 3]), [1, 2, 3])
    slot.counts(consumed=3, handled=3, failed=0, sent=3)
    expect(slot.context_value("n"), 3, "context")
    expect(host.stop(), 0, "exit status")


@case
def stop_exits_0(bench: Bench) -> None:
    """STOP commits what is done, calls no hook and exits with 0."""
    host = bench.start()
    slot = host.load("hooks")
    slot.run([1])
    expect(host.stop(), 0, "exit status")
    expect(sorted(slot.context), [], "keys of the context")


@case
def end_of_file_exits(bench: Bench) -> None:
    """A host whose input has ended exits, in the middle of a batch too."""
    host = bench.start()
    slot = host.load("slow", config={"ms": 2})
    slot.data(list(range(300)))
    host.wait(lambda: host.commits, "first COMMIT")
    host.link.end_input()
    host.link.wait_exit(EXIT_S)


@case
def end_of_file_at_once_exits(bench: Bench) -> None:
    """A host that never got a frame exits at the end of its input."""
    host = bench.start()
    host.link.end_input()
    host.link.wait_exit(EXIT_S)


@case
def unknown_kind_exits_3(bench: Bench) -> None:
    """An unknown kind ends the link: exit status 3."""
    host = bench.start()
    host.load("identity").run([1])
    host.link.send(Frame(200))
    expect(host.link.wait_exit(EXIT_S), 3, "exit status")


@case
def oversized_frame_exits_3(bench: Bench) -> None:
    """A body over 64 MiB ends the link before the body is read: exit status 3."""
    host = bench.start()
    host.load("identity").run([1])
    host.link.send_bytes(HEADER.pack(MAX_BODY_BYTES + 1, Kind.DATA, 0, 0, 0, 1, 1))
    expect(host.link.wait_exit(EXIT_S), 3, "exit status")


@case
def message_of_1_mib(bench: Bench) -> None:
    """A message much larger than a pipe comes and goes whole."""
    host = bench.start()
    slot = host.load("identity")
    value = {"text": "x" * (1 << 20), "list": list(range(1000))}
    expect(slot.run([value, 1]), [value, 1])


@case
def body_of_8_mib(bench: Bench) -> None:
    """Both pipes full at once do not lock up: eight frames of 1 MiB are sent before anything is read."""
    host = bench.start()
    slot = host.load("identity")
    for n in range(8):
        slot.texts([text_of("y" * 100_000)] * 10, first=10 * n + 1)
    slot.done(30)
    expect(len(slot.out()), 80, "messages")


@case
def ten_thousand_small_messages(bench: Bench) -> str:
    """10,000 small messages in frames of 100, nothing lost or reordered."""
    host = bench.start()
    slot = host.load("identity")
    start = time.monotonic()
    for n in range(0, 10_000, 100):
        slot.data(list(range(n, n + 100)))
    slot.done(30)
    expect(slot.out(), list(range(10_000)))
    return f"{10_000 / (time.monotonic() - start):,.0f} messages/s, {len(host.commits)} commits"

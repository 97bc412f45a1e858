"""The transcripts of runtimes/PROTOCOL.md: their hex against the codec, and each played to the host of its language."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from runtimes.conformance.command import RUNTIMES
from runtimes.conformance.link import Link
from runtimes.conformance.values import equal, parse
from runtimes.frames import Frame, Kind, encode
from runtimes.manifest import find_version, load_runtimes

PAGE = RUNTIMES / "PROTOCOL.md"
FENCE = re.compile(r'^```transcript (\w+) code="([^\n]*)"\n(.*?)^```', re.MULTILINE | re.DOTALL)
FIELD = re.compile(r"(slot|flags|skip|count|first)=(\S+) ?")
FOUND = load_runtimes([RUNTIMES])
WAIT_S = 30.0
FREE_ERROR_FIELDS = {"file", "line", "column", "stack"}


@dataclass
class Line:
    """One frame of a transcript. A field may be None, which means anything."""

    direction: str
    kind: Kind
    fields: dict[str, int | None]
    text: str
    hex: str = field(default="")

    def body(self) -> bytes:
        return self.text.replace("\\n", "\n").encode() if self.kind == Kind.DATA else self.text.encode()

    def frame(self) -> Frame:
        return Frame(self.kind, body=self.body(), **{name: value or 0 for name, value in self.fields.items()})


@dataclass
class Transcript:
    runtime: str
    code: str
    lines: list[Line]


def transcripts() -> Iterator[Transcript]:
    for runtime, code, text in FENCE.findall(PAGE.read_text(encoding="utf-8")):
        lines: list[Line] = []
        for row in text.splitlines():
            direction, _, rest = row.partition(" ")
            if direction == "=":
                lines[-1].hex = rest.replace(" ", "")
                continue
            kind, _, rest = rest.partition(" ")
            fields: dict[str, int | None] = {}
            while match := FIELD.match(rest):
                fields[match[1]] = None if match[2] == "*" else int(match[2])
                rest = rest[match.end() :]
            lines.append(Line(direction, Kind[kind], fields, rest.replace("$CODE", code)))
        yield Transcript(runtime, code, lines)


TRANSCRIPTS = list(transcripts())
HEX_LINES = [line for transcript in TRANSCRIPTS for line in transcript.lines if line.hex]


def test_the_page_has_transcripts() -> None:
    assert len(TRANSCRIPTS) >= 2
    assert len(HEX_LINES) >= 7


@pytest.mark.parametrize("line", HEX_LINES, ids=lambda line: f"{line.kind.name} {line.text[:20]}")
def test_hex_is_what_the_codec_writes(line: Line) -> None:
    assert encode(line.frame())[:24].hex() == line.hex


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda transcript: transcript.code[:40])
def test_transcript(transcript: Transcript) -> None:
    runtime = FOUND[transcript.runtime]
    command = runtime.host_command()
    if find_version(runtime).version is None or not all(Path(word).exists() for word in command[1:] if "/" in word):
        pytest.skip(f"{runtime.name} is not available")
    link = Link(command)
    try:
        for line in transcript.lines:
            if line.direction == ">":
                link.send(line.frame())
            else:
                check(line, next_frame(link))
        assert link.wait_exit(WAIT_S) == 0
    finally:
        link.close()


def next_frame(link: Link) -> Frame:
    for _ in range(50):
        if link.incoming:
            return link.incoming.popleft()
        assert not link.is_dead, link.printed()
        link.pump(WAIT_S / 50)
    raise AssertionError(f"no frame within {WAIT_S} s: {link.printed()}")


def check(line: Line, frame: Frame) -> None:
    assert Kind(frame.kind) == line.kind, f"{line} expected, got {frame}"
    for name in ("slot", "flags", "skip", "count", "first"):
        wanted = line.fields.get(name, 0)
        assert wanted is None or getattr(frame, name) == wanted, f"{name} of {frame}, expected {line}"
    if line.kind == Kind.DATA:
        assert frame.body == line.body()
    elif line.text:
        split_at = {Kind.CONTEXT: frame.skip}.get(line.kind, 0)
        key, body = frame.body[:split_at], frame.body[split_at:]
        assert key == line.body()[:split_at]
        assert fits(parse(line.body()[split_at:]), parse(body)), f"{frame}, expected {line}"
    else:
        assert frame.body == b""


def fits(wanted: Any, got: Any) -> bool:
    """Equality with wildcards; an ERROR may have its optional fields besides."""
    if wanted == "*":
        return True
    if isinstance(wanted, dict) and isinstance(got, dict):
        extra = got.keys() - wanted.keys()
        may_have = FREE_ERROR_FIELDS if {"type", "message"} <= wanted.keys() else set()
        return extra <= may_have and all(key in got and fits(value, got[key]) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(got, list):
        return len(wanted) == len(got) and all(map(fits, wanted, got))
    return equal(wanted, got)


def test_a_wildcard_fits_anything_and_nothing_else_does() -> None:
    assert fits(json.loads('[1, "*", {"a": "*"}]'), [1, 5, {"a": None}])
    assert not fits({"a": 1}, {"a": 1, "b": 2})

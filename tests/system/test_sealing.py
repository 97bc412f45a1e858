"""What is sealed is opened by its actor, once, in time; nothing else is opened at all."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from actors.system import sealing
from actors.system.sealing import (
    NEXT,
    PREVIOUS,
    WINDOW_S,
    KeyFile,
    KeyFileError,
    Opener,
    RefusedError,
    Sealer,
    key_lines,
    new_key,
    read_keys,
)

HERE, THERE = b"here1234", b"there123"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "control.key"
    path.write_bytes(key_lines([new_key()]))
    return path


def sealed(sealer: Sealer, body: bytes = b"body", target: bytes = HERE) -> bytes:
    return sealer.seal(body, sealer.new_id(), target)


def take(opener: Opener, data: bytes) -> bytes:
    opened = opener.unseal(data)
    opener.admit(opened)
    return opened.body


def test_what_is_sealed_is_opened(file: Path) -> None:
    opener, sealer = Opener(KeyFile(file), HERE), Sealer(KeyFile(file))
    for body in (b"", b"x", os.urandom(1 << 20)):
        data = sealed(sealer, body)
        assert not body or len(body) < 8 or body not in data
        assert take(opener, data) == body


def test_every_changed_byte_and_every_cut_is_refused(file: Path) -> None:
    opener, data = Opener(KeyFile(file), HERE), sealed(Sealer(KeyFile(file)))
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 1 << random.randrange(8)
        with pytest.raises(RefusedError, match="not sealed with a key"):
            opener.unseal(bytes(changed))
        with pytest.raises(RefusedError, match="not sealed with a key"):
            opener.unseal(data[:position])
    assert take(opener, data) == b"body"


def test_random_bytes_and_other_keys_are_refused(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.key"
    [key] = read_keys(file)
    other.write_bytes(key_lines([new_key()._replace(id=key.id)]))
    opener = Opener(KeyFile(file), HERE)
    for data in [sealed(Sealer(KeyFile(other))), *(os.urandom(random.randrange(300)) for _ in range(1000))]:
        with pytest.raises(RefusedError, match="not sealed with a key"):
            opener.unseal(data)


def test_a_second_time_another_target_and_an_old_one_are_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opener, sealer = Opener(KeyFile(file), HERE), Sealer(KeyFile(file))
    data = sealed(sealer)
    assert take(opener, data) == b"body"
    with pytest.raises(RefusedError, match="a second time"):
        take(opener, data)
    with pytest.raises(RefusedError, match="another actor"):
        take(opener, sealed(sealer, target=THERE))
    with pytest.raises(RefusedError, match="before this process began"):
        take(Opener(KeyFile(file), HERE), data)  # of an actor that has taken the address of one that has ended
    old, now = sealed(sealer), time.time_ns()
    for seconds, word in ((WINDOW_S + 1, "31 s ago"), (-WINDOW_S - 1, "in 31 s")):
        monkeypatch.setattr(time, "time_ns", lambda: now + int(seconds * 1e9))  # noqa: B023
        with pytest.raises(RefusedError, match=word):
            take(opener, old)
    monkeypatch.setattr(time, "time_ns", lambda: now + int((WINDOW_S - 1) * 1e9))
    assert take(opener, old) == b"body"


def test_sent_once_more_it_is_the_same_message(file: Path) -> None:
    """Thespian does that when an acknowledgement was lost."""
    opener, sealer = Opener(KeyFile(file), HERE), Sealer(KeyFile(file))
    id = sealer.new_id()
    first, second = sealer.seal(b"body", id, HERE), sealer.seal(b"body", id, HERE)
    assert first[sealing.ID_BYTES :][:12] != second[sealing.ID_BYTES :][:12]  # no nonce twice
    assert take(opener, second) == b"body"
    with pytest.raises(RefusedError, match="a second time"):
        take(opener, first)


def test_what_is_remembered_is_bounded_and_nothing_comes_back(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(sealing, "MAX_REMEMBERED", 100)
    opener, sealer = Opener(KeyFile(file), HERE), Sealer(KeyFile(file))
    sent = []
    for _ in range(1000):
        sent.append(sealed(sealer))
        take(opener, sent[-1])
    assert len(opener._seen) <= 100
    for data in sent:
        with pytest.raises(RefusedError, match="second time|before this process"):
            take(opener, data)
    later = time.time_ns() + int(2 * sealing.REMEMBERED_S * 1e9)
    monkeypatch.setattr(time, "time_ns", lambda: later)
    take(opener, sealed(sealer))
    assert len(opener._seen) == 1


def test_no_nonce_is_used_twice_after_a_fork(file: Path) -> None:
    sealer = Sealer(KeyFile(file))
    sealer.new_id()
    reading, writing = os.pipe()
    if not (pid := os.fork()):
        os.write(writing, b"".join(sealer.new_id() for _ in range(100)))
        os._exit(0)
    os.waitpid(pid, 0)
    childs, own = os.read(reading, 10_000), {sealer.new_id() for _ in range(100)}
    os.close(reading)
    os.close(writing)
    assert len(childs) == 1200 and not own & {childs[i : i + 12] for i in range(0, 1200, 12)}


def test_keys_are_replaced_while_it_is_used(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = KeyFile(file), KeyFile(file)
    opener, sealer = Opener(ours, HERE), Sealer(theirs)
    [old], new = read_keys(file), new_key()
    before, captured = sealed(sealer), sealed(sealer)
    file.write_bytes(key_lines([new, old._replace(role=PREVIOUS)]))
    later = time.monotonic() + 2
    monkeypatch.setattr(time, "monotonic", lambda: later)  # the sealer looks once a second
    data = sealed(sealer)
    assert data[:4] == new.id and take(opener, data) == b"body"  # the opener has looked when it met the new id
    assert take(opener, before) == b"body"
    file.write_bytes(key_lines([new]))
    monkeypatch.setattr(time, "monotonic", lambda: later + 2)
    ours.look()
    with pytest.raises(RefusedError, match="not sealed with a key"):
        opener.unseal(captured)
    file.write_text("damaged")
    ours.look_now()
    assert take(opener, sealed(sealer)) == b"body"


def test_a_file_that_has_no_keys_says_so(tmp_path: Path) -> None:
    path, good = tmp_path / "control.key", key_lines([new_key()])
    for data in (
        b"", b"current 00 11\n", b"\xff\xfe" * 40, key_lines([new_key(NEXT)]), good + key_lines([new_key()]),
        good.replace(b"current", b"best"), good[:-3], good + b"previous\n",
    ):  # fmt: skip
        path.write_bytes(data)
        with pytest.raises(KeyFileError, match=str(path)):
            KeyFile(path)

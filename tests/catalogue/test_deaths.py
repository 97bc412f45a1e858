"""Deaths of the runner in a durable flow, and of hosts: what the pages of the modules promise holds."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import socketserver
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from websockets.asyncio.server import ServerConnection

from tests.catalogue import servers
from tests.catalogue.running import Running, lines, running, write_flow
from tests.catalogue.test_brokers import BROKERS, ONCE
from tests.catalogue.test_http import Smtp, site, talking
from tests.harness import need

KILLS = 20
SAYING = """
import asyncio, os
async def start(context):
    for n in range(context.get("n", 0), 2):
        while not os.path.exists(f"{context.config}/{n}"):
            await asyncio.sleep(0.01)
        context.set("n", n + 1)
        yield {"n": open(f"{context.config}/{n}").read()}
"""


@pytest.mark.full
@pytest.mark.parametrize("name", BROKERS)
def test_there_and_back_while_the_runner_is_killed(tmp_path: Path, name: str) -> None:
    broker, chance = BROKERS[name], random.Random(f"{name} runner")
    folder = tmp_path / "server"
    folder.mkdir()
    source, out = tmp_path / "in.ndjson", tmp_path / "out.ndjson"
    source.write_text("")
    with servers.served(broker.make(folder)) as server:
        broker.before(server.port)
        again = {"times": 600, "backoff_s": 0.1}
        modules = {
            "read": {"use": "ndjson-in", "config": {"path": "in.ndjson", "follow": True, "poll_s": 0.01}},
            "tell": broker.out(server.port) | {"retry": again},
            "listen": broker.into(server.port) | {"restart": again},
            "write": {"use": "ndjson-out", "config": {"path": "out.ndjson", "existing": "replace"}},
        }
        write_flow(tmp_path, modules, ["read -> tell", "listen -> write"], durable=True)
        written = 0

        def got() -> list[int]:
            return [broker.number(message) for message in lines(out)]

        def more(file: Any) -> None:
            nonlocal written
            for _ in range(40):
                file.write(json.dumps({"n": written, "kind": f"k{written % 3}", "more": {"a": [1]}}) + "\n")
                written += 1
            file.flush()

        with source.open("a") as file:
            for _ in range(KILLS):
                with running(tmp_path) as flow:
                    first = written
                    more(file)
                    flow.wait_for(lambda: max(got(), default=-1) >= first)  # noqa: B023
                    time.sleep(chance.random() * 0.2)  # at any place of what is left
            with running(tmp_path) as flow:
                more(file)
                flow.wait_for(lambda: written - 1 in got())
                flow.stop()
    if name in ONCE:
        assert got() == list(range(written))
    else:
        assert sorted({*got()}) == list(range(written))


def journals(flow: Running) -> list[psutil.Process]:
    return [one for one in psutil.Process(flow.process.pid).children() if "actors.journal" in " ".join(one.cmdline())]


@pytest.mark.parametrize("again", ["lost", "kept"])
@pytest.mark.parametrize("name", ["sqlite", "postgres"])
def test_a_number_that_died_with_its_message_is_given_again(tmp_path: Path, name: str, again: str) -> None:
    """The message was in the table, and nothing of it in the journal, when its runner was killed: what is said instead
    has its number. It is written, unless it is the same.
    """
    said, folder = tmp_path / "said", tmp_path / "server"
    said.mkdir()
    folder.mkdir()
    with ExitStack() as stack:
        if name == "sqlite":
            database = stack.enter_context(closing(sqlite3.connect(tmp_path / "t.db", isolation_level=None)))
            database.execute("CREATE TABLE t (n text)")

            def ask() -> list[str]:
                return [n for (n,) in database.execute("SELECT n FROM t ORDER BY rowid")]

            config = {"path": "t.db", "table": "t"}
        else:
            server = stack.enter_context(servers.served(servers.postgres(folder)))
            servers.psql(server.port, "CREATE TABLE t (id serial, n text)")

            def ask() -> list[str]:
                return servers.psql(server.port, "SELECT n FROM t ORDER BY id")

            config = {"url": f"postgresql://127.0.0.1:{server.port}/?user=postgres", "table": "t"}
        modules = {
            "say": {"runtime": "python3", "code": SAYING, "config": str(said)},
            "keep": {"use": f"{name}-out", "config": config},
        }
        write_flow(tmp_path, modules, ["say -> keep"], durable=True)

        def say(n: int, what: str) -> None:
            """The file is never there without its text."""
            (tmp_path / "next").write_text(what)
            (tmp_path / "next").rename(said / str(n))

        with running(tmp_path, "-o", "say.out=out") as flow:
            say(0, "first")
            flow.wait_for(lambda: len(lines(tmp_path / "out")) == 1 and ask() == ["first"])
            (journal,) = journals(flow)
            journal.suspend()
            say(1, "lost")
            flow.wait_for(lambda: ask() == ["first", "lost"])
            flow.process.kill()
            flow.process.wait()
            journal.kill()
        say(1, again)
        with running(tmp_path, "-o", "say.out=out") as flow:
            assert flow.process.wait(100) == 0, flow.log.read_text()
        assert lines(tmp_path / "out") == [{"n": "first"}, {"n": again}]
        assert ask() == list(dict.fromkeys(["first", "lost", again]))


def fed(folder: Path, use: str, config: dict[str, Any], kills: int, arrived: Callable[[], int]) -> int:
    """Messages into a module that gives them out, while its host and that of their source are killed. How many."""
    chance, source = random.Random(f"{use}{kills}"), folder / "in.ndjson"
    source.write_text("")
    modules = {
        "read": {"use": "ndjson-in", "config": {"path": "in.ndjson", "follow": True, "poll_s": 0.01}},
        "tell": {"use": use, "config": config, "retry": {"times": 600, "backoff_s": 0.01}},
    }
    write_flow(folder, modules, ["read -> tell"])
    written = 0
    with running(folder) as flow, source.open("a") as file:

        def more() -> None:
            nonlocal written
            for _ in range(20):
                file.write(json.dumps({"n": written}) + "\n")
                written += 1
            file.flush()

        while flow.killed < kills:
            before = arrived()
            more()
            flow.wait_for(lambda: arrived() > before)  # noqa: B023
            flow.kill_a_host(chance)
        more()
        flow.wait_for(lambda: arrived() == written)
        flow.stop()
    return written


@pytest.mark.parametrize("kills", [2, pytest.param(KILLS, marks=pytest.mark.full)])
@pytest.mark.parametrize("use", ["webhook", "http-request"])
def test_what_is_posted_again_has_the_same_key(tmp_path: Path, use: str, kills: int) -> None:
    need("node")
    with site((200, "{}")) as it:

        def posted() -> dict[str, int]:
            """The first of each key, in order."""
            first: dict[str, int] = {}
            for _, _, headers, body in [*it.asked]:
                assert first.setdefault(headers["idempotency-key"], json.loads(body)["n"]) == json.loads(body)["n"]
            return first

        written = fed(tmp_path, use, {"url": it.url, "backoff_s": 0.01}, kills, lambda: len(posted()))
        assert [*posted().values()] == list(range(written))


@pytest.mark.parametrize("kills", [2, pytest.param(KILLS, marks=pytest.mark.full)])
def test_a_mail_that_is_sent_again_is_the_same_one(tmp_path: Path, kills: int) -> None:
    Smtp.mails = []
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Smtp) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            config = {
                "host": "127.0.0.1", "port": server.server_address[1], "from": "a@example.org",
                "to": ["b@example.org"], "subject": "{n}",
            }  # fmt: skip

            def sent() -> dict[str, int]:
                """The first of each Message-ID, in order."""
                first: dict[str, int] = {}
                for mail in [*Smtp.mails]:
                    heads = dict(line.split(": ", 1) for line in mail.partition("\r\n\r\n")[0].split("\r\n"))
                    assert first.setdefault(heads["Message-ID"], int(heads["Subject"])) == int(heads["Subject"])
                return first

            written = fed(tmp_path, "mail", config, kills, lambda: len(sent()))
        finally:
            server.shutdown()
            thread.join()
    assert [*sent().values()] == list(range(written))


def taken(folder: Path, source: dict[str, Any], kills: int) -> list[int]:
    """What a source gives, in a file, while its host and that of the file are killed."""
    chance, out = random.Random(f"{source['use']}{kills}"), folder / "out.ndjson"
    modules = {
        "take": source | {"restart": {"times": 600, "backoff_s": 0.01}},
        "write": {"use": "ndjson-out", "config": {"path": "out.ndjson"}},
    }
    write_flow(folder, modules, ["take -> write"])
    with running(folder) as flow:
        while flow.killed < kills:
            before = len(lines(out))
            flow.wait_for(lambda: len(lines(out)) > before + 3)  # noqa: B023
            flow.kill_a_host(chance)
        before = len(lines(out))
        flow.wait_for(lambda: len(lines(out)) > before)
        flow.stop()
    return [message["n"] for message in lines(out)]


@pytest.mark.parametrize("kills", [2, pytest.param(KILLS, marks=pytest.mark.full)])
def test_an_answer_that_was_sent_is_not_sent_again(tmp_path: Path, kills: int) -> None:
    """With `changes`; the answer is another one each third time."""
    need("node")
    with site(*[(200, json.dumps({"n": index // 3})) for index in range(100_000)]) as it:
        config = {"url": it.url, "every_s": 0.01, "changes": True}
        got = taken(tmp_path, {"use": "http-poll", "config": config}, kills)
    assert got == sorted({*got})


@pytest.mark.parametrize("kills", [2, pytest.param(KILLS, marks=pytest.mark.full)])
def test_nothing_that_a_websocket_says_comes_twice(tmp_path: Path, kills: int) -> None:
    need("node")
    numbers = itertools.count()

    async def talk(connection: ServerConnection) -> None:
        while True:
            await connection.send(json.dumps({"n": next(numbers)}))
            await asyncio.sleep(0.005)

    with talking(talk) as port:
        got = taken(tmp_path, {"use": "websocket", "config": {"url": f"ws://127.0.0.1:{port}"}}, kills)
    assert got == sorted({*got})

"""A message that its server will never take is given up at once, and says why; those behind it go on."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.catalogue import servers
from tests.catalogue.running import lines, run, running, write_flow
from tests.catalogue.test_brokers import BROKERS, Broker
from tests.catalogue.test_http import Smtp, site
from tests.catalogue.test_permanent import LONG

Bad = list[tuple[Any, str]]  # messages, and what is said of each


def filled_up(size: int, **fields: Any) -> dict[str, Any]:
    """A message whose JSON has that many bytes."""
    message = {**fields, "x": ""}
    return {**message, "x": "x" * (size - len(json.dumps(message)))}


NO_JSON = ({"n": 1, "kind": "k", "x": [{"$bytes": "AQI="}]}, "written as JSON")
NO_FIELD = ({"n": 2}, "no field kind")


class Case(NamedTuple):
    """A broker with a limit; `lost` is what is in a config that can never work, and what is said of it."""

    broker: Broker
    bad: Bad
    config: dict[str, Any] | None = None
    limit: tuple[str, str] | None = None
    before: Callable[[int], Any] | None = None
    good: str = "k"
    lost: tuple[dict[str, Any], str] | None = None


NATS_MOST = 1 << 20


def small_streams(port: int) -> None:
    servers.in_python(
        f"""
import asyncio, nats
async def make():
    async with await nats.connect("nats://127.0.0.1:{port}") as client:
        await client.jetstream().add_stream(name="ORDERS", subjects=["orders.*"])
        await client.jetstream().add_stream(name="SMALL", subjects=["orders.small.*"], max_msg_size=2000)
asyncio.run(make())
""",
        "nats-py==2.*",
    )


def queue_of_orders(port: int) -> None:
    servers.in_python(
        f"""
import asyncio, aio_pika
async def make():
    async with await aio_pika.connect("amqp://guest:guest@127.0.0.1:{port}/", timeout=60) as connection:
        await (await connection.channel()).declare_queue("orders", durable=True)
asyncio.run(make())
""",
        "aio-pika==9.*",
    )


CASES = {
    "nats": Case(
        BROKERS["nats"],
        [
            NO_JSON, NO_FIELD, ({"n": 3, "kind": "a b"}, '"orders.a b"'), ({"n": 4, "kind": ""}, '"orders."'),
            ({"n": 5, "kind": "*"}, '"orders.*"'), (filled_up(NATS_MOST + 1, n=6, kind="k"), str(NATS_MOST)),
            (filled_up(NATS_MOST - 9, n=7, kind="k"), str(NATS_MOST)),
            (filled_up(2000, n=8, kind="small.k"), "exceeds maximum"),
        ],
        before=small_streams,
    ),
    "mqtt": Case(
        BROKERS["mqtt"],
        [
            NO_JSON, NO_FIELD, ({"n": 3, "kind": "+"}, '"t/+"'), ({"n": 4, "kind": "a\0b"}, "nothing can be"),
            ({"n": 5, "kind": "k" * 65535}, "nothing can be"),
            *((filled_up(size, n=6, kind="k"), "the broker takes 5000") for size in (4980, 100_000)),
        ],
        {"retain": True}, ("m.conf", "max_packet_size 5000\n"),
    ),
    "amqp": Case(
        BROKERS["amqp"],
        [NO_JSON, NO_FIELD, ({"n": 3, "kind": "k" * 256}, "255 bytes"), (filled_up(2001, n=4, kind="orders"), "2000")],
        {"routing_key": "{kind}", "declare": False}, ("rabbitmq.conf", "max_message_size = 2000\n"),
        queue_of_orders, "orders", ({"exchange": "no such\n"}, "exchange"),
    ),
    "kafka": Case(
        BROKERS["kafka"],
        [NO_JSON, NO_FIELD, *((filled_up(size, n=3, kind="k"), "too large") for size in (1_500_000, 2_100_000))],
        {"more": {"message.max.bytes": 2_000_000}}, lost=({"topic": "no such topic!"}, "no such topic!"),
    ),
    "redis": Case(BROKERS["redis"], [NO_JSON], lost=({"stream": "text"}, "Redis at 127.0.0.1:")),
}  # fmt: skip


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.full] if name in {"amqp", "kafka"} else []) for name in CASES]
)
def test_what_a_broker_never_takes(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    folder = tmp_path / "server"
    folder.mkdir()
    server = case.broker.make(folder)
    if case.limit is not None:
        file, text = case.limit
        with (folder / file).open("a") as conf:
            conf.write(text)
    with servers.served(server):
        (case.before or case.broker.before)(server.port)
        out = case.broker.out(server.port)
        out |= {"config": out["config"] | (case.config or {}), "retry": LONG}
        modules = {"tell": out}
        words = ["-i", "tell.in=-", "-o", "tell.error=bad"]
        if case.lost is not None:
            modules["lost"] = out | {"config": out["config"] | case.lost[0]}
        write_flow(tmp_path, modules, [])
        first, last = ({"n": n, "kind": case.good} for n in (0, 99))
        stdin = "".join(json.dumps(one) + "\n" for one in (first, *(message for message, _ in case.bad), last))
        run(tmp_path, *words, stdin=stdin)
        if case.lost is not None:
            if name == "redis":
                servers.in_python(f"import redis; redis.Redis(port={server.port}).set('text', 'x')", "redis>=5,<9")
            run(tmp_path, "-i", "lost.in=-", "-o", "lost.error=lost", stdin=json.dumps(first) + "\n")
        write_flow(tmp_path, {"listen": case.broker.into(server.port) | {"restart": {"times": 600}}}, [])
        with running(tmp_path, "-o", "listen.out=got") as it:
            wanted = [99] if name == "mqtt" else [0, 99]  # of a topic the last one is kept
            it.wait_for(lambda: [case.broker.number(one) for one in lines(tmp_path / "got")] == wanted)
            it.stop()
    said = lines(tmp_path / "bad")
    assert [one["message"] for one in said] == [message for message, _ in case.bad]
    wanted_words = [text for _, text in case.bad]
    if case.lost is not None:
        said += lines(tmp_path / "lost")
        wanted_words.append(case.lost[1])
    for error, text in zip([one["error"] for one in said], wanted_words, strict=True):
        assert error["type"] == "PermanentError" and text in error["message"], error
        assert error["file"] == f"{name}_out.py" and "site-packages" not in error["stack"]
        assert len(error["message"]) < 500


def test_objects_that_a_store_never_takes(tmp_path: Path) -> None:
    """A bucket that is not there may come."""
    folder = tmp_path / "server"
    folder.mkdir()
    with servers.served(servers.moto(folder)) as server:
        store = f"""
import boto3, json
client = boto3.client("s3", endpoint_url="http://127.0.0.1:{server.port}", region_name="us-east-1",
    aws_access_key_id="a", aws_secret_access_key="b")
"""
        servers.in_python(store + 'client.create_bucket(Bucket="orders")', "boto3==1.*")
        config = {
            "endpoint": f"http://127.0.0.1:{server.port}", "region": "us-east-1", "key_id": "a", "secret": "b",
            "bucket": "orders", "name": "{kind}",
        }  # fmt: skip
        modules = {
            "keep": {"use": "s3-out", "config": config, "retry": LONG},
            "lost": {"use": "s3-out", "config": config | {"bucket": "no such"}, "retry": LONG},
            "wait": {"use": "s3-out", "config": config | {"bucket": "later"}, "retry": {"times": 1, "backoff_s": 0.01}},
        }
        write_flow(tmp_path, modules, [])
        bad = [NO_JSON[0], NO_FIELD[0], {"n": 3, "kind": ""}]
        stdin = "".join(json.dumps(one) + "\n" for one in ({"kind": "first"}, *bad, {"kind": "last"}))
        run(tmp_path, "-i", "keep.in=-", "-o", "keep.error=bad", stdin=stdin)
        for name in ("lost", "wait"):
            run(tmp_path, "-i", f"{name}.in=-", "-o", f"{name}.error={name}", stdin='{"kind":"k"}\n')
        listing = 'print(json.dumps([one["Key"] for one in client.list_objects_v2(Bucket="orders")["Contents"]]))'
        assert json.loads(servers.in_python(store + listing, "boto3==1.*")) == ["first", "last"]
    said, (lost,), (wait,) = (lines(tmp_path / name) for name in ("bad", "lost", "wait"))
    assert [one["message"] for one in said] == bad
    texts = ["written as JSON", "no field kind", "Key", "no such"]
    for error, text in zip([one["error"] for one in (*said, lost)], texts, strict=True):
        assert error["type"] == "PermanentError" and text in error["message"], error
    assert wait["error"]["type"] == "ConnectionError" and "NoSuchBucket" in wait["error"]["message"]


@pytest.mark.parametrize("code", ["EntityTooLarge", "KeyTooLongError"])
def test_what_a_store_says_of_an_object(tmp_path: Path, code: str) -> None:
    """And what it says of who we are, which may get better."""
    denied, never = ((n, f"<Error><Code>{one}</Code></Error>") for n, one in ((403, "AccessDenied"), (400, code)))
    with site(denied, denied, (200, ""), never, (200, "")) as it:
        config = {"endpoint": it.url, "region": "us-east-1", "key_id": "a", "secret": "b", "bucket": "b", "name": "{n}"}
        write_flow(tmp_path, {"keep": {"use": "s3-out", "config": config, "retry": {"times": 2, "backoff_s": 0}}}, [])
        run(tmp_path, "-i", "keep.in=-", "-o", "keep.error=bad", stdin='{"n":1}\n{"n":2}\n{"n":3}\n')
        assert [path for _, path, _, _ in it.asked] == ["/b/1", "/b/1", "/b/1", "/b/2", "/b/3"]
    (bad,) = lines(tmp_path / "bad")
    assert bad["error"]["type"] == "PermanentError" and f"b/2: An error occurred ({code})" in bad["error"]["message"]


@pytest.mark.parametrize("qos", [1, 2])
def test_what_a_broker_does_not_allow_is_not_taken_for_published(tmp_path: Path, qos: int) -> None:
    """It may come to allow it."""
    folder = tmp_path / "server"
    folder.mkdir()
    server = servers.mosquitto(folder)
    (folder / "acl").write_text("topic readwrite mine/#\n")
    with (folder / "m.conf").open("a") as conf:
        conf.write(f"acl_file {folder}/acl\n")
    with servers.served(server):
        config = {"port": server.port, "topic": "{to}/x", "qos": qos}
        write_flow(tmp_path, {"tell": {"use": "mqtt-out", "config": config, "retry": {"times": 1, "backoff_s": 0}}}, [])
        run(
            tmp_path, "-i", "tell.in=-", "-o", "tell.error=bad", stdin='{"to":"mine"}\n{"to":"theirs"}\n{"to":"mine"}\n'
        )
    (bad,) = lines(tmp_path / "bad")
    assert bad["message"] == {"to": "theirs"} and bad["error"]["type"] == "RuntimeError"
    assert bad["error"]["message"].startswith("the broker does not take it: ")


class Choosy(Smtp):
    """Does not know no@, knows later@ at the third time only, takes no spam, and does not understand QUIT."""

    asked: int

    def answer(self, line: bytes) -> bytes:
        if b"<no@" in line:
            return b"550-5.1.1 no\r\n550 5.1.1 such user\r\n"
        if b"<later@" in line:
            Choosy.asked += 1
            return b"450 not yet\r\n" if Choosy.asked < 3 else b"250 ok\r\n"
        if b"Subject: spam" in line:
            return b"554 5.7.1 spam\r\n"
        if line.upper().startswith(b"QUIT"):
            return b"500 what\r\n"
        return super().answer(line)


def test_mails_that_a_server_never_takes(tmp_path: Path) -> None:
    Smtp.mails, Choosy.asked = [], 0
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Choosy) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        port = server.server_address[1]
        config = {"host": "127.0.0.1", "port": port, "from": "a@example.org", "subject": "{kind}"}
        to = {"tell": ["b@example.org"], "some": ["b@example.org", "no@example.org"], "later": ["later@example.org"]}
        modules = {
            name: {
                "use": "mail",
                "config": config | {"to": whom},
                "retry": LONG if name != "later" else {"times": 2, "backoff_s": 0},
            }
            for name, whom in to.items()
        }
        write_flow(tmp_path, modules, [])
        bad = [NO_JSON[0], {"kind": "spam"}]
        stdin = "".join(json.dumps(one) + "\n" for one in ({"kind": "first"}, *bad, {"kind": "a\r\nb\u2028c"}))
        run(tmp_path, "-i", "tell.in=-", "-o", "tell.error=bad", stdin=stdin)
        run(tmp_path, "-i", "some.in=-", "-o", "some.error=some", stdin='{"kind":"some"}\n')
        run(tmp_path, "-i", "later.in=-", "-o", "later.error=later", stdin='{"kind":"later"}\n')
        server.shutdown()
        thread.join()
    subjects = [line.partition(": ")[2] for mail in Smtp.mails for line in mail.split("\r\n") if "Subject: " in line]
    assert subjects == ["first", "a b c", "some", "later"] and not lines(tmp_path / "later")
    said, (some,) = lines(tmp_path / "bad"), lines(tmp_path / "some")
    assert [one["message"] for one in said] == bad and "written as JSON" in said[0]["error"]["message"]
    assert all(one["error"]["type"] == "PermanentError" for one in (*said, some))
    at = f"127.0.0.1:{port} does not take it: "
    assert said[1]["error"]["message"] == f"{at}a@example.org: 554 5.7.1 spam"
    assert some["error"]["message"] == f"{at}no@example.org: 550 5.1.1 no 5.1.1 such user"

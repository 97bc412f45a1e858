"""What goes out to a broker or a table and comes in from it: all of it once, in order, whatever dies meanwhile."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.catalogue import servers
from tests.catalogue.running import lines, run, running, write_flow


class Broker(NamedTuple):
    """Modules out of the flow and into it, what has to be there first, and the number in a message that came."""

    make: servers.Make
    out: Callable[[int], dict[str, Any]]
    into: Callable[[int], dict[str, Any]]
    number: Callable[[Any], int]
    before: Callable[[int], Any] = lambda _: None


def _url(scheme: str, port: int, rest: str = "") -> str:
    return f"{scheme}://127.0.0.1:{port}{rest}"


MQTT = Broker(
    servers.mosquitto,
    lambda port: {"use": "mqtt-out", "config": {"port": port, "topic": "t/{kind}"}},
    lambda port: {"use": "mqtt-in", "config": {"port": port, "topics": ["t/#"]}},
    lambda message: message["value"]["n"],
)
REDIS = Broker(
    servers.redis_server,
    lambda port: {"use": "redis-out", "config": {"url": _url("redis", port), "stream": "s"}},
    lambda port: {"use": "redis-in", "config": {"url": _url("redis", port), "streams": ["s"]}},
    lambda message: int(message["fields"]["n"]),
)
TABLE = "CREATE TABLE orders (id serial PRIMARY KEY, n int, kind text, more jsonb, at timestamptz DEFAULT now())"
POSTGRES = Broker(
    servers.postgres,
    lambda port: {
        "use": "postgres-out",
        "config": {"url": _url("postgresql", port, "/?user=postgres"), "table": "orders"},
    },
    lambda port: {
        "use": "postgres-in",
        "config": {
            "url": _url("postgresql", port, "/?user=postgres"),
            "table": "orders",
            "column": "id",
            "poll_s": 0.05,
        },
    },
    lambda message: message["n"],
    lambda port: servers.psql(port, TABLE),
)
NATS = Broker(
    servers.nats_server,
    lambda port: {"use": "nats-out", "config": {"url": _url("nats", port), "subject": "orders.{kind}"}},
    lambda port: {"use": "nats-in", "config": {"url": _url("nats", port), "stream": "ORDERS"}},
    lambda message: message["value"]["n"],
    lambda port: servers.in_python(
        f"""
import asyncio, nats
async def make():
    async with await nats.connect({_url("nats", port)!r}) as client:
        await client.jetstream().add_stream(name="ORDERS", subjects=["orders.*"])
asyncio.run(make())
""",
        "nats-py==2.*",
    ),
)
AMQP = Broker(
    servers.rabbitmq,
    lambda port: {"use": "amqp-out", "config": {"url": _url("amqp", port), "routing_key": "orders"}},
    lambda port: {"use": "amqp-in", "config": {"url": _url("amqp", port), "queue": "orders"}},
    lambda message: message["value"]["n"],
)
KAFKA = Broker(
    servers.kafka,
    lambda port: {"use": "kafka-out", "config": {"servers": f"127.0.0.1:{port}", "topic": "orders", "key": "kind"}},
    lambda port: {"use": "kafka-in", "config": {"servers": f"127.0.0.1:{port}", "topics": ["orders"]}},
    lambda message: message["value"]["n"],
)
BROKERS = {"mqtt": MQTT, "redis": REDIS, "postgres": POSTGRES, "nats": NATS, "amqp": AMQP, "kafka": KAFKA}
SLOW = {"amqp", "kafka"}  # to begin: a minute where the machine is busy
ONCE = {"redis", "postgres", "nats"}  # what is sent again is known there; the others promise at least once, in order


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.full)])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.full] if name in SLOW else []) for name in BROKERS]
)
def test_there_and_back_while_hosts_are_killed_and_the_server_restarts(tmp_path: Path, name: str, kills: int) -> None:
    broker = BROKERS[name]
    chance = random.Random(f"{name}{kills}")
    folder = tmp_path / "server"
    folder.mkdir()
    source, out = tmp_path / "in.ndjson", tmp_path / "out.ndjson"
    source.write_text("")
    with servers.served(broker.make(folder)) as server:
        broker.before(server.port)
        again = {"backoff_s": 0.1}
        modules = {
            "read": {"use": "ndjson-in", "config": {"path": "in.ndjson", "follow": True, "poll_s": 0.01}},
            "tell": broker.out(server.port) | {"retry": {"times": 600, **again}},
            "listen": broker.into(server.port) | {"restart": {"times": 600, **again}},
            "write": {"use": "ndjson-out", "config": {"path": "out.ndjson"}},
        }
        write_flow(tmp_path, modules, ["read -> tell", "listen -> write"])
        written = 0

        def got() -> list[int]:
            return [broker.number(message) for message in lines(out)]

        with running(tmp_path) as flow, source.open("a") as file:

            def more() -> None:
                nonlocal written
                for _ in range(40):
                    file.write(json.dumps({"n": written, "kind": f"k{written % 3}", "more": {"a": [1]}}) + "\n")
                    written += 1
                file.flush()

            while flow.killed < kills:
                before = len(got())
                more()
                flow.wait_for(lambda: len(got()) > before)  # noqa: B023
                flow.kill_a_host(chance)
                if flow.killed == kills // 2:
                    server.restart()
            more()
            flow.wait_for(lambda: written - 1 in got())
            flow.stop()
    if name in ONCE:
        assert got() == list(range(written))
    else:
        assert sorted({*got()}) == list(range(written))


@pytest.mark.parametrize("name", ["mqtt", pytest.param("amqp", marks=pytest.mark.full)])
def test_nothing_is_acknowledged_that_a_runner_has_not_written_down(tmp_path: Path, name: str) -> None:
    """It stands still when its host has messages, and dies without having seen them: they are not lost."""
    broker, count = BROKERS[name], 50
    folders = {part: tmp_path / part for part in ("server", "tell", "listen")}
    for folder in folders.values():
        folder.mkdir()
    out = folders["listen"] / "out.ndjson"
    with servers.served(broker.make(folders["server"])) as server:
        broker.before(server.port)
        modules = {
            "listen": broker.into(server.port) | {"restart": {"times": 600, "backoff_s": 0.1}},
            "write": {"use": "ndjson-out", "config": {"path": "out.ndjson", "existing": "replace"}},
        }
        write_flow(folders["listen"], modules, ["listen -> write"], durable=True)
        write_flow(folders["tell"], {"tell": broker.out(server.port)}, [])

        def tell(*numbers: int) -> None:
            stdin = "".join(json.dumps({"n": n, "kind": "k"}) + "\n" for n in numbers)
            run(folders["tell"], "-i", "tell.in=-", stdin=stdin)

        def got() -> list[int]:
            return [broker.number(message) for message in lines(out)]

        with running(folders["listen"]) as flow:
            flow.wait_for(lambda: tell(0) is None and bool(got()))  # what comes before it listens nobody keeps
            flow.process.send_signal(signal.SIGSTOP)
            tell(*range(1, count))
            time.sleep(1)  # whatever the host acknowledges on its own it has acknowledged now
            flow.process.kill()
            flow.process.wait()
        with running(folders["listen"]) as flow:
            flow.wait_for(lambda: count - 1 in got())
            flow.stop()
    assert [n for n in got() if n] == list(range(1, count))


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.full)])
def test_objects_in_a_store(tmp_path: Path, kills: int) -> None:
    """It keeps all in memory, so it is not restarted."""
    chance = random.Random(kills)
    folder = tmp_path / "server"
    folder.mkdir()
    source = tmp_path / "in.ndjson"
    with servers.served(servers.moto(folder)) as server:
        store = f"""
import boto3, json
client = boto3.client("s3", endpoint_url="{_url("http", server.port)}", region_name="eu-west-1",
    aws_access_key_id="a", aws_secret_access_key="b")
"""
        servers.in_python(
            store
            + 'client.create_bucket(Bucket="orders", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})',
            "boto3==1.*",
        )
        config = {
            "endpoint": _url("http", server.port), "region": "eu-west-1", "key_id": "a", "secret": "b",
            "bucket": "orders", "name": "orders/{kind}/{id}.json",
        }  # fmt: skip
        modules = {
            "read": {"use": "ndjson-in", "config": {"path": "in.ndjson", "follow": True, "poll_s": 0.01}},
            "keep": {"use": "s3-out", "config": config, "retry": {"times": 600, "backoff_s": 0.1}},
            "write": {"use": "ndjson-out", "config": {"path": "out.ndjson"}},
        }
        write_flow(tmp_path, modules, ["read -> keep", "read -> write"])
        source.write_text("")
        written = 0
        listing = (
            store
            + """
pages = client.get_paginator("list_objects_v2").paginate(Bucket="orders")
names = [one["Key"] for page in pages for one in page.get("Contents", [])]
print(json.dumps([json.load(client.get_object(Bucket="orders", Key=name)["Body"])["n"] for name in names]))
"""
        )

        def got() -> list[int]:
            return sorted(json.loads(servers.in_python(listing, "boto3==1.*")))

        with running(tmp_path) as flow, source.open("a") as file:
            while flow.killed < kills:
                before = len(lines(tmp_path / "out.ndjson"))
                for _ in range(20):
                    file.write(json.dumps({"n": written, "kind": "k"}) + "\n")
                    written += 1
                file.flush()
                flow.wait_for(lambda: len(lines(tmp_path / "out.ndjson")) > before)  # noqa: B023
                flow.kill_a_host(chance)
            flow.wait_for(lambda: len(got()) >= written)
            flow.stop()
        assert got() == list(range(written))

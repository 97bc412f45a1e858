"""What others reported of modules of this kind, docs/reports.md, tried on ours."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, nullcontext
from email.utils import formatdate
from pathlib import Path
from time import monotonic, time
from typing import Any

import pytest

from tests.catalogue import servers
from tests.catalogue.running import lines, run, running, write_flow
from tests.catalogue.test_http import site
from tests.harness import need


def database(folder: Path, server: servers.Server | None) -> Any:
    """A question, and the config of the module: the same table in SQLite or PostgreSQL."""
    made = "CREATE TABLE t (id int PRIMARY KEY, flavor text DEFAULT 'none', item text)"
    if server is None:
        with closing(sqlite3.connect(folder / "t.db", isolation_level=None)) as made_here:
            made_here.execute(made)

        def ask(text: str) -> list[str]:
            with closing(sqlite3.connect(folder / "t.db")) as opened:
                return ["|".join("" if one is None else str(one) for one in row) for row in opened.execute(text)]

        return ask, {"path": "t.db", "table": "t"}
    port = server.port
    servers.psql(port, made)
    return lambda text: servers.psql(port, text), {"url": f"postgresql://127.0.0.1:{port}/?user=postgres", "table": "t"}


@pytest.mark.parametrize("name", ["sqlite", "postgres"])
def test_a_field_that_is_not_given_stays_as_it_is(tmp_path: Path, name: str) -> None:
    """Upsert with `columns`, confluentinc/kafka-connect-jdbc#1067; a default of the table's, #802."""
    rows = [{"id": 1, "item": "x"}, {"id": 1, "flavor": "chocolate"}, {"id": 2, "flavor": None, "more": 1}, {"more": 1}]
    folder = tmp_path / "server"
    folder.mkdir()
    with servers.served(servers.postgres(folder)) if name == "postgres" else nullcontext() as server:
        ask, config = database(tmp_path, server)
        config |= {"columns": ["id", "flavor", "item"], "key": ["id"]}
        keep = {"use": f"{name}-out", "config": config, "retry": {"times": 0}}
        write_flow(tmp_path, {"keep": keep}, [])
        stdin = "".join(json.dumps(row) + "\n" for row in rows) + '"text"\n'
        run(tmp_path, "-i", "keep.in=-", "-o", "keep.error=bad", stdin=stdin)
        assert ask("SELECT id, flavor, item FROM t ORDER BY id") == ["1|chocolate|x", "2||"]
    said = [bad["error"]["message"] for bad in lines(tmp_path / "bad")]
    assert said == [
        'the message has no field for the table: {"more": 1}',
        'a row is made of an object, the message is "text"',
    ]


def test_a_table_in_csv_as_others_write_it(tmp_path: Path) -> None:
    """A byte order mark (grafana/grafana-csv-datasource#292), names with commas and quotes (node-red/node-red#2860,
    #3934), quoted names (redpanda-data/connect#3157), line breaks in a field (n8n-io/n8n#16776); there and back.
    """
    text = '\ufeff"id","foo, bar","say ""so"""\r\n1,"a\nb","c""d"\r\n2,,"\u2028"\r\n'
    (tmp_path / "in.csv").write_bytes(text.encode())
    modules = {
        "read": {"use": "csv-in", "config": {"path": "in.csv"}},
        "write": {"use": "csv-out", "config": {"path": "out.csv"}},
    }
    write_flow(tmp_path, modules, ["read -> write"])
    run(tmp_path, "-o", "read.out=got")
    wanted = [{"id": "1", "foo, bar": "a\nb", 'say "so"': 'c"d'}, {"id": "2", "foo, bar": "", 'say "so"': "\u2028"}]
    assert lines(tmp_path / "got") == wanted
    modules["read"]["config"] = {"path": "out.csv"}
    write_flow(tmp_path, {"read": modules["read"]}, [])
    run(tmp_path, "-o", "read.out=again")
    assert lines(tmp_path / "again") == wanted


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    for use, text in (("ndjson-in", '\ufeff{"a":1}\n"\ufeff"\n'), ("lines-in", "\ufeffa\n\ufeffb\n")):
        (tmp_path / "in").write_text(text)
        write_flow(tmp_path, {"read": {"use": use, "config": {"path": "in"}}}, [])
        run(tmp_path, "-o", f"read.out={use}")
    assert lines(tmp_path / "ndjson-in") == [{"a": 1}, "\ufeff"]
    assert lines(tmp_path / "lines-in") == ["a", "\ufeffb"]


@pytest.mark.parametrize("use", ["http-request", "webhook"])
def test_a_server_says_when_to_come_again(tmp_path: Path, use: str) -> None:
    """As a number and as a date, redpanda-data/connect#1352."""
    need("node")
    at = int(time()) + 4
    with site(
        (429, "", {"retry-after": formatdate(at, usegmt=True)}), (503, "", {"retry-after": "1"}), (200, "")
    ) as it:
        write_flow(tmp_path, {"tell": {"use": use, "config": {"url": it.url, "backoff_s": 0.01}}}, [])
        begin = monotonic()
        run(tmp_path, "-i", "tell.in=-", stdin="1\n")
        assert time() >= at + 1 and monotonic() - begin >= 1 and len(it.asked) == 3


def test_topics_that_are_not_asked_for_any_more_are_not_sent(tmp_path: Path) -> None:
    """The broker goes on with them in a session that it keeps, influxdata/telegraf#9703."""
    folder = tmp_path / "server"
    folder.mkdir()
    with servers.served(servers.mosquitto(folder)) as server:

        def flow(*topics: str) -> None:
            modules = {
                "listen": {"use": "mqtt-in", "config": {"port": server.port, "topics": [*topics]}},
                "say": {"use": "timer", "config": {"every_s": 0.05}},
                "tell": {"use": "mqtt-out", "config": {"port": server.port, "topic": "a"}},
                "other": {"use": "mqtt-out", "config": {"port": server.port, "topic": "b"}},
            }
            write_flow(tmp_path, modules, ["say -> tell", "say -> other"])

        def seen(name: str) -> set[str]:
            return {message["topic"] for message in lines(tmp_path / name)}

        flow("a", "b")
        with running(tmp_path, "-o", "listen.out=both") as it:
            it.wait_for(lambda: seen("both") == {"a", "b"})
            it.stop()
        flow("$share/g/b", "b/+/c")
        with running(tmp_path, "-o", "listen.out=one", "-o", "tell.error=bad") as it:
            it.wait_for(lambda: len(lines(tmp_path / "one")) > 10)
            it.stop()
        assert seen("one") == {"b"}


def test_a_payload_that_no_message_can_carry_stops_nothing(tmp_path: Path) -> None:
    """It is a text; a module that stops at it gets it again for ever, node-red/node-red#5094 and the like."""
    folder = tmp_path / "server"
    folder.mkdir()
    texts = ["NaN", "[1e999]", '"\\ud800"', "[" * 100_000, "1\0", "", "{"]
    values = ["18446744073709551615", "9007199254740993", "null", '\ufeff{"a": "\u2028"}']
    with servers.served(servers.mosquitto(folder)) as server:
        modules = {
            "listen": {"use": "mqtt-in", "config": {"port": server.port, "topics": ["a", "b"]}},
            "say": {"use": "timer", "config": {"every_s": 0.05}},
            "begin": {"use": "mqtt-out", "config": {"port": server.port, "topic": "b"}},
            "read": {"use": "ndjson-in", "config": {"path": "in", "follow": True, "poll_s": 0.05}},
            "tell": {"use": "mqtt-out", "config": {"port": server.port, "topic": "a"}},
        }
        write_flow(tmp_path, modules, ["say -> begin", "read -> tell"])

        def got() -> list[Any]:
            return [one["value"] for one in lines(tmp_path / "got") if one["topic"] == "a"]

        with running(tmp_path, "-o", "listen.out=got") as it:
            it.wait_for(lambda: bool(lines(tmp_path / "got")))  # it listens
            (tmp_path / "in").write_text("".join(json.dumps(text) + "\n" for text in texts + values))
            it.wait_for(lambda: len(got()) == len(texts + values))
            it.stop()
    assert got() == [*texts, 2.0**64, 2**53 + 1, None, {"a": "\u2028"}]


ODD = (
    "1, 'NaN'::float8, '{NaN,1}'::float8[], '{10.50,NaN}'::numeric[], 'infinity'::timestamptz, "
    "'{2026-03-29T01:30:00}'::timestamp[]"
)


@pytest.mark.parametrize("name", ["sqlite", "postgres"])
def test_rows_that_json_has_no_word_for_stop_nothing(tmp_path: Path, name: str) -> None:
    """Infinite times (airbytehq/airbyte#19952), NaN, lists of such; rows without a value in the column that grows, of
    which none can be the last that was read (confluentinc/kafka-connect-jdbc#540).
    """
    folder = tmp_path / "server"
    folder.mkdir()
    with servers.served(servers.postgres(folder)) if name == "postgres" else nullcontext() as server:
        if server is None:
            with closing(sqlite3.connect(tmp_path / "t.db", isolation_level=None)) as made:
                made.execute("CREATE TABLE t (id int, a, b)")
                made.execute("INSERT INTO t VALUES (1, 9e999, CAST(x'ff' AS TEXT)), (NULL, 1, 2), (2, -9e999, 'end')")
            config = {"path": "t.db", "table": "t", "column": "id"}
            wanted = [{"id": 1, "a": "inf", "b": {"$bytes": "/w=="}}, {"id": 2, "a": "-inf", "b": "end"}]
        else:
            made_as = "id int, a float8, b float8[], c numeric[], d timestamptz, e timestamp[]"
            servers.psql(
                server.port,
                f"CREATE TABLE t ({made_as}); INSERT INTO t VALUES ({ODD}); INSERT INTO t (id) VALUES (NULL), (2)",
            )
            config = {"url": f"postgresql://127.0.0.1:{server.port}/?user=postgres", "table": "t", "column": "id"}
            odd = {"a": "nan", "b": ["nan", 1.0], "c": ["10.50", "NaN"], "d": "infinity", "e": ["2026-03-29T01:30:00"]}
            wanted = [{"id": 1, **odd}, {"id": 2, **dict.fromkeys(odd)}]
        write_flow(tmp_path, {"read": {"use": f"{name}-in", "config": config | {"follow": False}}}, [])
        run(tmp_path, "-o", "read.out=got")
    assert lines(tmp_path / "got") == wanted


def test_a_field_of_redis_that_is_no_text_stops_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    with servers.served(servers.redis_server(folder)) as server:
        program = f"import redis; at = redis.Redis(port={server.port}); "
        servers.in_python(program + "at.xadd('s', {'a': b'\\xff', 'b': '\xe4'}); at.xadd('s', {'c': 1})", "redis>=5,<9")
        config = {"url": f"redis://127.0.0.1:{server.port}", "streams": ["s"], "from_begin": True}
        write_flow(tmp_path, {"read": {"use": "redis-in", "config": config}}, [])
        with running(tmp_path, "-o", "read.out=got") as it:
            it.wait_for(lambda: len(lines(tmp_path / "got")) == 2)
            it.stop()
    assert [one["fields"] for one in lines(tmp_path / "got")] == [{"a": {"$bytes": "/w=="}, "b": "\xe4"}, {"c": "1"}]

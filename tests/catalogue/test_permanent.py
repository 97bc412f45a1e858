"""What no new try mends is given up at once, what may get better is tried again; and who said it is told, where."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.catalogue import servers
from tests.catalogue.running import lines, run, runner, running, write_flow
from tests.catalogue.test_http import site
from tests.catalogue.test_reported import database
from tests.harness import need

LONG = {"times": 1000, "backoff_s": 600}  # who tries again is not done in a test's time


@pytest.mark.parametrize("name", ["sqlite", "postgres"])
def test_rows_that_a_table_does_not_take(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    with servers.served(servers.postgres(folder)) if name == "postgres" else nullcontext() as server:
        ask, config = database(tmp_path, server)
        bad = [{"id": 1, "item": "again"}, {"id": 2, "nope": 1}, 5, {"no": {}}]
        bad += [{"id": "x"}, {"id": 3, "item": "a\0b"}] if server is not None else []
        rows = [{"id": 1}, *bad, {"id": 2}]
        modules = {
            "keep": {"use": f"{name}-out", "config": config, "retry": LONG},
            "lost": {"use": f"{name}-out", "config": {**config, "table": "nowhere"}, "retry": LONG},
        }
        write_flow(tmp_path, modules, [])
        stdin = "".join(json.dumps(row) + "\n" for row in rows)
        run(tmp_path, "-i", "keep.in=-", "-o", "keep.error=bad", stdin=stdin)
        assert ask("SELECT id FROM t ORDER BY id") == ["1", "2"]
        run(tmp_path, "-i", "lost.in=-", "-o", "lost.error=lost", stdin='{"id":1}\n')
    said = lines(tmp_path / "bad")
    assert [one["message"] for one in said] == bad
    (lost,) = lines(tmp_path / "lost")
    for error in [one["error"] for one in (*said, lost)]:
        assert error["type"] == "PermanentError" and error["file"] == f"{name}_out.py"
        assert "site-packages" not in error["stack"]
    assert "nope" in said[1]["error"]["message"] and "nowhere" in lost["error"]["message"]
    if server is not None:
        address = f"PostgreSQL at 127.0.0.1:{server.port}: "
        assert said[0]["error"]["message"] == (
            f'{address}duplicate key value violates unique constraint "t_pkey"; Key (id)=(1) already exists.'
        )


def test_a_row_that_refers_to_one_on_its_way_is_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    with servers.served(servers.postgres(folder)) as server:
        ask, config = database(tmp_path, server)
        ask("CREATE TABLE c (t int REFERENCES t (id))")
        retry = {"times": 10_000, "backoff_s": 0.05}
        keep = {"use": "postgres-out", "config": {**config, "table": "c"}, "retry": retry}
        read = {"use": "ndjson-in", "config": {"path": "in.ndjson", "follow": True}}
        (tmp_path / "in.ndjson").write_text('{"t":7}\n')
        write_flow(tmp_path, {"read": read, "keep": keep}, ["read -> keep"])
        with running(tmp_path) as it:
            it.wait_for(lambda: "t_fkey" in runner(tmp_path, "--state", "state", "why", "f").stdout)
            ask("INSERT INTO t VALUES (7)")
            it.wait_for(lambda: ask("SELECT t FROM c") == ["7"])
            it.stop()


@pytest.mark.parametrize("use", ["http-request", "webhook"])
def test_what_a_server_does_not_want(tmp_path: Path, use: str) -> None:
    """408 and 425 may get better, 404 and 422 do not."""
    need("node")
    with site((408, ""), (425, ""), (200, ""), (404, "no such thing"), (422, "not so"), (200, "")) as it:
        config = {"url": it.url, "backoff_s": 0.01}
        write_flow(tmp_path, {"tell": {"use": use, "config": config, "retry": LONG}}, [])
        run(tmp_path, "-i", "tell.in=-", "-o", "tell.error=bad", stdin="1\n2\n3\n1152921504606846977\n")
        assert [body for _, _, _, body in it.asked[:5]] == ["1", "1", "1", "2", "3"] and len(it.asked) == 6
        assert float(it.asked[5][3]) == float(2**60)
    said = lines(tmp_path / "bad")
    assert [one["message"] for one in said] == [2, 3]
    assert all(one["error"]["type"] == "PermanentError" for one in said)
    assert "404: no such thing" in said[0]["error"]["message"]


SOURCES: dict[str, dict[str, Any]] = {
    "postgres-in": {"url": "postgresql://me:secret@127.0.0.1:1/x", "table": "t", "column": "id"},
    "redis-in": {"url": "redis://:secret@127.0.0.1:1", "streams": ["s"]},
}


@pytest.mark.parametrize("use", SOURCES)
def test_a_source_says_which_server_is_away(tmp_path: Path, use: str) -> None:
    """Its error ends in the module: not in what the client library does inside."""
    write_flow(tmp_path, {"read": {"use": use, "config": SOURCES[use], "restart": {"times": 1, "backoff_s": 0.01}}}, [])
    done = run(tmp_path, "-o", "read.error=bad", status=1)
    (bad,) = lines(tmp_path / "bad")
    error, file = bad["error"], use.replace("-", "_") + ".py"
    assert error["type"] == "ConnectionError" and error["file"] == file and "127.0.0.1:1: " in error["message"]
    assert "\n" not in error["message"] and "site-packages" not in error["stack"] + done.stderr
    assert "secret" not in json.dumps(bad) + done.stderr


@pytest.mark.parametrize("use", SOURCES)
def test_a_source_says_what_its_server_has_said(tmp_path: Path, use: str) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    with servers.served((servers.postgres if use == "postgres-in" else servers.redis_server)(folder)) as server:
        if use == "postgres-in":
            config = {**SOURCES[use], "url": f"postgresql://127.0.0.1:{server.port}/?user=postgres"}
            said = f'PostgreSQL at 127.0.0.1:{server.port}: relation "t" does not exist'
        else:
            config = {**SOURCES[use], "url": f"redis://127.0.0.1:{server.port}/99"}
            said = f"Redis at 127.0.0.1:{server.port}: DB index is out of range"
        write_flow(tmp_path, {"read": {"use": use, "config": config, "restart": {"times": 1, "backoff_s": 0.01}}}, [])
        done = run(tmp_path, "-o", "read.error=bad", status=1)
    (bad,) = lines(tmp_path / "bad")
    assert bad["error"]["message"] == said and "site-packages" not in bad["error"]["stack"] + done.stderr

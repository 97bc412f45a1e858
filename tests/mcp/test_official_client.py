"""The official MCP client, over stdio and over the gateway, with both ways to begin."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from actors.messages.client_to_runner import REQUESTS
from tests.gateway.served import Served, serving

WAYS = [(way, mode) for way in ("stdio", "http") for mode in ("legacy", "auto")]
FLOW = """
id: shop
modules:
  double:
    runtime: python3
    code: |
      def run(message, context):
          context.set("n", context.get("n", 0) + 1)
          return message * 2
tests:
  - {name: doubles, send: {double.in: [2]}, expect: {double.out: [4]}}
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("agents"), FLOW) as found:
        yield found


@asynccontextmanager
async def connected(served: Served, way: str, mode: Any, cwd: Path | None = None) -> AsyncIterator[Client]:
    if way == "stdio":
        words = ["-m", "actors.console", "--state", str(served.state), "mcp"]
        start = StdioServerParameters(command=sys.executable, args=words, cwd=cwd)
        async with Client(stdio_client(start), mode=mode) as client:
            yield client
        return
    headers = {"Authorization": f"Bearer {served.token}"}
    async with create_mcp_http_client(headers) as http:
        transport = streamable_http_client(f"{served.address}/mcp", http_client=http)
        async with Client(transport, mode=mode) as client:
            yield client


def talk(
    served: Served, way: str, mode: str, what: Callable[[Client], Awaitable[None]], cwd: Path | None = None
) -> None:  # fmt: skip
    async def main() -> None:
        with anyio.fail_after(90):
            async with connected(served, way, mode, cwd) as client:
                await what(client)

    anyio.run(main)


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    """What a tool that succeeds gives."""
    result = await client.call_tool(tool, arguments)
    (text,) = result.content
    assert not result.is_error, text
    return json.loads(text.text)  # type: ignore[union-attr]


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return str(result.content[0].text)  # type: ignore[union-attr]


@pytest.mark.parametrize(("way", "mode"), WAYS)
def test_every_call_is_a_tool(served: Served, way: str, mode: str) -> None:
    async def what(client: Client) -> None:
        assert client.protocol_version == {"legacy": "2025-11-25", "auto": "2026-07-28"}[mode]
        assert "addOrUpdateFlow" in (client.instructions or "")
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert tools.keys() == {*REQUESTS, "why"} | ({"check", "test", "apply"} if way == "stdio" else set())
        update = tools["addOrUpdateFlow"]
        assert update.input_schema["required"] == ["flow"]
        assert update.annotations is not None
        assert update.annotations.destructive_hint
        assert not update.annotations.read_only_hint
        looks = tools["flowState"].annotations
        assert looks is not None
        assert looks.read_only_hint

    talk(served, way, mode, what)


@pytest.mark.parametrize(("way", "mode"), WAYS)
def test_a_flow_is_made_changed_and_taken_back(served: Served, way: str, mode: str) -> None:
    flow_id = f"made_{way}_{mode}"

    def flow(text: str) -> dict[str, Any]:
        code = f"def run(message, context):\n    return {text}\n"
        return {"id": flow_id, "modules": {"m": {"runtime": "python3", "code": code}}}

    async def what(client: Client) -> None:
        assert await call(client, "addOrUpdateFlow", flow=flow("message + 1")) is True
        assert await call(client, "startFlow", flowId=flow_id) is True
        tap = await call(client, "tapPort", flowModuleId=f"{flow_id}/m")
        assert await call(client, "readTap", tapId=tap, waitS=0.05) == {"messages": [], "dropped": 0}
        assert await call(client, "sendMessage", flowModuleId=f"{flow_id}/m", message=1) is True
        seen = await call(client, "readTap", tapId=tap)
        assert [one["message"] for one in seen["messages"]] == [2]
        plan = await call(client, "addOrUpdateFlow", flow=flow("message + 10"), plan=True)
        assert "m" in plan["modules"]
        source = (await client.read_resource(f"flow://{flow_id}/m")).contents[0]
        assert source.text == flow("message + 1")["modules"]["m"]["code"]  # type: ignore[union-attr]
        assert await call(client, "addOrUpdateFlow", flow=flow("message + 10")) is True
        assert await call(client, "sendMessage", flowModuleId=f"{flow_id}/m", message=1) is True
        seen = await call(client, "readTap", tapId=tap)
        assert [one["message"] for one in seen["messages"]] == [11]
        assert await call(client, "endTap", tapId=tap) is True
        assert isinstance(await call(client, "why", flowId=flow_id), list)
        assert "SyntaxError" in await refused(client, "addOrUpdateFlow", flow=flow("("))
        assert await call(client, "removeFlow", flowId=flow_id) is True
        assert flow_id in await refused(client, "flowState", flowId=flow_id)

    talk(served, way, mode, what)


@pytest.mark.parametrize(("way", "mode"), WAYS)
def test_what_can_be_read(served: Served, way: str, mode: str) -> None:
    async def what(client: Client) -> None:
        uris = {str(one.uri) for one in (await client.list_resources()).resources}
        assert uris >= {"schema://flow", "catalogue://timer", "flow://shop", "flow://shop/double"}
        templates = {one.uri_template for one in (await client.list_resource_templates()).resource_templates}
        assert templates == {"flow://{flow}", "flow://{flow}/{module}", "catalogue://{name}"}
        timer = json.loads((await client.read_resource("catalogue://timer")).contents[0].text)  # type: ignore[union-attr]
        assert "every_s" in timer["config"]["properties"]
        assert "every_s" in timer["source"]
        flow = (await client.read_resource("flow://shop")).contents[0]
        assert json.loads(flow.text)["state"] == "running"  # type: ignore[union-attr]
        schema = (await client.read_resource("schema://flow")).contents[0]
        assert "modules" in json.loads(schema.text)["$defs"]["flow"]["properties"]  # type: ignore[union-attr]
        with pytest.raises(MCPError, match="resources/list"):
            await client.read_resource("flow://nowhere/m")
        with pytest.raises(MCPError, match="resources/list"):
            await client.read_resource("catalogue://../secrets")

    talk(served, way, mode, what)


def test_files_are_checked_tested_and_applied(served: Served, tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(FLOW.replace("id: shop", "id: filed"))
    (tmp_path / "bad.yaml").write_text(FLOW.replace("[4]", "[5]").replace("return", "retrun"))

    async def what(client: Client) -> None:
        assert (await call(client, "check", file="good.yaml"))["ok"]
        assert "bad.yaml" in await refused(client, "check", file="bad.yaml")
        (one,) = (await call(client, "test", file="good.yaml", only="double"))["tests"]
        assert one["result"] == "ok"
        await refused(client, "test", file="bad.yaml")
        assert "modules" in json.dumps(await call(client, "apply", file="good.yaml", plan=True))
        assert (await call(client, "apply", file="good.yaml"))["ok"]
        assert (await call(client, "flowState", flowId="filed"))["state"] == "running"
        assert "file" in await refused(client, "check")
        assert "no-such" in await refused(client, "check", file="--help/no-such.yaml")
        assert await call(client, "removeFlow", flowId="filed") is True

    talk(served, "stdio", "auto", what, cwd=tmp_path)


def test_who_subscribes_is_told(served: Served) -> None:
    """Over stdio; over HTTP it is refused."""
    told: list[Any] = []

    async def main() -> None:
        done = anyio.Event()

        async def log(params: Any) -> None:
            told.append(params.data)
            done.set()

        words = ["-m", "actors.console", "--state", str(served.state), "mcp"]
        start = stdio_client(StdioServerParameters(command=sys.executable, args=words))
        with anyio.fail_after(60):
            async with Client(start, mode="legacy", logging_callback=log) as client:
                await call(client, "subscribe", flowId="shop", everyMs=100)
                await done.wait()
            async with connected(served, "http", "auto") as client:
                assert "runner mcp" in await refused(client, "subscribe", flowId="shop")

    anyio.run(main)
    assert told[0]["method"] in ("flowFigures", "flowEvent")


def test_a_runner_may_come_later(tmp_path: Path) -> None:
    """The server is there before it, and after it."""

    async def main() -> None:
        words = ["-m", "actors.console", "--state", str(tmp_path / "state"), "mcp"]
        start = StdioServerParameters(command=sys.executable, args=words)
        with anyio.fail_after(90):
            async with Client(stdio_client(start)) as client:
                assert "no runner is live" in await refused(client, "listFlows")
                assert not [one for one in (await client.list_resources()).resources if one.uri.startswith("flow:")]
                for _ in range(2):
                    with serving(tmp_path, FLOW):
                        assert [flow["id"] for flow in await call(client, "listFlows")] == ["shop"]

    anyio.run(main)

"""Sends back what comes, over WebSockets; prints its port. At / there is an empty page, for who connects."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response


async def echo(page: ServerConnection) -> None:
    async for message in page:
        await page.send(message)


def page(connection: ServerConnection, request: Request) -> Response | None:
    return connection.respond(HTTPStatus.OK, "") if request.path == "/" else None


async def main() -> None:
    async with serve(echo, "127.0.0.1", 0, compression=None, process_request=page) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


asyncio.run(main())

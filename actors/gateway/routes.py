"""What each address of the gateway is: who may, how, and who answers."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple

import orjson

from actors.definition.graph import PAGES
from actors.gateway import inlet, outlet, page_link
from actors.gateway.access import Access, Rights
from actors.gateway.agents import Agents
from actors.gateway.asking import Asking, refused
from actors.gateway.client import LINE, Client
from actors.gateway.http import Head, HttpError, HttpRequest
from actors.gateway.metrics import TYPE, metrics
from actors.gateway.openrpc import openrpc
from actors.gateway.pages import Pages
from actors.messages.client_to_runner import FlowState, ListFlows, ListFlowsForRuntime, Ping
from actors.messages.gateway_to_flow import ReadPackage
from actors.messages.runner_to_client import Reply

JSON = "application/json"
PACKAGES = "/runner/packages/"  # FLOW/ENVIRONMENT/FILE: what browser modules import from npm
FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}  # what has another text has another address
Answer = Callable[[Client, HttpRequest], None]


class Route(NamedTuple):
    """`path` ends with a slash: everything below it. `is_open`: no token is needed; `for_pages`: that of visitors will
    do.
    """

    path: str
    methods: tuple[str, ...]
    answer: Answer
    is_open: bool = False
    for_pages: bool = False

    def has(self, path: str) -> bool:
        """Whether a path is meant."""
        return path.startswith(self.path) if self.path.endswith("/") else path == self.path


class Routes:
    """The addresses of one gateway."""

    def __init__(self, access: Access, asking: Asking, pages: Pages) -> None:
        self._access, self._asking, self._pages = access, asking, pages
        self._inlet, self._outlet = inlet.Inlet(asking), outlet.Outlet(asking)
        self.agents = Agents(asking)
        read = ("GET", "HEAD")
        self._routes = (
            Route("/rpc", ("GET", "POST"), self._rpc),
            Route("/mcp", ("POST",), self.agents.post),
            Route("/join", ("GET",), self._joinable, for_pages=True),
            Route(page_link.PREFIX, ("GET",), self._join, for_pages=True),
            Route(inlet.PREFIX, ("POST",), self._in, for_pages=True),
            Route(outlet.PREFIX, ("GET",), self._out, for_pages=True),
            Route(PACKAGES, ("GET",), self._package, is_open=True),
            Route("/metrics", read, self._metrics),
            Route("/healthz", read, self._health, is_open=True),
            Route("/openrpc.json", read, self._openrpc),
            Route("/", read, self._page, is_open=True),
        )

    def admit(self, head: Head) -> None:
        """Before the body is read. Raises HttpError."""
        route = self._find(head)
        if self._is_preflight(head):
            return
        if head.method not in route.methods:
            allowed = ", ".join(route.methods)
            text = f"{head.method[:20]} is not understood here; {allowed} is"
            raise HttpError(HTTPStatus.METHOD_NOT_ALLOWED, text, {"allow": allowed})
        if route.for_pages:
            self._access.rights(head)
        elif not route.is_open:
            self._access.owner(head)

    def route(self, client: Client, request: HttpRequest) -> None:
        """Answer, now or later. Raises HttpError."""
        if self._is_preflight(request.head):
            client.answer(HTTPStatus.NO_CONTENT, "", b"")
        else:
            self._find(request.head).answer(client, request)

    def _is_preflight(self, head: Head) -> bool:
        """A browser asks whether a page of another origin may: it sends no token with that."""
        return head.method == "OPTIONS" and bool(self._access.cors(head))

    def cors(self, head: Head) -> dict[str, str]:
        """Headers of every answer to such a page."""
        return self._access.cors(head)

    def _find(self, head: Head) -> Route:
        for route in self._routes:
            if route.has(head.path):
                return route
        raise HttpError(HTTPStatus.NOT_FOUND, "an address begins with a slash")

    # answers -------------------------------------------------------------------------------------------------------

    def _rpc(self, client: Client, request: HttpRequest) -> None:
        """JSON-RPC: a POST, or a WebSocket."""
        head = request.head
        if head.method == "POST":
            client.call(request.body)
        elif "upgrade" in head.headers:
            if not head.is_1_1:
                raise HttpError(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "a WebSocket begins with HTTP/1.1")
            client.upgrade(head, self._access.origins)
        else:
            raise HttpError(HTTPStatus.UPGRADE_REQUIRED, "POST, or a WebSocket", {"upgrade": "websocket"})

    def _in(self, client: Client, request: HttpRequest) -> None:
        """Messages; from visitors only where those of pages go."""
        self._inlet.post(client, request, self._is_visitor(request.head))

    def _out(self, client: Client, request: HttpRequest) -> None:
        """Messages; to visitors only what pages may see."""
        self._outlet.open(client, request, self._is_visitor(request.head))

    def _is_visitor(self, head: Head) -> bool:
        return self._access.rights(head) is Rights.CLIENT

    def _joinable(self, client: Client, _request: HttpRequest) -> None:
        """The flows that pages can join."""

        def listed(reply: Reply) -> None:
            if not reply.ok:
                _refuse(client, reply)
            elif not client.is_over:
                client.answer(HTTPStatus.OK, JSON, orjson.dumps(list(_browser_modules(reply))))

        self._asking.ask(ListFlowsForRuntime(runtime_id=PAGES), listed)

    def _join(self, client: Client, request: HttpRequest) -> None:
        """A page joins a flow: a WebSocket."""
        head = request.head
        flow = head.path.removeprefix(page_link.PREFIX)
        if "upgrade" not in head.headers or not head.is_1_1:
            raise HttpError(HTTPStatus.UPGRADE_REQUIRED, "a WebSocket is expected", {"upgrade": "websocket"})

        def listed(reply: Reply) -> None:
            if client.is_over:
                return
            module = _browser_modules(reply).get(flow) if reply.ok else None
            if module is None:
                client.refuse(HttpError(HTTPStatus.NOT_FOUND, f"no flow {flow[:80]!r} with browser modules is here"))
                return
            try:
                client.upgrade(head, self._access.origins, page_link.PageLink(client, self._asking, f"{flow}/{module}"))
            except HttpError as error:
                client.refuse(error)

        self._asking.ask(ListFlowsForRuntime(runtime_id=PAGES), listed)

    def _package(self, client: Client, request: HttpRequest) -> None:
        """As open as pages are: an import cannot send a token."""
        flow, _, rest = request.head.path.removeprefix(PACKAGES).partition("/")
        environment, _, file = rest.partition("/")
        packed = {"content-encoding": "gzip"} if "gzip" in request.head.headers.get("accept-encoding", "") else {}

        def listed(reply: Reply) -> None:
            module = _browser_modules(reply).get(flow) if reply.ok else None
            if module is not None:
                name, wanted = f"{flow}/{module}", f"{file}.gz" if packed else file
                self._asking.ask(ReadPackage(flow_module_id=name, environment=environment, file=wanted), came)
            elif not client.is_over:
                client.refuse(HttpError(HTTPStatus.NOT_FOUND, f"no flow {flow[:80]!r} with browser modules is here"))

        def came(reply: Reply) -> None:
            if reply.ok and not client.is_over:
                kind = JSON if file.endswith(".json") else "text/javascript"
                client.answer(HTTPStatus.OK, kind, reply.value, {**FOR_EVER, **packed, "vary": "accept-encoding"})
            else:
                _refuse(client, reply)

        self._asking.ask(ListFlowsForRuntime(runtime_id=PAGES), listed)

    def _metrics(self, client: Client, _request: HttpRequest) -> None:
        def listed(reply: Reply) -> None:
            if not reply.ok:
                _refuse(client, reply)
                return
            self._asking.ask_all([FlowState(flow_id=flow["id"], rates=False) for flow in reply.value], shown)

        def shown(replies: list[Reply]) -> None:
            if not client.is_over:
                client.answer(HTTPStatus.OK, TYPE, metrics([reply.value for reply in replies if reply.ok]))

        self._asking.ask(ListFlows(), listed)

    def _health(self, client: Client, _request: HttpRequest) -> None:
        """The runner turns; no more is said of it."""

        def done(reply: Reply) -> None:
            if reply.ok and not client.is_over:
                client.answer(HTTPStatus.OK, LINE, b"ok\n")
            else:
                _refuse(client, reply)

        self._asking.ask(Ping(), done)

    def _openrpc(self, client: Client, _request: HttpRequest) -> None:
        client.answer(HTTPStatus.OK, JSON, orjson.dumps(openrpc()))

    def _page(self, client: Client, request: HttpRequest) -> None:
        page = self._pages.find(request.head.path)
        told, content = {"cache-control": "no-cache", "vary": "accept-encoding"}, page.content
        if "gzip" in request.head.headers.get("accept-encoding", "") and (packed := self._pages.packed(page)):
            told, content = {**told, "content-encoding": "gzip"}, packed
        client.answer(HTTPStatus.OK, page.kind, content, told)


def _browser_modules(reply: Reply) -> dict[str, str]:
    """Of each flow that has any, one."""
    return {
        flow["id"]: next(name for name, module in flow["modules"].items() if module.get("runtime") == PAGES)
        for flow in reply.value
    }


def _refuse(client: Client, reply: Reply) -> None:
    if not client.is_over:
        client.refuse(refused(reply))

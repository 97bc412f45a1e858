"""Pages join a flow and run its browser modules: from a page to the server and back to the same page."""

from __future__ import annotations

import json
from typing import Any

from tests.gateway.served import Served
from tests.pages.browser import JOIN, page
from tests.test_run import wait_for

SECRET = "a-word-that-is-only-for-the-server"
FLOW = f"""
id: shop
modules:
  ask:
    runtime: browser
    window: true
    code: |
      export function start(context) {{ globalThis.ask = (value) => context.send('out', value) }}
  double:
    runtime: python3
    config: {{password: {SECRET}}}
    code: |
      # {SECRET}
      def run(message, context):
          return {{"n": message["n"] * 2, "by": context.headers["client"]}}
  add:
    runtime: browser
    code: |
      (message, context) => {{
        context.set('count', context.get('count', 0) + 1)
        return {{ ...message, count: context.get('count') }}
      }}
  show:
    runtime: browser
    window: true
    code: |
      (message) => {{ globalThis.seen.push(message) }}
  feed:
    runtime: python3
    code: |
      def run(message, context):
          return message
wires:
  - ask -> double
  - double -> add
  - add -> show
  - {{from: feed, to: show, to_client: all}}
"""


def test_a_message_goes_to_the_server_and_comes_back(served: Served, browser: Any) -> None:
    with page(served, browser, "one") as one:
        one.ask(*({"n": n} for n in range(50)))
        assert one.seen(50) == [{"n": 2 * n, "by": "one", "count": n + 1} for n in range(50)]
        host = served.call("flowState", "shop")["hosts"]["browser"]
        assert [client["name"] for client in host["clients"]] == ["one"]
        assert "Chrome" in host["clients"][0]["browser"]


def test_the_contexts_of_all_pages(served: Served, browser: Any) -> None:
    with page(served, browser, "one") as one, page(served, browser, "two"):
        one.ask({"n": 1})
        one.seen(1)
        wait_for(lambda: served.call("getContext", "shop/add") == {"one": {"count": 1}, "two": {}})
        assert served.call("getContext", "shop/add@one") == {"count": 1}
        refused = served.post("/rpc", {"jsonrpc": "2.0", "id": 1, "method": "getContext", "params": ["shop/add@ono"]})
        assert "'ono'" in refused.json["error"]["message"]


def test_every_page_gets_the_answers_to_its_own(served: Served, browser: Any) -> None:
    with page(served, browser) as one, page(served, browser) as other:
        assert one.name != other.name
        for n in range(20):
            one.ask({"n": n})
            other.ask({"n": 1000 + n})
        assert [(m["n"], m["by"]) for m in one.seen(20)] == [(2 * n, one.name) for n in range(20)]
        assert [(m["n"], m["by"]) for m in other.seen(20)] == [(2000 + 2 * n, other.name) for n in range(20)]


def test_what_is_for_all_goes_to_all(served: Served, browser: Any) -> None:
    with page(served, browser) as one, page(served, browser) as other:
        served.post("/in/shop/feed", {"all": 1})
        assert one.seen(1) == other.seen(1) == [{"all": 1}]


def test_a_taken_name_is_refused(served: Served, browser: Any) -> None:
    with page(served, browser, "same"), page(served, browser) as other:
        other.do("joined.close()")
        other.page.reload()
        over = other.do(
            """async (options) => {
              sessionStorage.clear()
              const { join } = await import('/runner.js')
              const joined = await join(options)
              return new Promise((resolve) => joined.addEventListener('over', ({ detail }) => resolve(detail)))
            }""",
            {"name": "same", "token": served.client_token},
        )
        assert "'same' is taken" in over
        other.page.reload()
        other.join()


def test_nothing_of_the_server_goes_to_the_page(served: Served, browser: Any) -> None:
    traffic: list[bytes] = []

    def socket(found: Any) -> None:
        found.on("framereceived", lambda data: traffic.append(data if isinstance(data, bytes) else data.encode()))

    context = browser.new_context()
    try:
        tab = context.new_page()
        tab.on("websocket", socket)
        tab.on("response", lambda response: traffic.append(response.body()) if response.ok else None)
        tab.goto(f"{served.address}/")
        tab.evaluate(JOIN, {"token": served.client_token})
        told = json.dumps(tab.evaluate("() => joined.picture"))
        assert "double" in told and "globalThis.seen.push" in told
        assert SECRET not in told
        assert not any(SECRET.encode() in said for said in traffic)
        tab.evaluate("joined.close()")
    finally:
        context.close()


def test_the_accounts_are_even(served: Served, browser: Any) -> None:
    with page(served, browser) as one:
        one.ask({"n": 1}, {"n": 3})
        assert len(one.seen(2)) == 2
        for module, row in served.call("audit").items():
            assert row["accepted"] == row["completed"] + row["queued"] + row["dropped"] + row["deadLettered"], module


def test_the_runtime_is_listed(served: Served) -> None:
    (found,) = [runtime for runtime in served.call("listRuntimes") if runtime["id"] == "browser"]
    assert found["available"]
    assert found["version"]


def test_a_visitors_token_opens_nothing_else(served: Served) -> None:
    assert served.ask("GET", "/join", token=served.client_token).json == ["shop"]
    assert served.ask("POST", "/rpc", b"{}", token=served.client_token).status == 403
    assert served.ask("GET", "/join", token=None).status == 401
    assert served.ask("GET", "/join/shop", token=None).status == 401
    assert served.ask("GET", "/join/other", token=served.client_token).status == 426
    assert served.ask("GET", "/runner/node/loader.mjs", token=None).status == 404
    assert served.ask("GET", "/runner/browser/../node/loader.mjs", token=None).status == 404


def test_a_worker_whose_program_does_not_come_at_once(served: Served, browser: Any) -> None:
    """As when the network is away just then: it is asked for again."""
    refused: list[str] = []

    def answer(route: Any) -> None:
        if len(refused) < 2:
            refused.append(route.request.url)
            route.abort()
        else:
            route.continue_()

    with page(served, browser) as one:
        one.context.route("**/host.worker.mjs", answer)
        one.page.reload()
        one.join()
        one.ask({"n": 1})
        assert [message["n"] for message in one.seen(1)] == [2]
        assert len(refused) == 2
        errors = one.do("() => events.filter(([name]) => name === 'error').map(([, why]) => why)")
        assert "modules could not be begun, it is tried again: its program has not come" in errors

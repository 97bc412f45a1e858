"""`runner send`: one message, or with `-` one from each line of standard input; up to 128 are under way at a time."""

from __future__ import annotations

import argparse
import sys
from collections import deque
from concurrent.futures import Future
from typing import Any

from actors.console.calls import connected, place_of, show, value_of
from actors.console.client import TIMEOUT_S, Outcome, RunnerClient, RunnerError
from actors.console.errors import UserError
from actors.counted import counted

MAX_UNDER_WAY = 128


def send(options: argparse.Namespace) -> int:
    """`runner send FLOW/MODULE[.PORT] JSON`: at the first one that is refused it ends, and says how many were taken."""
    flow_id, module, port = place_of(options, options.target, "send takes FLOW/MODULE or FLOW/MODULE.PORT")
    is_stream = options.message == "-"
    with connected(options, flow_id) as client:
        sending = _Sending(client, {"flowModuleId": f"{flow_id}/{module}", "port": port or "in"})
        for line, text in enumerate(sys.stdin if is_stream else [options.message], 1):
            if not text.strip():
                continue
            try:
                sending.put(line, value_of(text))
            except UserError as error:
                sending.settle()
                raise _refusal(error.sentences, line, sending, is_stream, usage=error.usage) from None
            if sending.refused:
                break
        sending.settle()
    if sending.refused:
        line, outcome = sending.refused[0]
        problems = outcome.data if isinstance(outcome.data, list) else [outcome.error or "refused"]
        raise _refusal([*map(str, problems)], line, sending, is_stream)
    return show(
        options, {"ok": True, "sent": sending.sent}, lambda _: "sent" if sending.sent == 1 else f"{sending.sent} sent"
    )


def _refusal(sentences: Any, line: int, sending: _Sending, is_stream: bool, usage: bool = False) -> UserError:
    if not is_stream:
        return UserError(*sentences, usage=usage)
    more = len(sending.refused) - 1
    others = f", {counted(more, 'other')} refused" if more > 0 else ""
    return UserError(f"line {line}: {sentences[0]}", *sentences[1:], f"{sending.sent} sent{others}", usage=usage)


class _Sending:
    """Messages to one port; what became of them."""

    def __init__(self, client: RunnerClient, to: dict[str, str]) -> None:
        self._client, self._to = client, to
        self._under_way: deque[tuple[int, Future[Outcome]]] = deque()
        self.sent = 0
        self.refused: list[tuple[int, Outcome]] = []  # with the line

    def put(self, line: int, message: Any) -> None:
        """One more; waits, if many are under way."""
        future = self._client.begin("sendMessage", **self._to, message=message)
        self._under_way.append((line, future))
        self.settle(MAX_UNDER_WAY)

    def settle(self, most: int = 0) -> None:
        """Take the answers that are there; wait until no more than `most` are under way."""
        under_way = self._under_way
        while under_way and (len(under_way) > most or under_way[0][1].done()):
            line, future = under_way[0]
            try:
                outcome = future.result(TIMEOUT_S)
            except (RunnerError, TimeoutError) as error:
                what = str(error) or f"the runner has not answered within {TIMEOUT_S:g} s"
                rest = f"of {counted(len(under_way), 'more message')} it is not known whether they were taken"
                raise UserError(what, f"{self.sent} sent; {rest}") from None
            under_way.popleft()
            if outcome:
                self.sent += 1
            else:
                self.refused.append((line, outcome))

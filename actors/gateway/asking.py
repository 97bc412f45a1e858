"""What the gateway itself asks the runner, and who gets the answer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus

from msgspec.structs import replace

from actors.gateway.http import HttpError
from actors.messages.client_to_runner import Request
from actors.messages.runner_to_client import Reply

Done = Callable[[Reply], None]
FULL_RETRY_S = 1


class Asking:
    """Requests under way; their ids are `NAME.NUMBER`."""

    def __init__(self, name: str, ask: Callable[[Request], None]) -> None:
        self._name, self._ask = name, ask
        self._count = 0
        self._waiting: dict[str, Done] = {}

    def ask(self, request: Request, done: Done) -> None:
        """`done` gets the answer."""
        self._count += 1
        request_id = f"{self._name}.{self._count}"
        self._waiting[request_id] = done
        self._ask(replace(request, request_id=request_id))

    def ask_all(self, requests: list[Request], done: Callable[[list[Reply]], None]) -> None:
        """`done` gets all answers, in the order of the requests."""
        answers: dict[int, Reply] = {}

        def take(index: int, reply: Reply) -> None:
            answers[index] = reply
            if len(answers) == len(requests):
                done([answers[n] for n in range(len(requests))])

        for index, request in enumerate(requests):
            self.ask(request, partial(take, index))
        if not requests:
            done([])

    def answered(self, reply: Reply) -> None:
        """The runner has answered one."""
        self._waiting.pop(reply.request_id)(reply)


def refused(reply: Reply, for_visitor: bool = False) -> HttpError:
    """What a refusal of the runner is in HTTP; a visitor does not learn what else there is."""
    sentence = reply.error or "the runner has refused it"
    if isinstance(reply.data, dict) and reply.data.get("full"):
        return HttpError(HTTPStatus.TOO_MANY_REQUESTS, sentence, {"retry-after": str(FULL_RETRY_S)})
    if isinstance(reply.data, dict) and reply.data.get("away"):
        return HttpError(HTTPStatus.SERVICE_UNAVAILABLE, sentence)
    if for_visitor:
        return HttpError(HTTPStatus.FORBIDDEN, "this token is for the wires of browser modules only")
    return HttpError(HTTPStatus.NOT_FOUND, sentence)

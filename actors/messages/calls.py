"""A JSON-RPC call as the request that it stands for, or what is wrong with it."""

from __future__ import annotations

from typing import Any

from actors.messages.client_to_runner import REQUESTS, Request
from actors.messages.parameters import parameters, request_problem


class BadRequestError(Exception):
    """A call that names no method, or has the wrong parameters."""


def make_request(method: str, params: dict[str, Any] | list[Any], request_id: str) -> Request:
    """The request for a JSON-RPC call. Raises BadRequestError with a sentence."""
    kind: Any = REQUESTS.get(method)
    if kind is None:
        raise BadRequestError(f"there is no method {method!r}; there are {', '.join(sorted(REQUESTS))}")
    names = {parameter.camel: parameter.name for parameter in parameters(kind)}
    if isinstance(params, list):
        if len(params) > len(names):
            raise BadRequestError(f"{method} takes at most {len(names)} parameters: {', '.join(names)}")
        params = dict(zip(names, params, strict=False))
    unknown = [name for name in params if name not in names]
    if unknown:
        raise BadRequestError(f"{method} has no parameter {unknown[0]!r}; it has {', '.join(names) or 'none'}")
    try:
        request: Request = kind(request_id=request_id, **{names[name]: value for name, value in params.items()})
    except TypeError:
        needed = [one.camel for one in parameters(kind) if one.is_needed and one.camel not in params]
        raise BadRequestError(f"{method} lacks {' and '.join(needed)}; its parameters: {', '.join(names)}") from None
    if (problem := request_problem(request)) is not None:
        raise BadRequestError(problem)
    return request

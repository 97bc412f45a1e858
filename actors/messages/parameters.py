"""What the parameters of a call may be, read from its request class, and what is wrong with one, in a sentence."""

from __future__ import annotations

from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import msgspec
from msgspec import Meta, structs

from actors.definition.schema import shown

MAX_SECONDS = 31_536_000  # a year
Text = Annotated[str, Meta(max_length=1024, description="text")]
Expression = Annotated[str, Meta(max_length=4096, description="text")]
Seconds = Annotated[float, Meta(ge=0, le=MAX_SECONDS, description="a number of seconds from 0 to 31,536,000")]
Number = Annotated[int, Meta(ge=1, le=2**63 - 1, description="a whole number from 1")]


def camel(name: str) -> str:
    """A parameter's name in the API: `flow_module_id` -> `flowModuleId`."""
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def method_of(kind: type) -> str:
    """The method that a request class is: `AddOrUpdateFlow` -> `addOrUpdateFlow`."""
    return kind.__name__[0].lower() + kind.__name__[1:]


class Parameter(NamedTuple):
    """A parameter of a call: its name as a field and in the API, what it may be, that in words; `default`, if it may
    be left out.
    """

    name: str
    camel: str
    type: Any
    words: str
    is_needed: bool
    default: Any


@cache
def parameters(kind: Any) -> tuple[Parameter, ...]:
    """Those of a call, in order."""
    return tuple(
        Parameter(one.name, camel(one.name), one.type, _words(one.type), one.required, one.default)
        for one in structs.fields(kind)
        if one.name != "request_id"
    )


def request_problem(request: Any) -> str | None:
    """What is wrong with a parameter of a request, as a sentence that names the call and the parameter."""
    kind: Any = type(request)
    try:
        msgspec.convert(request, _shape(kind), from_attributes=True)
    except msgspec.ValidationError:
        problems = (_parameter_problem(parameter, request) for parameter in parameters(kind))
        return f"{method_of(kind)}: {next(filter(None, problems))}"
    return None


@cache
def _shape(kind: Any) -> type[msgspec.Struct]:
    """The parameters of a call as one type: all are checked at once."""
    return msgspec.defstruct(kind.__name__, [(parameter.name, parameter.type) for parameter in parameters(kind)])


def _parameter_problem(parameter: Parameter, request: Any) -> str | None:
    value = getattr(request, parameter.name)
    try:
        msgspec.convert(value, parameter.type)
    except msgspec.ValidationError as error:
        if isinstance(value, str) and "length" in str(error):
            return f"{parameter.camel} is too long: {len(value):,} characters"
        return f"{parameter.camel} must be {parameter.words}, not {shown(value)}"
    return None


def _words(kind: Any) -> str:
    """What a type takes, for people."""
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(_words(member) for member in get_args(kind))
    if get_origin(kind) is Annotated:
        return str(kind.__metadata__[0].description)
    if get_origin(kind) is Literal:
        return " or ".join(f"'{value}'" for value in get_args(kind))
    return _WORDS.get(get_origin(kind) or kind, "any JSON value")


_WORDS = {bool: "true or false", dict: "an object", list: "a list of texts", NoneType: "null"}

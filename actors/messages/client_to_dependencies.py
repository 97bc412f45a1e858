"""Requests of the Runner API about environments: what modules depend on."""

from __future__ import annotations

from dataclasses import dataclass

from actors.messages.parameters import Text
from actors.messages.request import Command, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class ListDependencies(Request):
    """The environments of a runtime: id, dependencies, locked versions, state, size, and which flows use them."""

    runtime_id: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallDependencies(Request):
    """Make the environment of these dependencies, or wait for it; the answer is its id. Progress comes meanwhile."""

    runtime_id: Text
    dependencies: list[Text]


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelDependencies(Command):
    """Stop the installation of these dependencies; the calls that wait for it are refused."""

    runtime_id: Text
    dependencies: list[Text]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveDependencies(Command):
    """Remove an environment; refused while a flow uses it."""

    runtime_id: Text
    environment_id: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectDependencies(Request):
    """Remove every environment and build that nothing uses, of one runtime or of all: what was removed."""

    runtime_id: Text | None = None

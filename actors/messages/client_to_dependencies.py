"""Requests of the Runner API about environments: what modules depend on."""

from __future__ import annotations

from actors.messages.parameters import Text
from actors.messages.request import Command, Request


class ListDependencies(Request, frozen=True, kw_only=True):
    """The environments of a runtime: id, dependencies, locked versions, state, size, and which flows use them."""

    runtime_id: Text


class InstallDependencies(Request, frozen=True, kw_only=True):
    """Make the environment of these dependencies, or wait for it; the answer is its id. Progress comes meanwhile."""

    runtime_id: Text
    dependencies: list[Text]


class CancelDependencies(Command, frozen=True, kw_only=True):
    """Stop the installation of these dependencies; the calls that wait for it are refused."""

    runtime_id: Text
    dependencies: list[Text]


class RemoveDependencies(Command, frozen=True, kw_only=True):
    """Remove an environment; refused while a flow uses it."""

    runtime_id: Text
    environment_id: Text


class CollectDependencies(Request, frozen=True, kw_only=True):
    """Remove every environment and build that nothing uses, of one runtime or of all: what was removed."""

    runtime_id: Text | None = None

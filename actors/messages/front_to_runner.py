"""What the front of a deployment asks its runners, beside the Runner API. None of it is a method of that."""

from __future__ import annotations

from actors.messages.client_to_runner import Request


class ListUsed(Request, frozen=True, kw_only=True):
    """The ids of the environments that a flow here needs, also one that does not run: of one runtime or of all."""

    runtime_id: str | None = None


class CollectOthers(Request, frozen=True, kw_only=True):
    """As CollectDependencies; but `used` stay, which runners that share what is made here need."""

    used: tuple[str, ...]
    runtime_id: str | None = None

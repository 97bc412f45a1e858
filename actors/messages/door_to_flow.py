"""What a door asks of a flow for a client that has not read in time."""

from __future__ import annotations

from actors.messages.client_to_runner import Request
from actors.messages.parameters import Text


class ShowWhole(Request, frozen=True, kw_only=True):
    """A subscription has missed something: its next figures are whole."""

    subscription_id: Text

"""Requests of the Runner API by whoever changes flows while they run: what a text would do, and the flow's file."""

from __future__ import annotations

from typing import Any

from actors.messages.parameters import Number, Seconds, Text
from actors.messages.request import Command, Request


class SaveFlow(Request, frozen=True, kw_only=True):
    """Write a flow as it runs into the file that it was started from, where that differs: `{file, written}`. If there
    is none: `{file: null, text}`, the text of one.
    """

    flow_id: Text


class ShadowModule(Request, frozen=True, kw_only=True):
    """Try other fields of a module, such as `code`, on its messages: those that come, or with `recent` those that it
    had last. They run in hosts of their own, which reach nothing; the answer is how their outputs differ.
    """

    flow_module_id: Text
    module: dict[str, Any]
    messages: Number = 1000
    recent: bool = False
    yes: bool = False  # also a module that uses the network or has `limits.writable`: its hosts may, too
    timeout_s: Seconds = 600.0
    given: list[dict[str, Any]] | None = None  # {port, message}: these, beginning with an empty context


class EndShadow(Command, frozen=True, kw_only=True):
    """No more messages for the shadows of a module: they answer with what they have."""

    flow_module_id: Text


class ListStarters(Request, frozen=True, kw_only=True):
    """Modules to begin with: `[{name, module}]`, one of each runtime that has one (NAME in its text is to be replaced),
    and those of the catalogue.
    """

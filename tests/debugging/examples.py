"""What the property tests of debugging share: how many examples, and what a flow has in the end."""

from __future__ import annotations

import os
from collections import defaultdict
from itertools import count
from typing import Any

import orjson
from hypothesis import HealthCheck, Phase, settings

from actors.messages import client_to_runner as api
from tests.debugging.model import Message, gathered
from tests.debugging.random_flows import Talk
from tests.harness import Harness

IDS = count()  # all examples of a test share a runner


def examples(number: int) -> Any:
    """So many, or what EXAMPLES says. Much depends on timing: what failed may pass again, so nothing is shrunk."""
    return settings(
        max_examples=int(os.environ.get("EXAMPLES", number)), deadline=None, database=None, print_blob=True,
        phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip


def contexts_of(runner: Harness, flow_id: str, talk: Talk) -> dict[str, dict[str, Any]]:
    """Every module's context, as model.py writes it."""
    contexts = {name: runner.module(flow_id, name).state.context for name in talk.modules}
    return {
        name: gathered({k.decode(): orjson.loads(v) for k, v in context.items()}) for name, context in contexts.items()
    }


def dead_letters_of(runner: Harness, flow_id: str) -> dict[str, list[Message]]:
    """By module, the oldest first."""
    dead: dict[str, list[Message]] = defaultdict(list)
    for letter in runner.ok(api.DeadLetters, flow_id=flow_id):
        dead[letter["flowModuleId"].partition("/")[2]].append(letter["message"])
    return dead

"""A module of the catalogue is replaced while it works, and replaces others: queue and context go along."""

from __future__ import annotations

from typing import Any

from actors.definition.catalogue import Catalogue
from actors.messages import client_to_runner as api
from tests.harness import Harness

OWN = """
def run(message, context):
    return {"own": message, "known": sorted(key for key in context.keys() if key.startswith("k "))}
"""


def test_from_use_to_a_text_of_ones_own_and_back(runner: Harness) -> None:
    def flow(module: dict[str, Any]) -> dict[str, Any]:
        return {"id": "f", "modules": {"once": module}}

    used = {"use": "dedupe", "config": {"key": "id"}}
    runner.ok(api.AddOrUpdateFlow, flow=flow(used))
    came = runner.collect("f", "once")
    runner.start("f")
    for number in (1, 2, 1):
        runner.ok(api.SendMessage, flow_module_id="f/once", port="in", message={"id": number})
    runner.wait(lambda: len(came.got) == 2, "two that are new")

    fields = Catalogue().find("dedupe").fields
    by_hand = {**fields, "config": {"key": "id", "remember": 10000}}
    runner.ok(api.AddOrUpdateFlow, flow=flow(by_hand))  # what `runner eject` leaves, until it is edited
    receipt = runner.ok(api.LastReceipt, flow_id="f")
    assert receipt["modules"]["once"]["did"] == "untouched", receipt

    runner.ok(api.AddOrUpdateFlow, flow=flow({"runtime": "python3", "code": OWN}))
    runner.ok(api.SendMessage, flow_module_id="f/once", port="in", message="x")
    runner.wait(lambda: len(came.got) == 3, "what the own text sends")
    assert came.got[2] == {"own": "x", "known": ["k 1", "k 2"]}

    runner.ok(api.AddOrUpdateFlow, flow=flow(used))
    for number in (2, 3):
        runner.ok(api.SendMessage, flow_module_id="f/once", port="in", message={"id": number})
    runner.wait(lambda: len(came.got) == 4, "the one that is new")
    assert came.got[3] == {"id": 3}

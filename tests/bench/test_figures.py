"""What the benchmarks say of their figures."""

from __future__ import annotations

from tests.bench.figures import Row


def test_a_peer_that_has_lost_nothing() -> None:
    row = Row(name="peers.update_loss", unit="messages", what="lost", values=[0], target=0, lower_is_better=True)
    row.absolute, row.peers = True, {"Node-RED": [0]}
    assert row.as_json()["peers"] == {"Node-RED": {"value": 0, "ratio": None}}

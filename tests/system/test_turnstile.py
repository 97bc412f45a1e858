"""Who comes too often is not looked at."""

from __future__ import annotations

from actors.system.turnstile import MAX_FROM_ALL, MAX_FROM_ONE, Turnstile


def test_so_many_of_each_and_of_all_in_a_second_and_of_this_machine_any() -> None:
    turnstile = Turnstile("10.0.0.1")
    assert all(turnstile.admits("10.0.0.1", 7.0) for _ in range(10 * MAX_FROM_ALL))
    assert sum(turnstile.admits("10.0.0.9", 7.5) for _ in range(1000)) == MAX_FROM_ONE
    assert turnstile.admits("10.0.0.2", 7.9), "another one is let in"
    assert turnstile.admits("10.0.0.9", 8.0), "and he in the next second"
    assert sum(turnstile.admits(f"10.0.{one % 250}.2", 9.0) for one in range(100_000)) == MAX_FROM_ALL
    assert turnstile.admits("10.0.0.1", 9.0)

"""Percentiles of durations in a fixed array: buckets of an eighth of a power of two, as HdrHistogram does."""

from __future__ import annotations

_BUCKETS = 27 * 8  # to 2**27 microseconds, about two minutes


class Latency:
    """Counts durations given in seconds; answers percentiles in milliseconds, at most an eighth too high."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    def add(self, seconds: float) -> None:
        """Count one duration."""
        us = int(seconds * 1e6) | 8
        shift = us.bit_length() - 4
        bucket = min(shift << 3 | (us >> shift) & 7, _BUCKETS)
        self._counts[bucket] = self._counts.get(bucket, 0) + 1

    def percentile_ms(self, fraction: float) -> float | None:
        """The duration that `fraction` of all are not longer than; None without any."""
        left = fraction * sum(self._counts.values())
        for bucket in sorted(self._counts):
            left -= self._counts[bucket]
            if left <= 0:
                return ((8 + (bucket & 7) + 1) << (bucket >> 3)) / 1000
        return None

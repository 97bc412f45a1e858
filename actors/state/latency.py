"""Percentiles of durations in a fixed array: buckets of an eighth of a power of two, as HdrHistogram does."""

from __future__ import annotations

from collections import defaultdict

_SHIFTS = 27  # to 2**30 microseconds, about 18 minutes
_LAST = _SHIFTS << 3


class Latency:
    """Counts durations given in seconds; answers percentiles in milliseconds, at most an eighth too high."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: defaultdict[int, int] = defaultdict(int)

    def add(self, seconds: float) -> None:
        """Count one duration; what is longer than 18 minutes counts as that."""
        us = int(seconds * 1e6) | 8
        shift = us.bit_length() - 4
        bucket = shift << 3 | (us >> shift) & 7 if shift < _SHIFTS else _LAST
        self._counts[bucket] += 1

    def percentile_ms(self, fraction: float) -> float | None:
        """The duration that `fraction` of all are not longer than; None without any."""
        left = fraction * sum(self._counts.values())
        for bucket in sorted(self._counts):
            left -= self._counts[bucket]
            if left <= 0:
                return ((8 + (bucket & 7) + 1) << (bucket >> 3)) / 1000
        return None

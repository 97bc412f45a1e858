"""Benchmarks (`scripts/bench`): each figure beside its limit, measured in the same run. See docs/benchmarks.md."""

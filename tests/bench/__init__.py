"""Benchmarks: `scripts/bench`. Each figure stands beside its limit, measured in the same run. See docs/benchmarks.md."""

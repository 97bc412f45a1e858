"""Faults on a copy of a flow, and whether it keeps what it promises."""

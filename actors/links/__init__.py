"""Wires that lead from one runner to another: the links, what travels on them, and their two ends."""

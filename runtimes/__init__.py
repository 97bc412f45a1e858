"""Runtimes: a folder per language, the link protocol and its conformance suite."""

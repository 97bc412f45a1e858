"""Frozen messages between actors; a file per arrow."""

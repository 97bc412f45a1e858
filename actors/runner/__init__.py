"""The Runner actor."""

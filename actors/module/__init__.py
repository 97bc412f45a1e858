"""The Module actor."""

"""The dispatcher and what it starts."""

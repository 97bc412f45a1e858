"""A flow that is there: its record, and what is done with it."""

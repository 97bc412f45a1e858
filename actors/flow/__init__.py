"""A flow that is there: its actor, its record, and a part for each thing that it does."""

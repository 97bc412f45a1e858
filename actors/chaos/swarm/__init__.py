"""Random flows of all languages under random events, against what must arrive."""

"""What hosts write, and whether the runner stands it."""

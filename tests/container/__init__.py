"""Tests of the container image, run by scripts/container: they need an engine and the image, not pytest."""

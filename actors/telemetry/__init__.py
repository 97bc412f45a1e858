"""Spans of followed messages on their way to a collector."""

"""Actors in one process: mailboxes, timers, descriptors; long jobs; the system outside."""

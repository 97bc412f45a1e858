"""Hosts: processes, their links, what they say."""

"""The Runner actor: the entry of the API, runtimes, the list of flows."""

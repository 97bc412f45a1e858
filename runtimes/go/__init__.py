"""The go runtime: its commands (docs/decisions/004) and, in flow/, the host library."""

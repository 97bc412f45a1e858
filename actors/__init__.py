"""The runner: actors that hand messages between the modules of a flow."""

__version__ = "0.1.0"

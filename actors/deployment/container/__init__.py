"""Runners in containers: the engine, the actor that stands for one, and the process inside."""

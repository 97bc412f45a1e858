"""The python3 runtime: `host.py` is the program, the rest its parts. Nothing here knows the runner's packages."""

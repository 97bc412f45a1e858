"""The python3 runtime: `host.py` is the program, the other files are its parts. Nothing here knows the runner's packages."""

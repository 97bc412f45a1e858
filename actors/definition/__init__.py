"""What a flow is: reading, checking and planning it. No process, no actor, no file descriptor."""

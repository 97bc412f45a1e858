"""What a module decides. Pure."""

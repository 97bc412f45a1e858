"""The Module actor and its parts: what one module is, wherever its host is."""

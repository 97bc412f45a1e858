"""Where messages come in and go out: feeds, sinks, taps, sessions, watched files."""

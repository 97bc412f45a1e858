"""The command line, the client and the live tables. Decides nothing."""

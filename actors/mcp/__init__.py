"""The Model Context Protocol: the Runner API, flows and sources for agents. Knows no sockets and no actors."""

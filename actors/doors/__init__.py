"""How clients come in: JSON-RPC on a Unix socket."""

"""The Debug Adapter Protocol: breakpoints, steps and held messages of a flow, for editors. Knows no sockets."""

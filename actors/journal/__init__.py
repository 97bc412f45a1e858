"""What a flow must not forget when its runner dies: gathered in groups, written by a child, read at the start."""

"""The rust runtime: the crate `flow` in src/, and the commands that prepare environments and build hosts."""

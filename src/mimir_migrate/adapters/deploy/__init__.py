"""How a values change reaches the cluster: helm or a command, one at a time."""

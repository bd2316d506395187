"""From the ports to facts, and from facts to findings. Read only."""

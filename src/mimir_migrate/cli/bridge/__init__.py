"""The commands of the ring bridge."""

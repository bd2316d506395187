"""A run's journal on disk."""

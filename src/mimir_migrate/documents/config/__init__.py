"""Mimir's and Cortex' own configuration: which settings there are, and which are wrong."""

"""Journals around a run's own: each writes what it is given into it, and does one thing more."""

"""Judges of single gates, by what they are about."""

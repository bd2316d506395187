"""Frozen data and nothing else: rings, stores, facts, findings, plans, events."""

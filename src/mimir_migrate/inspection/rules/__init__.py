"""Findings: one function each, from the facts to what blocks, warns or informs."""

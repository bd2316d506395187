"""Mutation testing of what decides about changes: mutants, the tests that cover them, and the document.

`mutmut` and `cosmic-ray` were tried first; docs/mutants.md says why this is neither.
"""

"""Pods that are real processes of a Mimir or Cortex binary, each on a loopback address of its own."""

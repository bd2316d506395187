"""The commands that start a cluster on this machine: `demo`, `sandbox` and `rehearse`."""

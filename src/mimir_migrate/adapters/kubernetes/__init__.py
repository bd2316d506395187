"""The Kubernetes API server, and the pods behind it."""

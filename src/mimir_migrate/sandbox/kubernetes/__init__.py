"""The sandbox's Kubernetes: an API server and the controllers behind it."""

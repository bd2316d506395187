"""What the simulated processes answer: pages and metrics."""

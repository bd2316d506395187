"""The runner, its gates, the comparison of two stores, waiting and stopping."""

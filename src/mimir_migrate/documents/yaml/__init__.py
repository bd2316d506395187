"""YAML by position: where each value stands in the bytes, and how text there is changed."""

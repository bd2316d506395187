"""The pods' pages, read."""

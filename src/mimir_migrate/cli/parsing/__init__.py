"""Which commands there are and what they take."""
